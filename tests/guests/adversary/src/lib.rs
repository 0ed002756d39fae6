#![doc = include_str!("../README.md")]
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the generated exports")]

mod answers;
mod deeds;
mod state;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use bindings::exports::wasmill::plugin::{plugin, validator};
use bindings::wasmill::plugin::types::{Batch, Field, FieldKind, Manifest, StateSchema, Verdicts};
use wasmill_sdk::Prepare;

#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "validator-plugin", generate_all });
}

struct Adversary;

bindings::export!(Adversary with_types_in bindings);

/// What the tests write.
#[derive(Debug, wasmill_sdk::Config)]
struct Config {
    configure: Option<String>,
    always: Option<String>,
    absent: Option<String>,
    /// Whether it keeps state.
    #[config(default = false)]
    state: bool,
}

/// A word and its argument.
#[derive(Clone, Copy, Debug)]
struct Deed<'a> {
    word: &'a str,
    argument: &'a str,
}

impl<'a> Deed<'a> {
    fn parse(text: &'a str) -> Self {
        let (word, argument) = text.split_once(':').unwrap_or((text, ""));
        Deed { word, argument }
    }

    fn amount(self) -> usize {
        self.argument.parse().unwrap_or(0)
    }
}

/// Of the config.
static ALWAYS: OnceLock<Option<String>> = OnceLock::new();
/// Of the config.
static ABSENT: OnceLock<Option<String>> = OnceLock::new();
/// Batches that this instance has had.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl plugin::Guest for Adversary {
    fn configure(config: String) -> Result<Manifest, String> {
        let Config { configure, always, absent, state } = Config::from_json(&config)?;
        ALWAYS.get_or_init(|| always);
        ABSENT.get_or_init(|| absent);
        std::panic::set_hook(Box::new(|panic| deeds::log(&panic.to_string())));
        let deed = Deed::parse(configure.as_deref().unwrap_or(""));
        deeds::do_anywhere(deed);
        let schema = state.then_some(StateSchema { version: 1 });
        manifest(deed).map(|manifest| Manifest { state: schema, ..manifest })
    }
}

impl validator::Guest for Adversary {
    fn validate(batch: Batch) -> Verdicts {
        CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(Some(always)) = ALWAYS.get() {
            deeds::do_anywhere(Deed::parse(always));
        }
        answers::validate(&batch)
    }
}

/// For an event that does not say.
fn deed_without_order() -> Deed<'static> {
    Deed::parse(ABSENT.get().and_then(Option::as_deref).unwrap_or(""))
}

fn manifest(deed: Deed<'_>) -> Result<Manifest, String> {
    let field = |path: &str, kind| Field { path: path.to_owned(), kind, required: false, lookup: None };
    let mut manifest = Manifest {
        name: "adversary".to_owned(),
        version: "0.1.0".to_owned(),
        reads: vec![field("do", FieldKind::Text)],
        writes: Vec::new(),
        state: None,
    };
    let reads = &mut manifest.reads;
    match deed.word {
        "error" if deed.amount() == 0 => return Err("the adversary does not like its config".to_owned()),
        "error" => return Err("\u{1b}[2J\n".repeat(deed.amount() / 5)),
        "fields" => reads.extend((1..deed.amount()).map(|number| field(&format!("field{number}"), FieldKind::Json))),
        "path" => reads.push(field(deed.argument, FieldKind::Text)),
        "path_length" => reads.push(field(&"p".repeat(deed.amount()), FieldKind::Text)),
        "name" => manifest.name = deed.argument.to_owned(),
        "name_length" => manifest.name = "n".repeat(deed.amount()),
        "twice" => reads.push(field("do", FieldKind::Text)),
        "raw_path" => reads.push(field("do", FieldKind::Raw)),
        "writes" => manifest.writes.push(field("written", FieldKind::Text)),
        _ => {}
    }
    Ok(manifest)
}
