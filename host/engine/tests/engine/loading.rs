//! What is loaded, and what is refused with which sentence.

use serde_json::json;
use wasmill_core::Digest;
use wasmill_engine::{Grant, Kinds, Limits, PluginSpec, Reason};

use crate::support::{component, decent, engine, least, load, rogue, spec};

#[test]
fn component_is_loaded_with_what_its_manifest_says() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    assert_eq!(plugin.reference().name, "rogue");
    assert_eq!(plugin.reference().version, "0.1.0");
    assert_eq!(plugin.reference().digest, Digest::of(&bytes));
    assert_eq!(plugin.kinds(), Kinds { validator: true, enricher: true, alerter: true });
    let reads: Vec<String> = plugin.reads().iter().map(|field| field.path.as_ref().unwrap().to_string()).collect();
    assert_eq!(reads, ["do", "n"]);
    let writes: Vec<String> = plugin.writes().iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(writes, ["out.text", "out.sum", "out.ratio", "out.json", "out.flag"]);
}

#[test]
fn rust_component_is_pre_initialised() {
    let Some(bytes) = rogue() else { return };
    assert_eq!(decent(&bytes, Limits::default()).configured_per_instance(), None);
}

#[test]
fn plugin_that_keeps_a_stream_open_is_configured_per_instance() {
    let Some(bytes) = rogue() else { return };
    let plugin = load(&bytes, json!({ "configure": "print" }), Limits::default()).unwrap();
    assert!(plugin.configured_per_instance().unwrap().contains("stream"));
}

#[test]
fn refusals_name_file_digest_and_remedy() {
    let error = load(&b"#!/bin/sh".as_slice().into(), json!({}), Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::NotWebAssembly);
    let text = error.to_string();
    assert!(text.contains("plugins.d/10-rogue.wasm"), "{text}");
    assert!(text.contains(&format!("{:#}", Digest::of(b"#!/bin/sh"))), "{text}");
    assert!(text.contains("--target wasm32-wasip2"), "{text}");
}

#[test]
fn core_module_and_broken_component_are_refused() {
    let module = load(&b"\0asm\x01\0\0\0".as_slice().into(), json!({}), Limits::default());
    assert_eq!(module.unwrap_err().reason, Reason::CoreModule);
    let garbage = load(&b"\0asm\x0d\0\x01\0garbage".as_slice().into(), json!({}), Limits::default());
    assert!(matches!(garbage.unwrap_err().reason, Reason::Invalid(_)));
    let Some(bytes) = rogue() else { return };
    let half = load(&bytes[..bytes.len() / 2].into(), json!({}), Limits::default());
    assert!(matches!(half.unwrap_err().reason, Reason::Invalid(_)));
}

#[test]
fn component_of_no_or_another_world_is_refused() {
    let empty = load(&b"\0asm\x0d\0\x01\0".as_slice().into(), json!({}), Limits::default());
    assert_eq!(empty.unwrap_err().reason, Reason::NoPlugin);
    let Some(bytes) = rogue() else { return };
    let other = replace(&bytes, b"@0.1.0", b"@0.7.0");
    let error = load(&other.into(), json!({}), Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::OtherVersion("0.7.0".into()));
}

#[test]
fn component_that_can_be_configured_and_is_of_no_kind_is_refused() {
    let Some(bytes) = rogue() else { return };
    let kinds: [(&[u8], &[u8]); 3] = [
        (b"plugin/validator@", b"plugin/violinist@"),
        (b"plugin/enricher@", b"plugin/drummers@"),
        (b"plugin/alerter@", b"plugin/pianist@"),
    ];
    let other = kinds.iter().fold(bytes.to_vec(), |bytes, (from, to)| replace(&bytes, from, to));
    let error = load(&other.into(), json!({}), Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::NoPlugin);
}

#[test]
fn function_of_another_shape_is_refused_by_name() {
    let Some(bytes) = rogue() else { return };
    // A field of the verdicts.
    let other = replace(&bytes, b"actions", b"achions");
    let error = load(&other.into(), json!({}), Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::OtherSignature("validator.validate".into()));
}

#[test]
fn ungranted_import_is_refused_by_name() {
    let Some(bytes) = rogue() else { return };
    let other = replace(&bytes, b"wasi:cli/exit@", b"wasi:cli/exot@");
    let error = load(&other.into(), json!({}), Limits::default()).unwrap_err();
    let Reason::NotGranted(import) = &error.reason else { panic!("{error}") };
    assert!(import.starts_with("wasi:cli/exot@"), "{import}");
}

