//! What authors of plugins can name, held against listings that are committed: `api/*.txt`. A change that they would notice shows there and
//! is blessed with `WASMILL_ACCEPT=1`; what it asks of the version, `docs/plugins/versions.md` says.
//!
//! The listings are made of the sources, item by item. cargo-semver-checks knows more, and needs a release to compare with that can be
//! fetched, and documentation as JSON, of which each of its versions reads one compiler's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, Visibility};

/// What only the macros' code and the linker reach: it changes without notice.
const HIDDEN: [&str; 3] = ["guest.rs", "run.rs", "libc"];

/// Each crate's name, and the folder of its sources in the SDK's.
const CRATES: [(&str, &str); 3] =
    [("wasmill-sdk", "src"), ("wasmill-sdk-macros", "macros/src"), ("wasmill-harness", "harness/src")];

#[test]
fn what_authors_can_name_changes_only_on_purpose() {
    let mut changes = String::new();
    for (name, folder) in CRATES {
        let listing = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/api/{name}.txt"));
        let found = public_items(&root().join(folder));
        assert!(!found.is_empty(), "{folder} has public items");
        if std::env::var_os("WASMILL_ACCEPT").is_some() {
            fs::write(&listing, found.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
            continue;
        }
        let committed = fs::read_to_string(&listing).unwrap_or_default();
        let committed: BTreeSet<String> = committed.lines().map(str::to_owned).collect();
        let gone = committed.difference(&found).map(|line| format!("\n  - {line}"));
        let new = found.difference(&committed).map(|line| format!("\n  + {line}"));
        let lines: String = gone.chain(new).collect();
        if !lines.is_empty() {
            changes += &format!("\n{name}:{lines}");
        }
    }
    assert!(
        changes.is_empty(),
        "what authors can name is not what tests/api says:{changes}\n\
         a line that is gone breaks plugins (major; minor before 1.0.0), one that is new does not (minor), see docs/plugins/versions.md; \
         run the test with WASMILL_ACCEPT=1 when it is meant, and tell it in CHANGELOG.md"
    );
}

/// The SDK.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk")
}

/// Public items that authors do not name, and why they are public.
const BEHIND_THE_SCENES: &[(&str, &str)] = &[
    ("Alerter", "the attribute implements it"),
    ("Answer", "what a validator answers has it"),
    ("Batch", "what the host sends, made natively by `Loaded::batch`"),
    ("Cells", "what a `#[field(dynamic)]` output is has it"),
    ("Columns", "what an enricher's component answers"),
    ("Enricher", "the attribute implements it"),
    ("FromSlot", "what a field is has it"),
    ("Host", "where state is, natively a map"),
    ("Lists", "what crosses the boundary"),
    ("Plugin", "the attributes implement it"),
    ("Ranged", "numbers of a config have it"),
    ("RawPayload", "what a `#[field(raw)]` field is has it"),
    ("Reader", "the derive of `Fields` reads from it"),
    ("SchemaKey", "the derive of `Config` makes it"),
    ("Value", "what a field holds has it; that of a config is `ConfigValue`, which is shown"),
    ("Validator", "the attribute implements it"),
    ("Verdicts", "what a validator's component answers"),
    ("Writer", "the derive of `Output` writes to it"),
    ("Written", "what a written field is has it"),
];

/// Pages of the guide whose examples are doc-tests of one of the crates.
const GUIDES: [&str; 3] = ["fields.md", "state.md", "testing.md"];

/// Types, traits, functions and constants: what belongs to them is shown with them, or is told by its name.
#[test]
fn what_authors_can_name_is_shown_by_an_example_that_runs() {
    let mut shown = BTreeSet::new();
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for guide in GUIDES {
        let text = fs::read_to_string(root().join("../docs/plugins").join(guide)).unwrap();
        words_of_examples(&text.lines().map(|line| format!("//! {line}\n")).collect::<String>(), &mut shown);
    }
    for (_, folder) in CRATES.iter().filter(|(name, _)| *name != "wasmill-sdk-macros") {
        files(&root().join(folder))
            .iter()
            .for_each(|file| words_of_examples(&fs::read_to_string(file).unwrap(), &mut shown));
        let items = public_items(&root().join(folder));
        named.extend(items.iter().filter_map(|line| Some((name_of_whole(line)?.to_owned(), *folder))));
    }
    let reasons: BTreeSet<&str> = BEHIND_THE_SCENES.iter().map(|(name, _)| *name).collect();
    let not_shown = named.iter().filter(|(name, _)| !shown.contains(*name) && !reasons.contains(name.as_str()));
    let not_shown: Vec<String> = not_shown.map(|(name, folder)| format!("{folder}: {name}")).collect();
    assert!(not_shown.is_empty(), "no example in a doc comment has\n  {}", not_shown.join("\n  "));
    let gone: Vec<_> = reasons.iter().filter(|name| !named.contains_key(**name)).collect();
    assert!(gone.is_empty(), "these need no exception any more: {gone:?}");
}

/// The name of a type, trait, function or constant, by its line; of what belongs to one, none.
fn name_of_whole(line: &str) -> Option<&str> {
    let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub fn ", "pub const fn ", "pub const "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let after = rest[end..].trim_start_matches(|c: char| c != '.' && c != ':' && c != '(');
    (!after.starts_with('.') && !after.starts_with("::")).then_some(&rest[..end])
}

