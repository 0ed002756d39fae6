//! `derive(Config)`: a struct is an object with no other keys than its fields, an enum is one of its variants' names.

mod schema;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, ExprLit, ExprRange, Fields, FieldsNamed, Ident, Lit, LitStr,
    Result, Token,
};

use crate::words::{own_name, snake_case};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        let message = "a config owns its values and has no parameters: use `String` for text";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let container = Attributes::parse(&input.attrs)?;
    let (read, schema) = match &input.data {
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
            const SCHEMA: &'static ::wasmill_sdk::Schema = &#schema;
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

fn structure(name: &Ident, fields: &FieldsNamed, container: &Attributes) -> Result<(TokenStream, TokenStream)> {
    let (mut keys, mut reads, mut schema) = (Vec::new(), Vec::new(), Vec::new());
    for field in &fields.named {
        let name = field.ident.as_ref().expect("the fields are named");
        let attributes = Attributes::parse(&field.attrs)?;
        let key = attributes.rename.clone().unwrap_or_else(|| own_name(name));
        let read = match &attributes.default {
            Some(Default::OfType) => quote!(take_or(#key, ::core::default::Default::default)),
            Some(Default::Value(value)) if is_text(value) => {
                quote!(take_or(#key, || ::core::convert::Into::into(#value)))
            }
            Some(Default::Value(value)) => quote!(take_or(#key, || #value)),
            None if container.default.is_some() => quote!(take_or(#key, || default.#name)),
            None => quote!(take(#key)),
        };
        reads.push(match &attributes.range {
            None => quote!(#name: object.#read?),
            Some(range) => {
                let bounds = schema::sentence(range);
                quote!(#name: ::wasmill_sdk::__private::ranged(object.#read?, &(#range), #key, #bounds)?)
            }
        });
        schema.push(schema::key(&key, field, &attributes, container.default.is_some()));
        keys.push(key);
    }
    let default = match &container.default {
        None => None,
        Some(Default::OfType) => Some(quote!(let default: #name = ::core::default::Default::default();)),
        Some(Default::Value(value)) => Some(quote!(let default: #name = #value;)),
    };
    let read = quote! {
        let mut object = ::wasmill_sdk::__private::Object::new(value, &[#(#keys),*])?;
        #default
        ::core::result::Result::Ok(#name { #(#reads),* })
    };
    Ok((read, quote!(::wasmill_sdk::Schema::Object(&[#(#schema),*]))))
}

fn is_text(value: &Expr) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))
}

fn enumeration(name: &Ident, data: &DataEnum) -> Result<(TokenStream, TokenStream)> {
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
    let schema = quote!(::wasmill_sdk::Schema::Words(&[#(#names),*]));
    let read = quote! {
        ::core::result::Result::Ok(match ::wasmill_sdk::__private::variant(&value, &[#(#names),*])? {
            #(#numbers => #name::#variants,)*
            _ => #name::#last,
        })
    };
    Ok((read, schema))
}

/// `#[config(default)]`, `#[config(default = 64)]`, `#[config(rename = "type")]`, `#[config(range = 1..=100)]`.
#[derive(std::default::Default)]
struct Attributes {
    default: Option<Default>,
    rename: Option<String>,
    range: Option<ExprRange>,
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
                } else if meta.path.is_ident("range") {
                    found.range = Some(parse_range(&meta.value()?.parse()?)?);
                } else {
                    return Err(
                        meta.error("expected `default`, `default = value`, `rename = \"key\"` or `range = 1..=100`")
                    );
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

fn parse_range(value: &Expr) -> Result<ExprRange> {
    match value {
        Expr::Range(range) if range.start.is_some() || range.end.is_some() => Ok(range.clone()),
        other => Err(Error::new_spanned(other, "a range has at least one end: `1..=100`, `1..` or `..=0.5`")),
    }
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
