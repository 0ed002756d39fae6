//! `derive(Config)`: a struct is an object with no other keys than its fields, an enum is one of its variants' names.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DataEnum, DeriveInput, Error, Expr, Fields, FieldsNamed, Ident, LitStr, Result, Token};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        let message = "a config owns its values and has no parameters: use `String` for text";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let container = Attributes::parse(&input.attrs)?;
    let read = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => structure(name, fields, &container)?,
            _ => return Err(wrong_shape(name)),
        },
        Data::Enum(data) => enumeration(name, data)?,
        Data::Union(_) => return Err(wrong_shape(name)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::wasmill_sdk::FromConfig for #name {
            #[cold]
            fn from_value(
                value: ::wasmill_sdk::ConfigValue<'_>,
            ) -> ::core::result::Result<Self, ::wasmill_sdk::ConfigError> {
                #read
            }
        }

        #[automatically_derived]
        impl ::wasmill_sdk::Prepare for #name {
            type Config = Self;
            fn prepare(config: Self) -> ::core::result::Result<Self, ::std::string::String> {
                ::core::result::Result::Ok(config)
            }
        }
    })
}

fn wrong_shape(name: &Ident) -> Error {
    let message =
        format!("`derive(Config)` stands on a struct with named fields, `struct {name} {{ .. }}`, or an enum");
    Error::new_spanned(name, message)
}

fn structure(name: &Ident, fields: &FieldsNamed, container: &Attributes) -> Result<TokenStream> {
    let mut keys = Vec::new();
    let mut reads = Vec::new();
    for field in &fields.named {
        let name = field.ident.as_ref().expect("the fields are named");
        let attributes = Attributes::parse(&field.attrs)?;
        let key = attributes.rename.clone().unwrap_or_else(|| own_name(name));
        let read = match attributes.default {
            Some(Default::OfType) => quote!(take_or(#key, ::core::default::Default::default)),
            Some(Default::Value(value)) => quote!(take_or(#key, || #value)),
            None if container.default.is_some() => quote!(take_or(#key, || default.#name)),
            None => quote!(take(#key)),
        };
        reads.push(quote!(#name: object.#read?));
        keys.push(key);
    }
    let default = match &container.default {
        None => None,
        Some(Default::OfType) => Some(quote!(let default: #name = ::core::default::Default::default();)),
        Some(Default::Value(value)) => Some(quote!(let default: #name = #value;)),
    };
    Ok(quote! {
        let mut object = ::wasmill_sdk::__private::Object::new(value, &[#(#keys),*])?;
        #default
        ::core::result::Result::Ok(#name { #(#reads),* })
    })
}

fn enumeration(name: &Ident, data: &DataEnum) -> Result<TokenStream> {
    let mut names = Vec::new();
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a config's enum has variants without fields: use a struct with optional keys instead";
            return Err(Error::new_spanned(variant, message));
        }
        let attributes = Attributes::parse(&variant.attrs)?;
        names.push(attributes.rename.unwrap_or_else(|| snake_case(&variant.ident.to_string())));
        variants.push(&variant.ident);
    }
    if variants.is_empty() {
        return Err(Error::new_spanned(name, "a config's enum has at least one variant"));
    }
    let last = variants.pop();
    let numbers = 0..variants.len();
    Ok(quote! {
        ::core::result::Result::Ok(match ::wasmill_sdk::__private::variant(&value, &[#(#names),*])? {
            #(#numbers => #name::#variants,)*
            _ => #name::#last,
        })
    })
}

/// `#[config(default)]`, `#[config(default = 64)]`, `#[config(rename = "type")]`.
#[derive(std::default::Default)]
struct Attributes {
    default: Option<Default>,
    rename: Option<String>,
}

enum Default {
    OfType,
    Value(Box<Expr>),
}

impl Attributes {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Attributes::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    let is_value = meta.input.peek(Token![=]);
                    let value =
                        if is_value { Default::Value(Box::new(meta.value()?.parse()?)) } else { Default::OfType };
                    found.default = Some(value);
                } else if meta.path.is_ident("rename") {
                    found.rename = Some(meta.value()?.parse::<LitStr>()?.value());
                } else {
                    return Err(meta.error("expected `default`, `default = value` or `rename = \"key\"`"));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

fn own_name(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

/// `EpochMs` to `epoch_ms`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, char) in name.chars().enumerate() {
        if char.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(char.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn error(input: &DeriveInput) -> String {
        expand(input).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_told_with_their_fix() {
        assert!(
            error(&parse_quote!(
                struct Config<'a> {
                    a: &'a str,
                }
            ))
            .contains("use `String` for text")
        );
        assert!(
            error(&parse_quote!(
                struct Config(i64);
            ))
            .contains("`struct Config { .. }`, or an enum")
        );
        assert!(
            error(&parse_quote!(
                enum Config {
                    A(i64),
                }
            ))
            .contains("variants without fields")
        );
        assert!(
            error(&parse_quote!(
                enum Config {}
            ))
            .contains("at least one variant")
        );
        assert!(
            error(&parse_quote!(
                struct Config {
                    #[config(skip)]
                    a: i64,
                }
            ))
            .contains("expected `default`")
        );
    }

    #[test]
    fn variants_are_written_in_snake_case() {
        assert_eq!(snake_case("EpochMs"), "epoch_ms");
        let code = expand(&parse_quote!(
            enum Config {
                AllowWhitespace,
                Reject,
            }
        ))
        .unwrap()
        .to_string();
        assert!(code.contains(r#"["allow_whitespace" , "reject"]"#), "{code}");
    }
}