#[test]
fn file_size_is_limited_at_the_limit_and_one_above() {
    let Some(bytes) = rogue() else { return };
    let at = Limits { component_bytes: bytes.len(), ..Limits::default() };
    assert!(load(&bytes, json!({}), at).is_ok());
    let above = Limits { component_bytes: bytes.len() - 1, ..Limits::default() };
    let error = load(&bytes, json!({}), above).unwrap_err();
    assert_eq!(error.reason, Reason::TooLarge { bytes: bytes.len(), limit: bytes.len() - 1 });
    assert_eq!(error.reason.cause(), "component_bytes");
}

#[test]
fn configure_may_refuse_with_lines_of_which_the_further_ones_are_indented() {
    let Some(bytes) = rogue() else { return };
    let error = load(&bytes, json!({ "configure": "refuse" }), Limits::default()).unwrap_err();
    assert_eq!(error.reason, Reason::Configure("the\n  setting \"x\" is missing".into()));
    let unknown = load(&bytes, json!({ "colour": 1 }), Limits::default()).unwrap_err();
    assert!(unknown.to_string().contains("colour"), "{unknown}");
}

#[test]
fn configure_that_traps_loops_or_eats_memory_is_refused_by_its_limit() {
    let Some(bytes) = rogue() else { return };
    let limits = Limits { fuel_configure: 50_000_000, memory_bytes: 8 << 20, ..Limits::default() };
    for (deed, expected) in [("trap", "trap"), ("exit", "trap"), ("loop", "fuel"), ("memory", "memory")] {
        let error = load(&bytes, json!({ "configure": deed }), limits.clone()).unwrap_err();
        let Reason::ConfigureTrapped { code, .. } = &error.reason else { panic!("{error}") };
        assert_eq!(code, expected, "{error}");
    }
}

#[test]
fn fuel_of_configure_is_limited_at_the_limit_and_one_below() {
    let Some(bytes) = rogue() else { return };
    let with = |fuel_configure: usize| {
        let limits = Limits { fuel_configure: fuel_configure as u64, ..Limits::default() };
        load(&bytes, json!({ "configure": "burn:100000" }), limits)
    };
    let fuel = least(0, 1 << 30, |fuel| with(fuel).is_ok());
    let error = with(fuel - 1).unwrap_err();
    assert_eq!(error.reason.cause(), "fuel_configure", "{error}");
}

#[test]
fn configure_that_panics_says_where() {
    let Some(bytes) = rogue() else { return };
    let error = load(&bytes, json!({ "configure": "panic:apples" }), Limits::default()).unwrap_err();
    assert!(error.to_string().contains("a panic about apples"), "{error}");
    assert!(error.to_string().contains("deeds"), "{error}");
}

#[test]
fn every_grant_is_refused_where_it_is_not_given_and_enough_where_it_is() {
    for grant in Grant::ALL {
        let (guest, config) = match grant {
            Grant::ReverseDns => ("rogue", json!({ "looks_up": true })),
            Grant::State => ("counter", json!({})),
        };
        let Some(bytes) = component(guest) else { return };
        let others = Grant::ALL.into_iter().filter(|other| *other != grant).collect();
        let spec = spec(&bytes, config, Limits::default());
        let refused = engine().load(&PluginSpec { grants: others, ..spec.clone() });
        assert_eq!(refused.unwrap_err().reason, Reason::LacksGrant(grant.as_str().into()));
        let plugin = engine().load(&PluginSpec { grants: vec![grant], ..spec }).unwrap();
        assert_eq!(plugin.needs(), [grant]);
    }
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    assert_eq!(plugin.needs(), []);
}

#[test]
fn imports_are_told_with_what_each_of_them_gives() {
    let Some(bytes) = rogue() else { return };
    let imports = decent(&bytes, Limits::default()).imports();
    let gives = |interface: &str| imports.iter().find(|(name, _)| name.starts_with(interface)).unwrap().1;
    assert_eq!(gives("wasi:clocks/wall-clock@"), "a clock that stands at zero");
    assert_eq!(gives("wasi:filesystem/types@"), "no file");
    assert!(gives("wasmill:plugin/log@").contains("limits.log_lines"));
}

#[test]
fn senseless_manifest_is_refused() {
    let Some(bytes) = rogue() else { return };
    let error = load(&bytes, json!({ "name": "a b" }), Limits::default()).unwrap_err();
    assert!(matches!(error.reason, Reason::Manifest(_)), "{error}");
    assert!(load(&bytes, json!({ "reads": 256 }), Limits::default()).is_ok());
    let error = load(&bytes, json!({ "reads": 257 }), Limits::default()).unwrap_err();
    assert!(matches!(error.reason, Reason::Manifest(_)), "{error}");
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let found: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}
