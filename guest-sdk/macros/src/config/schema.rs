//! What the derive writes down for the config's JSON Schema.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, ExprRange, ExprUnary, Field, Lit, LitStr, Meta, RangeLimits, UnOp};

use super::{Attributes, Default};

/// One key of a struct; `is_optional` where the struct has defaults for all of them.
pub(super) fn key(name: &str, field: &Field, attributes: &Attributes, is_optional: bool) -> TokenStream {
    let (ty, doc) = (&field.ty, comment(&field.attrs));
    let is_required = match (&attributes.default, is_optional) {
        (None, false) => {
            quote!(!::core::matches!(<#ty as ::wasmill_sdk::FromConfig>::SCHEMA, ::wasmill_sdk::Schema::Optional(_)))
        }
        _ => quote!(false),
    };
    let default = match &attributes.default {
        Some(Default::Value(value)) => option(json(value)),
        _ => option(None),
    };
    let (least, greatest) = attributes.range.as_ref().map_or((None, None), bounds);
    let (least, greatest) = (option(least), option(greatest));
    quote! {
        ::wasmill_sdk::SchemaKey {
            name: #name,
            doc: #doc,
            schema: <#ty as ::wasmill_sdk::FromConfig>::SCHEMA,
            is_required: #is_required,
            default: #default,
            range: (#least, #greatest),
        }
    }
}

/// A range in a sentence: "at least 1 and at most 100".
pub(super) fn sentence(range: &ExprRange) -> String {
    let shown = |end: &Expr| json(end).unwrap_or_else(|| quote!(#end).to_string());
    let least = range.start.as_deref().map(|start| format!("at least {}", shown(start)));
    let greatest = range.end.as_deref().map(|end| match range.limits {
        RangeLimits::Closed(_) => format!("at most {}", shown(end)),
        RangeLimits::HalfOpen(_) => format!("less than {}", shown(end)),
    });
    least.into_iter().chain(greatest).collect::<Vec<_>>().join(" and ")
}

/// The ends of a range as JSON. What ends before a number has no greatest one here: only the plugin knows what comes before it.
fn bounds(range: &ExprRange) -> (Option<String>, Option<String>) {
    let is_closed = matches!(range.limits, RangeLimits::Closed(_));
    let greatest = range.end.as_deref().filter(|_| is_closed).and_then(json);
    (range.start.as_deref().and_then(json), greatest)
}

/// A literal as JSON.
fn json(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Bool(boolean) => Some(boolean.value.to_string()),
            Lit::Int(integer) => Some(integer.base10_digits().to_owned()),
            Lit::Float(float) => Some(float.base10_digits().to_owned()),
            Lit::Str(text) => Some(quoted(&text.value())),
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => Some(format!("-{}", json(expr)?)),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|char| match char {
        '"' | '\\' => format!("\\{char}"),
        char if char.is_control() => format!("\\u{:04x}", u32::from(char)),
        char => char.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn option(text: Option<String>) -> TokenStream {
    match text {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    }
}

/// The text of `///` comments.
fn comment(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(LitStr::value(text).trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
