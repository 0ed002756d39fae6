//! `wasmill plugin new`: a folder that builds, tests and runs at once.
//!
//! The SDK is put into it from the binary, so that nothing but Rust and the crates that it depends on is fetched.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::cli::{NewArgs, PluginKind as Kind};
use crate::commands::{Exit, print};

/// The SDK's files by their place in a plugin's folder, and the lock file of what they depend on.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
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
    if let Err(reason) = check_name(name) {
        return Ok(Exit::failed(reason));
    }
    if fs::read_dir(&args.path).is_ok_and(|mut entries| entries.next().is_some()) || args.path.is_file() {
        return Ok(Exit::failed(format!(
            "{} is there already and not empty; name another folder, or remove it",
            args.path.display()
        )));
    }
    for (file, text) in files(name, args.kind) {
        write(&args.path.join(file), &text)?;
    }
    print(&next_steps(&args.path, args.kind));
    Ok(Exit::success())
}

/// # Errors
/// A sentence that says what a name may be.
fn check_name(name: &str) -> Result<(), String> {
    let is_first = |c: char| c.is_ascii_lowercase();
    let is_next = |c: char| is_first(c) || c.is_ascii_digit() || c == '-';
    let reason = if !name.starts_with(is_first) || !name.chars().all(is_next) || name.ends_with('-') {
        "a plugin's name has small letters, digits and hyphens, and begins with a letter, as in `mask-emails`"
            .to_owned()
    } else if name.len() > NAME_CHARS_MAX {
        format!("a plugin's name has at most {NAME_CHARS_MAX} characters")
    } else if WORDS_OF_RUST.contains(&name) || is_needed_by_the_sdk(name) {
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
fn files(name: &str, kind: Kind) -> impl Iterator<Item = (String, String)> {
    let (source, test, config) = match kind {
        Kind::Validator => (
            include_str!("new/validator.rs"),
            include_str!("new/validator_engine.rs"),
            "config: { severities: [DEBUG, INFO, WARN, ERROR, CRITICAL] }",
        ),
        Kind::Enricher => {
            (include_str!("new/enricher.rs"), include_str!("new/enricher_engine.rs"), "config: { inside: \"10.\" }")
        }
        Kind::Alerter => {
            (include_str!("new/alerter.rs"), include_str!("new/alerter_engine.rs"), "config: { message: login failed }")
        }
    };
    let settings = format!("{name}.yaml");
    let own = [
        ("Cargo.toml", include_str!("new/manifest.toml")),
        (".cargo/config.toml", include_str!("new/config.toml")),
        (".gitignore", include_str!("new/gitignore")),
        ("README.md", include_str!("new/readme.md")),
        ("events.jsonl", include_str!("new/events.jsonl")),
        (settings.as_str(), include_str!("new/sidecar.yaml")),
        ("src/lib.rs", source),
        ("tests/engine.rs", test),
    ];
    let filled = own.map(|(file, text)| {
        let text = text.replace("{{name}}", name).replace("{{config}}", config).replace("{{a_kind}}", a(kind));
        (file.to_owned(), text)
    });
    filled.into_iter().chain(SDK.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
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

fn next_steps(folder: &Path, kind: Kind) -> String {
    let (a, folder) = (a(kind).to_lowercase(), folder.display());
    format!(
        "{folder} is {a} that works. Next:\n  cd {folder}\n  wasmill plugin test     # edit src/lib.rs meanwhile: --watch runs them again\n  \
         wasmill plugin build    # README.md has what follows\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_crate_and_a_file_can_have() {
        for name in ["mask-emails", "a", "x86", &"n".repeat(NAME_CHARS_MAX)] {
            assert_eq!(check_name(name), Ok(()));
        }
        let long = "n".repeat(NAME_CHARS_MAX + 1);
        for name in
            ["", "Mask", "1st", "-x", "x-", "a_b", "a.b", "ä", "fn", "core", "serde_json", "syn", "wasmill-sdk", &long]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_no_manifest_asks_a_workspace() {
        for kind in [Kind::Validator, Kind::Enricher, Kind::Alerter] {
            let files: Vec<(String, String)> = files("mask-emails", kind).collect();
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
    fn lock_has_the_sdk_and_what_it_needs_alone() {
        assert!(is_needed_by_the_sdk("wit-bindgen") && is_needed_by_the_sdk("proc-macro2"));
        assert!(!is_needed_by_the_sdk("tokio") && !is_needed_by_the_sdk("wasmtime"));
    }
}
