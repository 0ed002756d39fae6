//! `derive(Output)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Result};

use crate::structure::{Role, Structure};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let structure = Structure::parse(input, "Output")?;
    let Structure { name, lifetime, arguments, fields } = &structure;
    let is_dynamic = structure.is_dynamic();

    let mut columns = Vec::new();
    let mut puts = Vec::new();
    let mut dynamic = None;
    for field in fields {
        let (name, ty) = (field.name, field.ty);
        match &field.role {
            Role::Path(path) => {
                columns.push(quote! {
                    ::wasmill_sdk::__private::FixedField {
                        path: #path,
                        kind: <#ty as ::wasmill_sdk::Written<#lifetime>>::KIND,
                        required: false,
                        noun: "",
                        lookup: ::core::option::Option::None,
                    }
                });
                puts.push(quote!(::wasmill_sdk::Written::<#lifetime>::put(self.#name, writer)));
            }
            Role::Dynamic => dynamic = Some(name),
            Role::Raw | Role::Time => {
                return Err(Error::new_spanned(
                    name,
                    "an output has neither the payload nor the event's time to write",
                ));
            }
            Role::ReverseDns(_) => {
                return Err(Error::new_spanned(name, "names are looked up for fields that are read"));
            }
        }
    }
    let write = match dynamic {
        Some(name) => quote!(::wasmill_sdk::Cells::<#lifetime>::write(self.#name, fixed, writer)),
        None => quote!(writer.event(fixed, &[])),
    };

    Ok(quote! {
        #[automatically_derived]
        impl<#lifetime> ::wasmill_sdk::Output<#lifetime> for #name #arguments {
            const FIELDS: &'static [::wasmill_sdk::__private::FixedField] = &[#(#columns),*];
            const DYNAMIC: bool = #is_dynamic;
            #[inline(always)]
            fn write(self, writer: &mut ::wasmill_sdk::Writer<#lifetime>) {
                let fixed = [#(#puts),*];
                #write;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn the_payload_and_the_time_cannot_be_written() {
        for input in [
            parse_quote!(
                struct Out {
                    #[field(raw)]
                    a: i64,
                }
            ),
            parse_quote!(
                struct Out {
                    #[field(time)]
                    a: i64,
                }
            ),
        ] {
            assert!(expand(&input).unwrap_err().to_string().contains("neither the payload nor the event's time"));
        }
    }

    #[test]
    fn fields_that_the_config_names_are_written_last() {
        let code = expand(&parse_quote!(
            struct Out<'a> {
                #[field(dynamic)]
                more: &'a [Cell],
                env: &'a str,
            }
        ))
        .unwrap();
        let code = code.to_string();
        assert!(code.find("self . env").unwrap() < code.find("self . more").unwrap(), "{code}");
    }
}
