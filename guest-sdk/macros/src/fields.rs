//! `derive(Fields)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::structure::{Role, Structure};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let structure = Structure::parse(input, "Fields")?;
    let Structure { name, lifetime, arguments, fields } = &structure;
    let dynamic = structure.is_dynamic();

    let mut columns = Vec::new();
    let mut reads = Vec::new();
    for field in fields {
        let (name, ty, number) = (field.name, field.ty, columns.len());
        let read = match &field.role {
            Role::Path(path) => {
                columns.push(quote! {
                    ::wasmill_sdk::__private::FixedField {
                        path: #path,
                        kind: <#ty as ::wasmill_sdk::FromSlot<#lifetime>>::KIND,
                        required: <#ty as ::wasmill_sdk::FromSlot<#lifetime>>::REQUIRED,
                        noun: <#ty as ::wasmill_sdk::FromSlot<#lifetime>>::NOUN,
                        lookup: ::core::option::Option::None,
                    }
                });
                quote!(reader.field::<#number, #ty>()?)
            }
            Role::ReverseDns(path) => {
                columns.push(quote! {
                    ::wasmill_sdk::__private::FixedField {
                        path: #path,
                        kind: ::wasmill_sdk::Kind::Text,
                        required: {
                            ::core::assert!(
                                !<#ty as ::wasmill_sdk::FromSlot<#lifetime>>::REQUIRED,
                                "an address may have no name: make the field an `Option<&str>`"
                            );
                            false
                        },
                        noun: ::wasmill_sdk::Kind::Text.noun(),
                        lookup: ::core::option::Option::Some(::wasmill_sdk::Lookup::ReverseDns),
                    }
                });
                quote!(reader.field::<#number, #ty>()?)
            }
            Role::Raw => {
                columns.push(quote! {
                    ::wasmill_sdk::__private::FixedField {
                        path: "",
                        kind: ::wasmill_sdk::Kind::Raw,
                        required: false,
                        noun: ::wasmill_sdk::Kind::Raw.noun(),
                        lookup: ::core::option::Option::None,
                    }
                });
                quote!(reader.raw::<#number, #ty>()?)
            }
            Role::Time => quote!(reader.time_ns()),
            Role::Dynamic => quote!(reader.dynamic()),
        };
        reads.push(quote!(#name: #read));
    }

    Ok(quote! {
        #[automatically_derived]
        impl<#lifetime> ::wasmill_sdk::Fields<#lifetime> for #name #arguments {
            const FIELDS: &'static [::wasmill_sdk::__private::FixedField] = &[#(#columns),*];
            const DYNAMIC: bool = #dynamic;
            #[inline(always)]
            fn read(
                reader: ::wasmill_sdk::Reader<#lifetime, Self>,
            ) -> ::core::result::Result<Self, ::wasmill_sdk::__private::Unfit> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn error(input: &DeriveInput) -> String {
        expand(input).unwrap_err().to_string()
    }

    #[test]
    fn a_field_is_read_by_its_own_name_or_its_path() {
        let expansion = expand(&parse_quote! {
            struct Log<'a> { r#type: &'a str, #[field(path = "source.ip")] ip: Option<&'a str> }
        });
        let code = expansion.unwrap().to_string();
        assert!(code.contains(r#"path : "type""#) && code.contains(r#"path : "source.ip""#), "{code}");
    }

    #[test]
    fn a_look_up_is_a_text_that_is_not_required() {
        let expansion = expand(&parse_quote! {
            struct Log<'a> { #[field(reverse_dns = "source.ip")] host: Option<&'a str> }
        });
        let code = expansion.unwrap().to_string();
        assert!(code.contains(r#"path : "source.ip""#) && code.contains("Lookup :: ReverseDns"), "{code}");
        assert!(
            error(&parse_quote!(
                struct Log<'a> {
                    #[field(reverse_dns = "a..b")]
                    host: Option<&'a str>,
                }
            ))
            .contains("none of them is empty")
        );
    }

    #[test]
    fn mistakes_are_told_with_their_fix() {
        assert!(
            error(&parse_quote!(
                enum Log {}
            ))
            .contains("stands on a struct")
        );
        assert!(
            error(&parse_quote!(
                struct Log(i64);
            ))
            .contains("struct with named fields: `struct Log { .. }`")
        );
        assert!(
            error(&parse_quote!(
                struct Log<T> {
                    a: T,
                }
            ))
            .contains("no type parameters")
        );
        assert!(
            error(&parse_quote!(
                struct Log<'a, 'b> {
                    a: &'a str,
                    b: &'b str,
                }
            ))
            .contains("one lifetime")
        );
        assert!(
            error(&parse_quote!(
                struct Log {
                    #[field(name = "x")]
                    a: i64,
                }
            ))
            .contains("expected `path = \"a.b\"`")
        );
        assert!(
            error(&parse_quote!(
                struct Log {
                    #[field(raw, time)]
                    a: i64,
                }
            ))
            .contains("a field is one of")
        );
        assert!(
            error(&parse_quote!(
                struct Log {
                    #[field(path = "a..b")]
                    a: i64,
                }
            ))
            .contains("none of them is empty")
        );
        assert!(
            error(&parse_quote!(
                struct Log {
                    #[field(path = "")]
                    a: i64,
                }
            ))
            .contains("none of them is empty")
        );
        assert!(
            error(&parse_quote!(
                struct Log {
                    #[field(path = "a\\b")]
                    a: i64,
                }
            ))
            .contains("a backslash in a path")
        );
        let twice = parse_quote!(
            struct Log<'a> {
                #[field(dynamic)]
                a: Slots<'a>,
                #[field(dynamic)]
                b: Slots<'a>,
            }
        );
        assert!(error(&twice).contains("one `#[field(dynamic)]` field"));
    }
}
