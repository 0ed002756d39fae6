//! `derive(FieldEnum)`: an enum of the words that a text field may have.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result};

use crate::words::snake_case;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            name,
            format!("`derive(FieldEnum)` stands on an enum: `enum {name} {{ Low, High }}`"),
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "an enum of words has no parameters"));
    }
    let (mut words, mut variants, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message =
                "a variant stands for a word and has no fields: read the text as `&str` where words are not enough";
            return Err(Error::new_spanned(variant, message));
        }
        let word = word_of(variant)?;
        if !known.insert(word.clone()) {
            return Err(Error::new_spanned(variant, format!("another variant stands for the word \"{word}\" already")));
        }
        words.push(word);
        variants.push(&variant.ident);
    }
    if variants.is_empty() {
        return Err(Error::new_spanned(name, "an enum of words has at least one variant"));
    }
    let noun = format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "));
    Ok(quote! {
        #[automatically_derived]
        impl ::wasmill_sdk::FieldEnum for #name {
            const WORDS: &'static [(&'static str, Self)] = &[#((#words, #name::#variants)),*];
            const NOUN: &'static str = #noun;
            #[inline]
            fn from_word(word: &str) -> ::core::option::Option<Self> {
                match word {
                    #(#words => ::core::option::Option::Some(#name::#variants),)*
                    _ => ::core::option::Option::None,
                }
            }
            #[inline]
            fn word(self) -> &'static str {
                match self {
                    #(#name::#variants => #words,)*
                }
            }
        }

        #[automatically_derived]
        impl<'__batch> ::wasmill_sdk::Value<'__batch> for #name {
            const KIND: ::wasmill_sdk::Kind = ::wasmill_sdk::Kind::Text;
            const NOUN: &'static str = #noun;
            #[inline]
            fn from_cell(cell: ::wasmill_sdk::__private::Cell<'__batch>) -> ::core::option::Option<Self> {
                let text = <&'__batch str as ::wasmill_sdk::Value<'__batch>>::from_cell(cell)?;
                <Self as ::wasmill_sdk::FieldEnum>::from_word(text)
            }
        }

        #[automatically_derived]
        impl<'__batch> ::wasmill_sdk::FromSlot<'__batch> for #name {
            const KIND: ::wasmill_sdk::Kind = ::wasmill_sdk::Kind::Text;
            const REQUIRED: bool = true;
            const NOUN: &'static str = #noun;
            #[inline]
            fn from_slot(
                state: ::wasmill_sdk::__private::State,
                cell: ::wasmill_sdk::__private::Cell<'__batch>,
            ) -> ::core::result::Result<Self, ::wasmill_sdk::__private::State> {
                ::wasmill_sdk::__private::required(state, cell)
            }
        }
    })
}

/// `#[field(word = "WARN")]`, else the variant's name in `snake_case`.
fn word_of(variant: &syn::Variant) -> Result<String> {
    let mut word = None;
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("word") {
                return Err(meta.error("expected `word = \"WARN\"`"));
            }
            word = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(word.unwrap_or_else(|| snake_case(&variant.ident.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn error(input: &DeriveInput) -> String {
        expand(input).unwrap_err().to_string()
    }

    #[test]
    fn words_are_the_variants_in_snake_case_or_what_the_attribute_says() {
        let expansion = expand(&parse_quote! {
            enum Level { VeryLow, #[field(word = "WARN")] Warning }
        });
        let code = expansion.unwrap().to_string();
        assert!(code.contains(r#""very_low" => "#) && code.contains(r#""WARN" => "#), "{code}");
        assert!(code.contains("one of `very_low`, `WARN`"), "{code}");
    }

    #[test]
    fn mistakes_are_told_with_their_fix() {
        assert!(
            error(&parse_quote!(
                struct Level;
            ))
            .contains("stands on an enum")
        );
        assert!(
            error(&parse_quote!(
                enum Level {}
            ))
            .contains("at least one variant")
        );
        assert!(
            error(&parse_quote!(
                enum Level {
                    Other(i64),
                }
            ))
            .contains("read the text as `&str`")
        );
        assert!(
            error(&parse_quote!(
                enum Level<T> {
                    A,
                }
            ))
            .contains("no parameters")
        );
        assert!(
            error(&parse_quote!(
                enum Level {
                    #[field(name = "x")]
                    A,
                }
            ))
            .contains("expected `word")
        );
        assert!(
            error(&parse_quote!(
                enum Level {
                    A,
                    #[field(word = "a")]
                    B,
                }
            ))
            .contains("\"a\" already")
        );
    }
}
