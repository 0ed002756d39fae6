//! `wasmill plugin new`: a folder that builds, tests and runs at once.
//!
//! The SDK is put into it from the binary, so that nothing but the language's own tools and what they depend on is fetched.

mod scripts;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::cli::{NewArgs, PluginKind as Kind, PluginLanguage as Language};
use crate::commands::{Exit, print};

/// The SDK's files by their place in a plugin's folder, and the lock file of what they depend on.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
/// The interface, by its place in a crate.
const INTERFACE: &str = "vendor/wit/plugin.wit";
/// Most characters of a name: it is a file name, and stands in every row of the plugin's history.
const NAME_CHARS_MAX: usize = 48;
/// Words that no crate may be called by.
const WORDS_OF_RUST: [&str; 40] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match",
    "mod", "move", "mut", "pub", "ref", "return", "self", "std", "struct", "test", "type", "use",
];

/// Makes the folder of a new plugin.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn run(args: &NewArgs) -> anyhow::Result<Exit> {
    let name = args.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Err(reason) = check_name(name, args.lang) {
        return Ok(Exit::failed(reason));
    }
    if fs::read_dir(&args.path).is_ok_and(|mut entries| entries.next().is_some()) || args.path.is_file() {
        return Ok(Exit::failed(format!(
            "{} is there already and not empty; name another folder, or remove it",
            args.path.display()
        )));
    }
    for (file, text) in files(name, args.kind, args.lang) {
        write(&args.path.join(file), &text)?;
    }
    print(&next_steps(&args.path, args.kind, args.lang));
    Ok(Exit::success())
}

/// # Errors
/// A sentence that says what a name may be.
fn check_name(name: &str, language: Language) -> Result<(), String> {
    let is_first = |c: char| c.is_ascii_lowercase();
    let is_next = |c: char| is_first(c) || c.is_ascii_digit() || c == '-';
    let reason = if !name.starts_with(is_first) || !name.chars().all(is_next) || name.ends_with('-') {
        "a plugin's name has small letters, digits and hyphens, and begins with a letter, as in `mask-emails`"
            .to_owned()
    } else if name.len() > NAME_CHARS_MAX {
        format!("a plugin's name has at most {NAME_CHARS_MAX} characters")
    } else if language == Language::Rust && (WORDS_OF_RUST.contains(&name) || is_needed_by_the_sdk(name)) {
        "that is a word of Rust or a crate that the SDK needs; take another one".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("`{name}` cannot be the name of a plugin: {reason}"))
}

fn is_needed_by_the_sdk(name: &str) -> bool {
    let lock = SDK.iter().find(|(file, _)| *file == "Cargo.lock").map_or("", |(_, text)| text);
    lock.lines().any(|line| line.strip_prefix("name = ").is_some_and(|given| given.trim_matches('"') == name))
}

/// Path and text of each file.
fn files(name: &str, kind: Kind, language: Language) -> impl Iterator<Item = (String, String)> {
    let config = match kind {
        Kind::Validator => "config: { severities: [DEBUG, INFO, WARN, ERROR, CRITICAL] }",
        Kind::Enricher => "config: { inside: \"10.\" }",
        Kind::Alerter => "config: { message: login failed }",
    };
    let (own, limits, vendored) = match language {
        Language::Rust => (rust(kind), USUAL_LIMITS, SDK),
        Language::Js => (scripts::javascript(kind), LIMITS_OF_JAVASCRIPT, &[] as &[_]),
        Language::Python => (scripts::python(kind), LIMITS_OF_PYTHON, &[] as &[_]),
    };
    let interface = SDK.iter().filter(move |(file, _)| language != Language::Rust && *file == INTERFACE);
    let interface = interface.map(|(_, text)| ("wit/plugin.wit", *text));
    let of_all =
        [("events.jsonl", include_str!("new/events.jsonl")), ("{{name}}.yaml", include_str!("new/sidecar.yaml"))];
    let fills = [
        ("{{name}}", name.to_owned()),
        ("{{config}}", config.to_owned()),
        ("{{limits}}", limits.to_owned()),
        ("{{a_kind}}", a(kind).to_owned()),
        ("{{kind}}", kind.to_string()),
    ];
    let fill = move |text: &str| fills.iter().fold(text.to_owned(), |text, (gap, with)| text.replace(gap, with));
    let filled = own.into_iter().chain(of_all).map(move |(file, text)| (fill(file), fill(text)));
    filled.chain(vendored.iter().copied().chain(interface).map(|(file, text)| (file.to_owned(), text.to_owned())))
}

/// A comment, as the defaults suit.
const USUAL_LIMITS: &str =
    "# limits: { fuel_per_event: 20000000 }   # what it may use; see docs/configuration.md of wasmill";
