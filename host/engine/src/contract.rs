//! What a component is, read from its type alone, before anything of it runs: which kinds it exports, of which version of the
//! interface, and what it imports.

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex};

use crate::error::Reason;
use crate::wasi::{BASELINE, LINES};

/// The version of the plugin interface that this host speaks.
pub const INTERFACE_VERSION: &str = "0.1.0";
const PACKAGE: &str = "wasmill:plugin/";

/// The name of one of our interfaces in the version that we speak.
pub(crate) fn interface(name: &str) -> String {
    format!("{PACKAGE}{name}@{INTERFACE_VERSION}")
}

/// The kinds of a plugin. One component may be of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kinds {
    /// It says which events are taken.
    pub validator: bool,
    /// It writes fields.
    pub enricher: bool,
    /// It raises alerts.
    pub alerter: bool,
}

impl Kinds {
    fn none(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn is_one(self) -> bool {
        u8::from(self.validator) + u8::from(self.enricher) + u8::from(self.alerter) == 1
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [(self.validator, "validator"), (self.enricher, "enricher"), (self.alerter, "alerter")];
        let names: Vec<&str> = kinds.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" and "))
    }
}

/// A component that keeps the contract, and where its functions are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contract {
    pub(crate) kinds: Kinds,
    pub(crate) configure: ComponentExportIndex,
    pub(crate) validate: Option<ComponentExportIndex>,
    pub(crate) enrich: Option<ComponentExportIndex>,
    pub(crate) evaluate: Option<ComponentExportIndex>,
}

/// Checks from the first bytes that they are a component, so that the usual mistakes get their own sentence.
///
/// # Errors
/// [`Reason::NotWebAssembly`] and [`Reason::CoreModule`].
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Reason> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(Reason::CoreModule),
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        _ => Err(Reason::NotWebAssembly),
    }
}

/// Reads the contract of a component.
///
/// # Errors
/// [`Reason::NotGranted`], [`Reason::NoPlugin`], [`Reason::OtherVersion`] and [`Reason::OtherSignature`].
pub(crate) fn read(engine: &Engine, component: &Component) -> Result<Contract, Reason> {
    check_imports(engine, component)?;
    check_versions(engine, component)?;
    let configure = function(component, "plugin", "configure")?.ok_or(Reason::NoPlugin)?;
    let contract = Contract {
        kinds: Kinds::default(),
        configure,
        validate: function(component, "validator", "validate")?,
        enrich: function(component, "enricher", "enrich")?,
        evaluate: function(component, "alerter", "evaluate")?,
    };
    let kinds = Kinds {
        validator: contract.validate.is_some(),
        enricher: contract.enrich.is_some(),
        alerter: contract.evaluate.is_some(),
    };
    if kinds.none() {
        return Err(Reason::NoPlugin);
    }
    Ok(Contract { kinds, ..contract })
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), Reason> {
    for (name, _) in component.component_type().imports(engine) {
        if gives(name).is_some() {
            continue;
        }
        if let Some(version) = other_version(name) {
            return Err(Reason::OtherVersion(version.to_owned()));
        }
        return Err(Reason::NotGranted(name.chars().take(200).collect()));
    }
    Ok(())
}

/// What a component imports that was let through by [`read`], with what it gets for each.
pub(crate) fn imports(engine: &Engine, component: &Component) -> Vec<(String, &'static str)> {
    let imports = component.component_type();
    let imports = imports.imports(engine).filter_map(|(name, _)| Some((name.to_owned(), gives(name)?)));
    imports.collect()
}

/// What an import gives; `None` for those that plugins do not get.
fn gives(name: &str) -> Option<&'static str> {
    let ours = [("log", LINES), ("state", "the plugin's own state, which needs a grant"), ("types", "types alone")];
    if let Some((_, what)) = ours.into_iter().find(|(of_ours, _)| interface(of_ours) == name) {
        return Some(what);
    }
    let (unversioned, _) = name.split_once("@0.2.")?;
    BASELINE.into_iter().find(|(baseline, _)| *baseline == unversioned).map(|(_, what)| what)
}

fn check_versions(engine: &Engine, component: &Component) -> Result<(), Reason> {
    for (name, _) in component.component_type().exports(engine) {
        if let Some(version) = other_version(name) {
            return Err(Reason::OtherVersion(version.to_owned()));
        }
    }
    Ok(())
}

/// The version of one of our interfaces, where it is not the one that we speak.
fn other_version(name: &str) -> Option<&str> {
    let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    (version != INTERFACE_VERSION).then_some(version)
}

fn function(component: &Component, name: &str, function: &str) -> Result<Option<ComponentExportIndex>, Reason> {
    let interface = interface(name);
    let Some((_, instance)) = component.get_export(None, interface.as_str()) else { return Ok(None) };
    match component.get_export(Some(&instance), function) {
        Some((ComponentItem::ComponentFunc(_), index)) => Ok(Some(index)),
        _ => Err(Reason::OtherSignature(format!("{interface}.{function}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_component_module_and_anything_else_apart() {
        assert!(check_header(b"\0asm\x0d\0\x01\0").is_ok());
        assert!(matches!(check_header(b"\0asm\x01\0\0\0"), Err(Reason::CoreModule)));
        for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", b"\x7fELF\0\0\0\0"] {
            assert!(matches!(check_header(bytes), Err(Reason::NotWebAssembly)));
        }
    }

    #[test]
    fn imports_of_the_baseline_and_of_ours_in_our_version_give_something_and_others_nothing() {
        for name in ["wasi:cli/exit@0.2.6", "wasi:random/random@0.2.0", "wasmill:plugin/log@0.1.0"] {
            assert!(gives(name).is_some(), "{name}");
        }
        for name in ["wasi:cli/exit@0.3.0", "wasi:cli/exit", "wasi:sockets/tcp@0.2.6", "wasmill:plugin/log@0.2.0"] {
            assert_eq!(gives(name), None);
        }
    }

    #[test]
    fn only_other_versions_of_our_own_interfaces_are_other_versions() {
        assert_eq!(other_version("wasmill:plugin/validator@0.2.0"), Some("0.2.0"));
        assert_eq!(other_version("wasmill:plugin/validator@0.1.0"), None);
        assert_eq!(other_version("wasi:io/poll@0.3.0"), None);
    }
}
