//! `#[validator]`, `#[enricher]`, `#[alerter]`: the function stays as it is; beside it comes a type of its name that the SDK
//! runs, and under wasm32 the component's exports.

use proc_macro2::{Group, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, LitInt, Result, ReturnType, Token, Type};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Validator,
    Enricher,
    Alerter,
    /// Takes the events of a batch at once.
    StatefulAlerter,
}

pub(crate) fn expand(kind: Kind, arguments: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let item: ItemFn = syn::parse2(function.clone())
        .map_err(|why| Error::new(why.span(), format!("`#[{}]` stands on a function: {why}", kind.word())))?;
    let signature = Signature::parse(kind, &item, arguments)?;
    let plugin = plugin(kind, &item, &signature);
    let run = run(kind, &item.sig.ident, &signature);
    let exports = exports(kind, &item.sig.ident);
    Ok(quote! { #item #plugin #run #exports })
}

/// What stands in the attribute's parentheses.
#[derive(Default)]
struct Arguments {
    /// The schema version of the plugin's state.
    state: Option<LitInt>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            let wrong =
                || Error::new(name.span(), "it takes `state = 1`, the version of what the plugin stores, or nothing");
            if name != "state" || arguments.state.is_some() {
                return Err(wrong());
            }
            input.parse::<Token![=]>().map_err(|_| wrong())?;
            arguments.state = Some(input.parse().map_err(|_| wrong())?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

/// What the function takes and answers. The types have `'_` for every lifetime but `'static`.
struct Signature {
    /// Of a function with state, the events.
    fields: TokenStream,
    /// The schema version.
    state: Option<LitInt>,
    settings: Option<TokenStream>,
    answer: TokenStream,
}

impl Signature {
    fn parse(kind: Kind, item: &ItemFn, arguments: Arguments) -> Result<Self> {
        let signature = &item.sig;
        let kind = match (&arguments.state, kind) {
            (Some(_), Kind::Alerter) => Kind::StatefulAlerter,
            (Some(version), _) => {
                return Err(Error::new_spanned(
                    version,
                    "only an alerter takes `state`: remove it, or write `#[wasmill_sdk::alerter(state = 1)]`",
                ));
            }
            (None, kind) => kind,
        };
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
        let fields = inputs.next();
        if arguments.state.is_some() && !inputs.next().is_some_and(is_mutable) {
            let message = format!("its second parameter is the state, by `&mut`: {}", kind.example());
            return Err(Error::new_spanned(&signature.ident, message));
        }
        let settings = inputs.next();
        if let Some(more) = inputs.next() {
            let message = format!("after these it takes at most a config: {}", kind.example());
            return Err(Error::new_spanned(more, message));
        }
        Ok(Signature {
            fields: fields_type(kind, fields, &signature.ident)?,
            state: arguments.state,
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

fn is_mutable(input: &FnArg) -> bool {
    match input {
        FnArg::Typed(parameter) => {
            matches!(parameter.ty.as_ref(), Type::Reference(reference) if reference.mutability.is_some())
        }
        FnArg::Receiver(_) => false,
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
                let message = format!("the config comes by reference: {}", kind.example());
                Err(Error::new_spanned(ty, message))
            }
        },
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a plugin's function has no `self`")),
    }
}

/// The type that has the function's name.
fn plugin(kind: Kind, item: &ItemFn, signature: &Signature) -> TokenStream {
    let (visibility, name) = (&item.vis, &item.sig.ident);
    let Signature { fields, state, settings, answer } = signature;
    let none = quote!(::wasmill_sdk::__private::NoConfig);
    let settings = settings.as_ref().unwrap_or(&none);
    let columnar =
        |ty: TokenStream| quote!(::wasmill_sdk::__private::Columnar { fixed: <#ty>::FIELDS, dynamic: <#ty>::DYNAMIC });
    let reads = columnar(match state {
        None => quote!(#fields as ::wasmill_sdk::Fields<'_>),
        Some(_) => fields.clone(),
    });
    let version = match state {
        None => quote!(::core::option::Option::None),
        Some(version) => quote!(::core::option::Option::Some(#version)),
    };
    let writes = match kind {
        Kind::Enricher => columnar(quote!(#answer as ::wasmill_sdk::Output<'_>)),
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
            const STATE: ::core::option::Option<u32> = #version;
            fn shape() -> ::wasmill_sdk::__private::Shape {
                ::wasmill_sdk::__private::Shape { reads: #reads, writes: #writes, can_require: #can_require }
            }
            fn place() -> &'static ::wasmill_sdk::__private::Place<Self> {
                static PLACE: ::wasmill_sdk::__private::Place<#name> = ::wasmill_sdk::__private::Place::new();
                &PLACE
            }
        }

        // Two of these clash: a crate has one plugin, of one kind. The compiler's message has nothing of ours but the name.
        #[doc(hidden)]
        #[allow(non_snake_case, reason = "two sentences")]
        mod a_crate_is_one_wasmill_plugin__move_the_second_function_to_a_crate_of_its_own {}
    }
}

/// The loop over a batch.
fn run(kind: Kind, name: &Ident, signature: &Signature) -> TokenStream {
    let Signature { fields, state, settings, answer } = signature;
    let settings = settings.as_ref().map(|_| quote!(, settings));
    // At the place of the answer, so that a wrong type is shown there; as the macro's code, so that no lint is.
    let place = Span::call_site().located_at(answer.span());
    let call = quote_spanned!(place=> |fields| #name(fields #settings));
    let host = quote!(&::wasmill_sdk::state::Host);
    let (what_fits, evaluate) = match state {
        None => {
            let call = quote_spanned!(place=> |fields| alerts(#name(fields #settings)));
            (Some(alerts()), quote!(::wasmill_sdk::__private::run::evaluate::<#fields, _>(view, #call)))
        }
        Some(_) => {
            let call = quote_spanned!(place=> |events, state| #name(events, state #settings));
            (None, quote!(::wasmill_sdk::__private::run::evaluate_batch(view, host, #call)))
        }
    };
    match kind {
        Kind::Validator => quote! {
            #[automatically_derived]
            impl ::wasmill_sdk::Validator for #name {
                fn validate(
                    view: &::wasmill_sdk::__private::View<'_>,
                    settings: &Self::Settings,
                    _: #host,
                ) -> ::wasmill_sdk::Verdicts {
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
                    _: #host,
                    writer: &mut ::wasmill_sdk::Writer<'a>,
                ) {
                    let _ = settings;
                    ::wasmill_sdk::__private::run::enrich::<#fields, _>(view, writer, #call)
                }
            }
        },
        Kind::Alerter | Kind::StatefulAlerter => quote! {
            #[automatically_derived]
            impl ::wasmill_sdk::Alerter for #name {
                fn evaluate(
                    view: &::wasmill_sdk::__private::View<'_>,
                    settings: &Self::Settings,
                    host: #host,
                ) -> ::wasmill_sdk::Evaluation {
                    #what_fits
                    let _ = (settings, host);
                    #evaluate
                }
            }
        },
    }
}

/// What an alerter's function may answer: anything else is told in the words of plugins, not of iterators.
fn alerts() -> TokenStream {
    quote! {
        #[diagnostic::on_unimplemented(
            message = "an alerter's function cannot answer `{Self}`",
            label = "no alerts",
            note = "write `-> Option<wasmill_sdk::Alert>`, or `-> Vec<wasmill_sdk::Alert>` for more than one of an event"
        )]
        trait Alerts {
            type All: ::core::iter::IntoIterator<Item = ::wasmill_sdk::Alert>;
            fn all(self) -> Self::All;
        }
        #[diagnostic::do_not_recommend]
        impl<All: ::core::iter::IntoIterator<Item = ::wasmill_sdk::Alert>> Alerts for All {
            type All = All;
            fn all(self) -> All {
                self
            }
        }
        // What it gives is one of alerts whatever it is given, so that the compiler tells the mistake once.
        fn alerts<All: Alerts>(answer: All) -> impl ::core::iter::IntoIterator<Item = ::wasmill_sdk::Alert> {
            answer.all()
        }
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

            // What the config may be, to be read without running the plugin.
            const SCHEMA: &::wasmill_sdk::Schema =
                <<<#name as ::wasmill_sdk::Plugin>::Settings as ::wasmill_sdk::Prepare>::Config as ::wasmill_sdk::FromConfig>::SCHEMA;
            const LENGTH: usize = ::wasmill_sdk::__private::length(SCHEMA);
            #[used]
            #[allow(unsafe_code)]
            #[unsafe(link_section = "wasmill:config-schema")]
            static SECTION: [u8; LENGTH] = ::wasmill_sdk::__private::json(SCHEMA);
            #[used]
            #[allow(unsafe_code)]
            #[unsafe(link_section = "wasmill:sdk")]
            static SDK: [u8; ::wasmill_sdk::__private::SDK.len()] = *::wasmill_sdk::__private::SDK;
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
            Kind::Alerter | Kind::StatefulAlerter => "alerter",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Kind::Validator => "`fn name(log: Log<'_>, config: &Config) -> Verdict`",
            Kind::Enricher => "`fn name<'a>(log: Log<'a>, config: &'a Config) -> Out<'a>`",
            Kind::Alerter => "`fn name(log: Log<'_>, config: &Config) -> Option<Alert>`",
            Kind::StatefulAlerter => {
                "`fn name(logs: Events<'_, Log<'_>>, state: &mut State<'_>, config: &Config) -> Evaluation`"
            }
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
        assert!(arguments.to_string().contains("it takes `state = 1`"));
    }
}