/// The words in fences of doc comments, but for what must not compile or is no Rust.
fn words_of_examples(source: &str, words: &mut BTreeSet<String>) {
    /// Languages of examples that run, or are compiled at least.
    const EXAMPLES: [&str; 4] = ["", "no_run", "rust", "rust,no_run"];
    // Inside of a fence: whether it is an example.
    let mut fence = None;
    for line in source.lines() {
        let comment = line.trim_start();
        let Some(text) = comment.strip_prefix("///").or_else(|| comment.strip_prefix("//!")) else {
            fence = None;
            continue;
        };
        if let Some(language) = text.trim_start().strip_prefix("```") {
            fence = if fence.is_none() { Some(EXAMPLES.contains(&language)) } else { None };
        } else if fence == Some(true) {
            words.extend(text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
        }
    }
}

/// A line for each public item of every file in a folder.
fn public_items(folder: &Path) -> BTreeSet<String> {
    let mut items = BTreeSet::new();
    for path in files(folder) {
        let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
        list(&file.items, &mut items);
    }
    items
}

/// The sources in a folder and those below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if HIDDEN.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    sources
}

/// Modules are left out: what is public in a private one is named by a `pub use`, which is a line too.
fn list(items: &[Item], lines: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Mod(module) if is_shown(&module.vis, &module.attrs) => match &module.content {
                Some((_, inside)) => list(inside, lines),
                None => drop(lines.insert(format!("pub mod {}", module.ident))),
            },
            Item::Use(item) if is_shown(&item.vis, &item.attrs) => drop(lines.insert(shown(&item.tree, "pub use "))),
            Item::Fn(item) if is_shown(&item.vis, &item.attrs) => drop(lines.insert(shown(&item.sig, "pub "))),
            Item::Const(item) if is_shown(&item.vis, &item.attrs) => {
                lines.insert(format!("pub const {}: {}", item.ident, shown(&item.ty, "")));
            }
            Item::Type(item) if is_shown(&item.vis, &item.attrs) => {
                lines.insert(format!("pub type {} = {}", item.ident, shown(&item.ty, "")));
            }
            Item::Struct(item) if is_shown(&item.vis, &item.attrs) => {
                let name = format!("pub struct {}{}", item.ident, shown(&item.generics, ""));
                fields(&name, &item.fields, lines);
                lines.insert(name);
            }
            Item::Enum(item) if is_shown(&item.vis, &item.attrs) => {
                let name = format!("pub enum {}{}", item.ident, shown(&item.generics, ""));
                for variant in &item.variants {
                    lines.insert(format!("{name}::{}{}", variant.ident, shown(&variant.fields, "")));
                }
                lines.insert(name);
            }
            Item::Trait(item) if is_shown(&item.vis, &item.attrs) => traits(item, lines),
            Item::Impl(item) => implementation(item, lines),
            Item::Macro(item) if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) => {
                lines.extend(item.ident.iter().map(|name| format!("pub macro {name}!")));
            }
            _ => {}
        }
    }
}

fn fields(of: &str, fields: &Fields, lines: &mut BTreeSet<String>) {
    for (place, field) in fields.iter().enumerate().filter(|(_, field)| is_shown(&field.vis, &field.attrs)) {
        let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
        lines.insert(format!("{of}.{name}: {}", shown(&field.ty, "")));
    }
}

fn traits(item: &syn::ItemTrait, lines: &mut BTreeSet<String>) {
    let name = format!("pub trait {}{}", item.ident, shown(&item.generics, ""));
    lines.insert(format!("{name}: {}", shown(&item.supertraits, "")));
    for inside in &item.items {
        let (attributes, mut signature) = match inside {
            TraitItem::Fn(function) => (&function.attrs, shown(&function.sig, "")),
            TraitItem::Type(ty) => (&ty.attrs, format!("type {}: {}", ty.ident, shown(&ty.bounds, ""))),
            TraitItem::Const(constant) => {
                (&constant.attrs, format!("const {}: {}", constant.ident, shown(&constant.ty, "")))
            }
            _ => continue,
        };
        if let TraitItem::Fn(syn::TraitItemFn { default: Some(_), .. }) = inside {
            signature += " { .. }";
        }
        if !is_hidden(attributes) {
            lines.insert(format!("{name}::{signature}"));
        }
    }
}

fn implementation(item: &syn::ItemImpl, lines: &mut BTreeSet<String>) {
    let of = shown(&item.self_ty, "");
    if let Some((_, name, _)) = &item.trait_ {
        // Of a private type it is none to authors, and harmless here.
        lines.insert(format!("impl{} {} for {of}", shown(&item.generics, ""), shown(name, "")));
        return;
    }
    for inside in &item.items {
        let line = match inside {
            ImplItem::Fn(function) if is_shown(&function.vis, &function.attrs) => shown(&function.sig, ""),
            ImplItem::Const(constant) if is_shown(&constant.vis, &constant.attrs) => {
                format!("const {}: {}", constant.ident, shown(&constant.ty, ""))
            }
            _ => continue,
        };
        lines.insert(format!("{of}::{line}"));
    }
}

fn is_shown(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes)
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text.contains("doc (hidden)") || text.contains("cfg (test)")
    })
}

/// Tokens as text, with spaces where people put most of them.
fn shown(tokens: &impl ToTokens, before: &str) -> String {
    let mut text = tokens.to_token_stream().to_string();
    let tight = [
        (" :: ", "::"),
        ("& ", "&"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :", ":"),
        (" (", "("),
        (" ;", ";"),
        (" [", "["),
        ("' ", "'"),
    ];
    for (wide, narrow) in tight {
        text = text.replace(wide, narrow);
    }
    text = text.replace("->(", "-> (").replace("->", "-> ").replace("->  ", "-> ").replace(")-> ", ") -> ");
    format!("{before}{text}")
}