/// A language that is interpreted burns ten to a hundred times as much: with the default, batches are split, and texts of some 100 kB are too
/// long.
const LIMITS_OF_JAVASCRIPT: &str = "limits: { fuel_per_event: 200000000 }    # it is interpreted; see docs/configuration.md of wasmill for what else it may use";
/// The component has some 19 MB as well, and the default is 16 MiB.
const LIMITS_OF_PYTHON: &str = "limits: { fuel_per_event: 200000000, component_bytes: 33554432 }    # it brings Python, which is interpreted; see \
                                docs/configuration.md of wasmill";

fn rust(kind: Kind) -> Vec<scripts::File> {
    let (source, test) = match kind {
        Kind::Validator => (include_str!("new/validator.rs"), include_str!("new/validator_engine.rs")),
        Kind::Enricher => (include_str!("new/enricher.rs"), include_str!("new/enricher_engine.rs")),
        Kind::Alerter => (include_str!("new/alerter.rs"), include_str!("new/alerter_engine.rs")),
    };
    vec![
        ("Cargo.toml", include_str!("new/manifest.toml")),
        (".cargo/config.toml", include_str!("new/config.toml")),
        (".gitignore", include_str!("new/gitignore")),
        ("README.md", include_str!("new/readme.md")),
        ("src/lib.rs", source),
        ("tests/engine.rs", test),
    ]
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn a(kind: Kind) -> &'static str {
    match kind {
        Kind::Validator => "A validator",
        Kind::Enricher => "An enricher",
        Kind::Alerter => "An alerter",
    }
}

fn next_steps(folder: &Path, kind: Kind, language: Language) -> String {
    let (a, folder) = (a(kind).to_lowercase(), folder.display());
    let (source, install) = match language {
        Language::Rust => ("src/lib.rs", None),
        Language::Js => ("plugin.js", Some("npm install               # once: the tools that build it")),
        Language::Python => (
            "plugin.py",
            Some(
                "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt     # once: the tools that build it",
            ),
        ),
    };
    let install = install.map_or(String::new(), |install| format!("  {install}\n"));
    format!(
        "{folder} is {a} that works. Next:\n  cd {folder}\n{install}  wasmill plugin test     # edit {source} meanwhile: --watch runs them again\n  \
         wasmill plugin build    # README.md has what follows\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_crate_and_a_file_can_have() {
        for name in ["mask-emails", "a", "x86", &"n".repeat(NAME_CHARS_MAX)] {
            assert_eq!(check_name(name, Language::Rust), Ok(()));
        }
        assert_eq!(check_name("serde", Language::Js), Ok(()));
        let long = "n".repeat(NAME_CHARS_MAX + 1);
        for name in
            ["", "Mask", "1st", "-x", "x-", "a_b", "a.b", "ä", "fn", "core", "serde_json", "syn", "wasmill-sdk", &long]
        {
            assert!(check_name(name, Language::Rust).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_no_manifest_asks_a_workspace() {
        for kind in [Kind::Validator, Kind::Enricher, Kind::Alerter] {
            let files: Vec<(String, String)> = files("mask-emails", kind, Language::Rust).collect();
            for (file, text) in &files {
                let is_ours = !file.starts_with("vendor/");
                assert!(!is_ours || !text.contains("{{"), "{file}");
                assert!(!file.ends_with("Cargo.toml") || !text.contains("workspace = true"), "{file}: {text}");
            }
            for needed in ["vendor/wit/plugin.wit", "vendor/wasmill-sdk/src/lib.rs", "Cargo.lock", "mask-emails.yaml"] {
                assert!(files.iter().any(|(file, _)| file == needed), "{needed}");
            }
        }
    }

    #[test]
    fn projects_of_other_languages_have_the_interface_and_nothing_is_left_to_fill_in() {
        for (language, source) in [(Language::Js, "plugin.js"), (Language::Python, "plugin.py")] {
            for kind in [Kind::Validator, Kind::Enricher, Kind::Alerter] {
                let files: Vec<(String, String)> = files("mask-emails", kind, language).collect();
                for (file, text) in &files {
                    // A space follows where a type of JSDoc is an object.
                    let is_left = text.match_indices("{{").any(|(at, _)| !text[at + 2..].starts_with(' '));
                    assert!(!is_left, "{file}");
                    assert!(!file.starts_with("vendor"), "{file}");
                }
                for needed in [source, "wit/plugin.wit", "events.jsonl", "mask-emails.yaml", "README.md"] {
                    assert!(files.iter().any(|(file, _)| file == needed), "{needed}");
                }
            }
        }
    }

    #[test]
    fn lock_has_the_sdk_and_what_it_needs_alone() {
        assert!(is_needed_by_the_sdk("wit-bindgen") && is_needed_by_the_sdk("proc-macro2"));
        assert!(!is_needed_by_the_sdk("tokio") && !is_needed_by_the_sdk("wasmtime"));
    }
}
