//! A guest without manners, of all three kinds, written without the SDK so that it can break every rule of the interface.
//!
//! What it does is in the events: the field `do` holds `KIND:DEED` or `KIND:DEED:ARGUMENT` with the kinds `v`, `e` and `a`, such
//! as `v:trap` or `e:long:70000`. An event without it is treated decently. What it does in `configure` is in its config.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the generated exports, and deeds that only unsafe code can do")]

mod deeds;
mod kinds;
mod parrot;

use std::sync::OnceLock;

use serde::Deserialize;

use bindings::exports::wasmill::plugin::plugin::Guest as Plugin;
use bindings::wasmill::plugin::types::{Field, FieldKind, Lookup, Manifest};

#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "package wasmill:rogue;
            world rogue {
                import wasmill:plugin/log@0.1.0;
                export wasmill:plugin/plugin@0.1.0;
                export wasmill:plugin/validator@0.1.0;
                export wasmill:plugin/enricher@0.1.0;
                export wasmill:plugin/alerter@0.1.0;
            }",
        generate_all,
    });
}

pub(crate) struct Rogue;

bindings::export!(Rogue with_types_in bindings);

/// What it does in `configure`, and what its manifest says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// A deed of [`deeds::misdeed`], or `refuse`, or `print`.
    configure: String,
    name: String,
    reads: usize,
    /// Whether it looks the address in `ip` up.
    looks_up: bool,
    /// Whether `n` is required.
    required: bool,
    /// How many bytes `configure` fills, to be found again by `v:remembers`.
    remembers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            configure: String::new(),
            name: "rogue".into(),
            reads: 2,
            looks_up: false,
            required: false,
            remembers: 16,
        }
    }
}

pub(crate) static MEMORY: OnceLock<Vec<u8>> = OnceLock::new();

impl Plugin for Rogue {
    fn configure(config: String) -> Result<Manifest, String> {
        let config: Config = serde_json::from_str(&config).map_err(|error| error.to_string())?;
        match config.configure.as_str() {
            "" => {}
            "refuse" => return Err("the\nsetting \"x\" is missing".into()),
            "print" => std::io::Write::write_all(&mut std::io::stdout(), b"hello from configure\n").unwrap_or_default(),
            deed => {
                let (deed, argument) = deed.split_once(':').unwrap_or((deed, ""));
                deeds::misdeed(deed, argument);
            }
        }
        let _ = MEMORY.set(vec![7; config.remembers]);
        let read = |path: &str, kind, required| Field { path: path.into(), kind, required, lookup: None };
        let mut reads = vec![read("do", FieldKind::Text, false), read("n", FieldKind::Integer, config.required)];
        reads.extend((2..config.reads).map(|n| read(&format!("field{n}"), FieldKind::Json, false)));
        if config.looks_up {
            reads.push(Field { lookup: Some(Lookup::ReverseDns), ..read("ip", FieldKind::Text, false) });
        }
        let writes = [
            ("out.text", FieldKind::Text),
            ("out.sum", FieldKind::Integer),
            ("out.ratio", FieldKind::Float),
            ("out.json", FieldKind::Json),
            ("out.flag", FieldKind::Boolean),
        ];
        let writes = writes.map(|(path, kind)| read(path, kind, false)).to_vec();
        Ok(Manifest { name: config.name, version: "0.1.0".into(), reads, writes, state: None })
    }
}
