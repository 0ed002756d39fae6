//! What `derive(Fields)` and `derive(Output)` have in common: a struct with named fields and `#[field(...)]` on them.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, Lifetime, LitStr, Result, Type};

use crate::words::own_name;

/// A struct that a derive stands on.
pub(crate) struct Structure<'i> {
    pub(crate) name: &'i Ident,
    /// The struct's own lifetime, or one made up.
    pub(crate) lifetime: Lifetime,
    /// `<'a>` where the struct has a lifetime.
    pub(crate) arguments: TokenStream,
    pub(crate) fields: Vec<Column<'i>>,
}

/// One of its fields.
pub(crate) struct Column<'i> {
    pub(crate) name: &'i Ident,
    pub(crate) ty: &'i Type,
    pub(crate) role: Role,
}

/// What a field stands for.
pub(crate) enum Role {
    Path(String),
    ReverseDns(String),
    Raw,
    Time,
    Dynamic,
}

impl<'i> Structure<'i> {
    pub(crate) fn parse(input: &'i DeriveInput, derive: &str) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(&input.ident, format!("`derive({derive})` stands on a struct")));
        };
        let Fields::Named(named) = &data.fields else {
            let message =
                format!("`derive({derive})` stands on a struct with named fields: `struct {} {{ .. }}`", input.ident);
            return Err(Error::new_spanned(&input.ident, message));
        };
        let lifetime = lifetime(input, derive)?;
        let arguments = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>)).unwrap_or_default();
        let fields: Vec<Column<'i>> = named.named.iter().map(column).collect::<Result<_>>()?;
        if let Some(second) = fields.iter().filter(|field| matches!(field.role, Role::Dynamic)).nth(1) {
            return Err(Error::new_spanned(second.name, "a struct has one `#[field(dynamic)]` field"));
        }
        let lifetime = lifetime.unwrap_or_else(|| Lifetime::new("'__batch", Span::call_site()));
        Ok(Structure { name: &input.ident, lifetime, arguments, fields })
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.role, Role::Dynamic))
    }
}

fn lifetime(input: &DeriveInput, derive: &str) -> Result<Option<Lifetime>> {
    if let Some(parameter) = input.generics.type_params().next() {
        let message = format!("a `derive({derive})` struct has no type parameters: name the types of its fields");
        return Err(Error::new_spanned(parameter, message));
    }
    if let Some(parameter) = input.generics.const_params().next() {
        return Err(Error::new_spanned(parameter, format!("a `derive({derive})` struct has no const parameters")));
    }
    let mut lifetimes = input.generics.lifetimes();
    let first = lifetimes.next().map(|parameter| parameter.lifetime.clone());
    match lifetimes.next() {
        Some(second) => {
            let message = format!("a `derive({derive})` struct has one lifetime, that of the batch: use the first one");
            Err(Error::new_spanned(second, message))
        }
        None => Ok(first),
    }
}

fn column(field: &syn::Field) -> Result<Column<'_>> {
    let name = field.ident.as_ref().expect("the fields are named");
    let mut role = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            let found = if meta.path.is_ident("path") {
                Role::Path(checked_path(&meta.value()?.parse()?)?)
            } else if meta.path.is_ident("reverse_dns") {
                Role::ReverseDns(checked_path(&meta.value()?.parse()?)?)
            } else if meta.path.is_ident("raw") {
                Role::Raw
            } else if meta.path.is_ident("time") {
                Role::Time
            } else if meta.path.is_ident("dynamic") {
                Role::Dynamic
            } else {
                return Err(
                    meta.error("expected `path = \"a.b\"`, `reverse_dns = \"a.b\"`, `raw`, `time` or `dynamic`")
                );
            };
            match role.replace(found) {
                Some(_) => Err(meta.error("a field is one of `path`, `reverse_dns`, `raw`, `time` and `dynamic`")),
                None => Ok(()),
            }
        })?;
    }
    let role = role.unwrap_or_else(|| Role::Path(own_name(name)));
    Ok(Column { name, ty: &field.ty, role })
}

/// Keys joined by dots, none of them empty, each backslash before a dot or a backslash.
fn checked_path(path: &LitStr) -> Result<String> {
    let text = path.value();
    let mut key_is_empty = true;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '.' if key_is_empty => break,
            '.' => key_is_empty = true,
            '\\' if !matches!(chars.next(), Some('.' | '\\')) => {
                return Err(Error::new_spanned(path, "a backslash in a path stands before a dot or a backslash"));
            }
            _ => key_is_empty = false,
        }
    }
    if key_is_empty {
        return Err(Error::new_spanned(path, "a path is keys joined by dots, and none of them is empty"));
    }
    Ok(text)
}
