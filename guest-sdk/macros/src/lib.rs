//! The macros of `wasmill-sdk`; use them from there.
//!
//! They only look at syntax and write glue. What a type may be is checked by the SDK's traits, whose messages name the fix.

mod config;
mod field_enum;
mod fields;
mod output;
mod plugin;
mod structure;
mod words;

use proc_macro::TokenStream;

use plugin::Kind;

/// Makes a struct of the fields that a plugin reads. See the trait of the same name for the types a field may have.
///
/// | on a field | means |
/// |---|---|
/// | `#[field(path = "source.ip")]` | keys joined by dots, where the path is not the field's own name |
/// | `#[field(reverse_dns = "source.ip")]` | the name of the address at a path, which the host looks up before the call |
/// | `#[field(raw)]` | the whole payload |
/// | `#[field(time)]` | the event's time, `i64` nanoseconds since 1970 |
/// | `#[field(dynamic)]` | the fields that only the config names, as `Slots<'a>` |
#[proc_macro_derive(Fields, attributes(field))]
pub fn derive_fields(input: TokenStream) -> TokenStream {
    finish(syn::parse(input).and_then(|input| fields::expand(&input)))
}

/// Makes an enum of the words that a text field may have, so that a struct of fields can hold it. A text that is none of them does not fit.
///
/// Words are the variants in `snake_case`, or what `#[field(word = "WARN")]` says of one. They are told apart by case.
#[proc_macro_derive(FieldEnum, attributes(field))]
pub fn derive_field_enum(input: TokenStream) -> TokenStream {
    finish(syn::parse(input).and_then(|input| field_enum::expand(&input)))
}

/// Makes a struct of the fields that an enricher writes. See the trait of the same name for the types a field may have.
///
/// | on a field | means |
/// |---|---|
/// | `#[field(path = "metadata.region")]` | keys joined by dots, where the path is not the field's own name |
/// | `#[field(dynamic)]` | the fields that only the config names, as `&'a [Cell]` |
#[proc_macro_derive(Output, attributes(field))]
pub fn derive_output(input: TokenStream) -> TokenStream {
    finish(syn::parse(input).and_then(|input| output::expand(&input)))
}

/// Makes a struct of what the operator may write as a plugin's config or as a part of one, or an enum of the words for one key.
///
/// A struct's keys are its fields; any other key is an error, and an error names the place in the config. An enum's variants
/// have no fields and are written in `snake_case`. A part may be `bool`, an integer, `f64`, `String`, `Option`, `Vec`,
/// `BTreeMap<String, T>`, `Scalar`, or another type with this derive or its own `FromConfig`.
///
/// Keys, types, ranges, defaults that are literals, and the comments (`///`) of fields become a JSON Schema that the component carries:
/// `wasmill plugin inspect` prints it.
///
/// | on a field (or variant) | means |
/// |---|---|
/// | `#[config(default)]` | its type's default where the key is absent; on the struct: the struct's own default, for all keys |
/// | `#[config(default = 64)]` | this value where the key is absent |
/// | `#[config(range = 1..=100)]` | its number, or each number of its `Option` or `Vec`, is in this range |
/// | `#[config(rename = "type")]` | the key (or word), where it is not the field's own name |
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(input: TokenStream) -> TokenStream {
    finish(syn::parse(input).and_then(|input| config::expand(&input)))
}

/// Makes a validator of a function from fields (and a config) to a `Verdict` or a `Result<(), Rejection>`.
#[proc_macro_attribute]
pub fn validator(arguments: TokenStream, function: TokenStream) -> TokenStream {
    finish(plugin::expand(Kind::Validator, arguments.into(), function.into()))
}

/// Makes an enricher of a function from fields (and a config) to a struct that derives `Output`, or an `Option` of one.
///
/// Both parameters and the answer share a lifetime:
/// `fn name<'a>(log: Log<'a>, config: &'a Config) -> Out<'a>`.
#[proc_macro_attribute]
pub fn enricher(arguments: TokenStream, function: TokenStream) -> TokenStream {
    finish(plugin::expand(Kind::Enricher, arguments.into(), function.into()))
}

/// Makes an alerter of a function from fields (and a config) to an `Option<Alert>`, a `Vec<Alert>`, or another iterator of them.
#[proc_macro_attribute]
pub fn alerter(arguments: TokenStream, function: TokenStream) -> TokenStream {
    finish(plugin::expand(Kind::Alerter, arguments.into(), function.into()))
}

fn finish(expansion: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expansion.unwrap_or_else(syn::Error::into_compile_error).into()
}
