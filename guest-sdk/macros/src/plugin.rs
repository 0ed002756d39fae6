//! `#[validator]`, `#[enricher]`, `#[alerter]`: the function stays as it is; beside it comes a type of its name that the SDK
//! runs, and under wasm32 the component's exports.

use proc_macro2::{Group, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, Result, ReturnType, Type};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Validator,
    Enricher,
    Alerter,
}

pub(crate) fn expand(kind: Kind, arguments: TokenStream, function: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        let message = format!("`#[{}]` takes no arguments: the config is the function's second parameter", kind.word());
        return Err(Error::new_spanned(arguments, message));
    }
    let item: ItemFn = syn::parse2(function.clone())
        .map_err(|why| Error::new(why.span(), format!("`#[{}]` stands on a function: {why}", kind.word())))?;
    let signature = Signature::parse(kind, &item)?;
    let plugin = plugin(kind, &item, &signature);
    let run = run(kind, &item.sig.ident, &signature);
    let exports = exports(kind, &item.sig.ident);
    Ok(quote! { #item #plugin #run #exports })
}

/// What the function takes and answers. The types have `'_` for every lifetime but `'static`.
struct Signature {
    fields: TokenStream,
    settings: Option<TokenStream>,
    answer: TokenStream,
}

impl Signature {
    fn parse(kind: Kind, item: &ItemFn) -> Result<Self> {
        let signature = &item.sig;
        if let Some(keyword) = &signature.asyncness {
            return Err(Error::new_spanned(keyword, "a plugin's function has nothing to wait for: remove `async`"));
        }
        if let Some(parameter) = signature.generics.type_params().next() {
            return Err(Error::new_spanned(parameter, "a plugin's function has no type parameters: name the types"));
        }
        let ReturnType::Type(_, answer) = &signature.output else {
            return Err(Error::new_spanned(&signature.ident, format!("write what it answers: {}", kind.example())));
        };
        if let (Kind::Enricher, Type::ImplTrait(_)) = (kind, answer.as_ref()) {
            return Err(Error::new_spanned(answer, format!("name the type it answers: {}", kind.example())));
        }
        let mut inputs = signature.inputs.iter();
        let (fields, settings) = (inputs.next(), inputs.next());
        if let Some(third) = inputs.next() {
            let message = format!("it takes the fields and at most a config: {}", kind.example());
            return Err(Error::new_spanned(third, message));
        }
        Ok(Signature {
            fields: fields_type(kind, fields, &signature.ident)?,
            settings: settings.map(|settings| settings_type(kind, settings)).transpose()?,
            answer: erase_lifetimes(quote!(#answer)),
        })
    }
}

fn fields_type(kind: Kind, input: Option<&FnArg>, function: &Ident) -> Result<TokenStream> {
    let wrong = |place: TokenStream| {
        Error::new_spanned(place, format!("its first parameter is the fields, by value: {}", kind.example()))
    };
    match input {
        Some(FnArg::Typed(parameter)) if !matches!(*parameter.ty, Type::Reference(_)) => {
            let ty = &parameter.ty;
            Ok(erase_lifetimes(quote!(#ty)))
        }
        Some(input) => Err(wrong(quote!(#input))),
        None => Err(wrong(quote!(#function))),
    }
}

fn settings_type(kind: Kind, input: &FnArg) -> Result<TokenStream> {
    match input {
        FnArg::Typed(parameter) => match parameter.ty.as_ref() {
            Type::Reference(reference) if reference.mutability.is_none() => {
                let ty = &reference.elem;
                Ok(quote!(#ty))
            }
            ty => {
                let message = format!("its second parameter is the config, by reference: {}", kind.example());
                Err(Error::new_spanned(ty, message))
            }
        },
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a plugin's function has no `self`")),
    }
}

/// The type that has the function's name.
fn plugin(kind: Kind, item: &ItemFn, signature: &Signature) -> TokenStream {
    let (visibility, name) = (&item.vis, &item.sig.ident);
    let Signature { fields, settings, answer } = signature;
    let none = quote!(::wasmill_sdk::__private::NoConfig);
    let settings = settings.as_ref().unwrap_or(&none);
    let columnar = |ty: &TokenStream, of: TokenStream| {
        quote! {
            ::wasmill_sdk::__private::Columnar {
                fixed: <#ty as ::wasmill_sdk::#of<'_>>::FIELDS,
                dynamic: <#ty as ::wasmill_sdk::#of<'_>>::DYNAMIC,
            }
        }
    };
    let reads = columnar(fields, quote!(Fields));
    let writes = match kind {
        Kind::Enricher => columnar(answer, quote!(Output)),
        _ => quote!(::wasmill_sdk::__private::Columnar::NONE),
    };
    let can_require = matches!(kind, Kind::Validator);
    let documentation = format!("The {} of the function of this name, for `wasmill_sdk::Loaded`.", kind.word());
    quote! {
        #[doc = #documentation]
        #[allow(non_camel_case_types, reason = "it has the function's name")]
        #visibility enum #name {}

        #[automatically_derived]
        impl ::wasmill_sdk::Plugin for #name {
            type Settings = #settings;
            const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
            fn shape() -> ::wasmill_sdk::__private::Shape {
                ::wasmill_sdk::__private::Shape { reads: #reads, writes: #writes, can_require: #can_require }
            }
            fn loaded() -> &'static ::std::sync::OnceLock<::wasmill_sdk::Loaded<Self>> {
                static LOADED: ::std::sync::OnceLock<::wasmill_sdk::Loaded<#name>> = ::std::sync::OnceLock::new();
                &LOADED
            }
        }

        // Two of these clash: a crate has one plugin, of one kind.
        #[doc(hidden)]
        mod a_wasmill_plugin_crate_has_one_validator_enricher_or_alerter {}
    }
}

/// The loop over a batch.
fn run(kind: Kind, name: &Ident, signature: &Signature) -> TokenStream {
    let Signature { fields, settings, answer } = signature;
    let settings = settings.as_ref().map(|_| quote!(, settings));
    // At the place of the answer, so that a wrong type is shown there; as the macro's code, so that no lint is.
    let place = Span::call_site().located_at(answer.span());
    let call = quote_spanned!(place=> |fields| #name(fields #settings));
    match kind {
        Kind::Validator => quote! {
            #[automatically_derived]
            impl ::wasmill_sdk::Validator for #name {
                fn validate(view: &::wasmill_sdk::__private::View<'_>, settings: &Self::Settings) -> ::wasmill_sdk::Verdicts {
                    let _ = settings;
                    ::wasmill_sdk::__private::run::validate::<#fields, _>(view, settings, #call)
                }
            }
        },
        Kind::Enricher => quote! {
            #[automatically_derived]
            impl ::wasmill_sdk::Enricher for #name {
                fn enrich<'a>(
                    view: &'a ::wasmill_sdk::__private::View<'a>,
                    settings: &'a Self::Settings,
                    writer: &mut ::wasmill_sdk::Writer<'a>,
                ) {
                    let _ = settings;
                    ::wasmill_sdk::__private::run::enrich::<#fields, _>(view, writer, #call)
                }
            }
        },
        Kind::Alerter => quote! {
            #[automatically_derived]
            impl ::wasmill_sdk::Alerter for #name {
                fn evaluate(view: &::wasmill_sdk::__private::View<'_>, settings: &Self::Settings) -> ::wasmill_sdk::Evaluation {
                    let _ = settings;
                    ::wasmill_sdk::__private::run::evaluate::<#fields, _>(view, #call)
                }
            }
        },
    }
}

fn exports(kind: Kind, name: &Ident) -> TokenStream {
    let module = Ident::new(kind.word(), Span::call_site());
    let export = format_ident!("__export_exports_{}_impl", kind.word());
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = ::wasmill_sdk::__private::Exported<#name>;
            ::wasmill_sdk::__export_exports_plugin_impl!(Exported with_types_in ::wasmill_sdk::__private::bindings::plugin);
            ::wasmill_sdk::#export!(Exported with_types_in ::wasmill_sdk::__private::bindings::#module);
        };

        // Natively only tests call the plugin: it is no dead code.
        #[cfg(not(target_arch = "wasm32"))]
        const _: ::core::marker::PhantomData<#name> = ::core::marker::PhantomData;
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Validator => "validator",
            Kind::Enricher => "enricher",
            Kind::Alerter => "alerter",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Kind::Validator => "`fn name(log: Log<'_>, config: &Config) -> Verdict`",
            Kind::Enricher => "`fn name<'a>(log: Log<'a>, config: &'a Config) -> Out<'a>`",
            Kind::Alerter => "`fn name(log: Log<'_>, config: &Config) -> Option<Alert>`",
        }
    }
}

/// The same type with `'_` for every lifetime but `'static`: the function's lifetimes have no name outside it.
fn erase_lifetimes(ty: TokenStream) -> TokenStream {
    let mut erased = Vec::new();
    let mut tokens = ty.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(quote) if quote.as_char() == '\'' => {
                let name = match tokens.next() {
                    Some(TokenTree::Ident(name)) if name == "static" => name,
                    _ => Ident::new("_", quote.span()),
                };
                erased.extend([TokenTree::Punct(Punct::new('\'', Spacing::Joint)), TokenTree::Ident(name)]);
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), erase_lifetimes(group.stream()));
                inner.set_span(group.span());
                erased.push(TokenTree::Group(inner));
            }
            token => erased.push(token),
        }
    }
    erased.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind, function: TokenStream) -> String {
        expand(kind, TokenStream::new(), function).unwrap_err().to_string()
    }

    #[test]
    fn lifetimes_are_erased_except_static() {
        let erased = erase_lifetimes(quote!(Option<Out<'a, &'static str, (Log<'b>,)>>));
        assert_eq!(erased.to_string(), quote!(Option<Out<'_, &'static str, (Log<'_>,)>>).to_string());
    }

    #[test]
    fn wrong_signatures_are_told_with_a_right_one() {
        let example = "fn name(log: Log<'_>, config: &Config) -> Verdict";
        for wrong in [
            quote!(
                fn judge() -> Verdict {}
            ),
            quote!(
                fn judge(log: &Log<'_>) -> Verdict {}
            ),
            quote!(
                fn judge(log: Log<'_>, config: Config) -> Verdict {}
            ),
            quote!(
                fn judge(log: Log<'_>, config: &mut Config) -> Verdict {}
            ),
            quote!(
                fn judge(log: Log<'_>, config: &Config, more: i64) -> Verdict {}
            ),
            quote!(
                fn judge(log: Log<'_>) {}
            ),
        ] {
            let message = error(Kind::Validator, wrong.clone());
            assert!(message.contains(example), "{wrong}: {message}");
        }
    }

    #[test]
    fn what_is_no_plain_function_is_refused() {
        assert!(
            error(
                Kind::Alerter,
                quote!(
                    struct Log;
                )
            )
            .contains("`#[alerter]` stands on a function")
        );
        assert!(
            error(
                Kind::Alerter,
                quote!(
                    async fn f(log: Log) -> Option<Alert> {}
                )
            )
            .contains("remove `async`")
        );
        assert!(
            error(
                Kind::Alerter,
                quote!(
                    fn f<T>(log: T) -> Option<Alert> {}
                )
            )
            .contains("no type parameters")
        );
        assert!(
            error(
                Kind::Enricher,
                quote!(
                    fn f(log: Log) -> impl Output {}
                )
            )
            .contains("name the type it answers")
        );
        let arguments = expand(
            Kind::Validator,
            quote!(strict),
            quote!(
                fn f(log: Log) -> Verdict {}
            ),
        )
        .unwrap_err();
        assert!(arguments.to_string().contains("takes no arguments"));
    }
}
