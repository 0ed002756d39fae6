//! `wasmill plugin inspect`: what a plugin is and asks for, told before anybody grants it.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde_json::{Value, json};
use wasmill_core::{FieldKind, Lookup};
use wasmill_engine::{Grant, INTERFACE_VERSION, Plugin};

use crate::cli::{InspectArgs, Output};
use crate::commands::plugin::anatomy::{Anatomy, Function, wit};
use crate::commands::plugin::config_schema;
use crate::commands::plugin::subject::Subject;
use crate::commands::{Exit, print};
use crate::terminal::plain;

/// So many of its functions are told with their sizes.
const FUNCTIONS_MAX: usize = 15;

/// What is told of a plugin.
#[derive(Debug, Serialize)]
struct Inspection {
    name: String,
    version: String,
    digest: String,
    file: String,
    bytes: usize,
    /// The version of the plugin interface.
    interface: &'static str,
    /// With what it was made; `null` where it does not say.
    sdk: Option<String>,
    kinds: String,
    /// Why every batch configures it anew; `null` where it is pre-initialised.
    configured_per_instance: Option<String>,
    /// The JSON Schema of its config; `null` where it carries none.
    config_schema: Option<Value>,
    reads: Vec<Read>,
    writes: Vec<Written>,
    /// The version of what it stores; `null` for a plugin without state.
    state: Option<u32>,
    grants: Vec<Asked>,
    imports: Vec<Import>,
    /// What its bytes are.
    size: Anatomy,
}

#[derive(Debug, Serialize)]
struct Read {
    /// `null` for the whole payload.
    path: Option<String>,
    kind: FieldKind,
    required: bool,
    lookup: Option<Lookup>,
}

#[derive(Debug, Serialize)]
struct Written {
    path: String,
    kind: FieldKind,
}

/// One grant: whether the plugin needs it, and whether the file beside it gives it.
#[derive(Debug, Serialize)]
struct Asked {
    grant: Grant,
    gives: &'static str,
    is_needed: bool,
    is_granted: bool,
}

#[derive(Debug, Serialize)]
struct Import {
    name: String,
    gives: &'static str,
}

/// Prints what a plugin is.
///
/// # Errors
/// None: what is wrong with the plugin is how the command ends.
pub(super) fn run(args: &InspectArgs) -> anyhow::Result<Exit> {
    if args.wit {
        let interface = std::fs::read(&args.file)
            .map_err(|error| format!("cannot read {}: {error}", args.file.display()))
            .and_then(|bytes| wit(&bytes).map_err(|reason| format!("{}: {reason}", args.file.display())));
        return Ok(match interface {
            Ok(interface) => {
                print(&interface);
                Exit::success()
            }
            Err(reason) => Exit::bad_setup(reason),
        });
    }
    Ok(match inspect(args) {
        Ok(inspection) => {
            match args.format {
                Output::Json => print(&format!("{}\n", json!(inspection))),
                Output::Text => print(&shown(&inspection)),
            }
            Exit::success()
        }
        Err(reason) => Exit::bad_setup(reason),
    })
}

fn inspect(args: &InspectArgs) -> Result<Inspection, String> {
    // It is given all, so that it says what it asks for; it sees no event, so it can do nothing with it.
    let subject = Subject::read(&args.file, args.config.as_deref())?;
    let size = Anatomy::of(&subject.bytes, FUNCTIONS_MAX);
    let loaded = subject.load().map_err(|reason| match size.as_ref().ok().and_then(|size| size.config.as_ref()) {
        Some(schema) => {
            let lines: Vec<_> =
                config_schema::lines(schema).iter().map(|line| format!("\n  {}", plain(line))).collect();
            format!("{reason}\nits config may have:{}", lines.concat())
        }
        None => reason,
    });
    let plugin = loaded?;
    let size = size.map_err(|error| format!("its sections cannot be read: {error}"))?;
    Ok(Inspection::of(&plugin, &subject, size))
}

impl Inspection {
    fn of(plugin: &Plugin, subject: &Subject, mut size: Anatomy) -> Self {
        let reference = plugin.reference();
        let reads = plugin.reads().iter().map(|field| Read {
            path: field.path.as_ref().map(ToString::to_string),
            kind: field.kind,
            required: field.required,
            lookup: field.lookup,
        });
        let writes = plugin.writes().iter().map(|(path, kind)| Written { path: path.to_string(), kind: *kind });
        let needs = plugin.needs();
        let grants = Grant::ALL.into_iter().map(|grant| Asked {
            grant,
            gives: grant.gives(),
            is_needed: needs.contains(&grant),
            is_granted: subject.granted.contains(&grant),
        });
        Self {
            name: reference.name.clone(),
            version: reference.version.clone(),
            digest: reference.digest.to_string(),
            file: subject.file.path.display().to_string(),
            bytes: subject.bytes.len(),
            interface: INTERFACE_VERSION,
            sdk: size.sdk.take(),
            config_schema: size.config.take(),
            kinds: plugin.kinds().to_string(),
            configured_per_instance: plugin.configured_per_instance().map(str::to_owned),
            reads: reads.collect(),
            writes: writes.collect(),
            state: plugin.state().map(|state| state.version),
            grants: grants.collect(),
            imports: plugin.imports().into_iter().map(|(name, gives)| Import { name, gives }).collect(),
            size,
        }
    }
}

fn shown(inspection: &Inspection) -> String {
    let mut page = Page::default();
    page.line("plugin", format_args!("{} {}, {}", inspection.name, inspection.version, inspection.kinds));
    page.line("digest", &inspection.digest);
    page.line("file", format_args!("{}, {} bytes", inspection.file, inspection.bytes));
    let sdk = inspection.sdk.as_ref().map(|sdk| format!(", made with {sdk}"));
    page.line("interface", format_args!("wasmill:plugin@{}{}", inspection.interface, sdk.unwrap_or_default()));
    match &inspection.configured_per_instance {
        None => page.line("starts", "pre-initialised"),
        Some(why) => page.line("starts", format_args!("configured anew for each batch, which is slower: {why}")),
    }
    for line in inspection.config_schema.iter().flat_map(config_schema::lines) {
        page.line("config", line);
    }
    for Read { path, kind, required, lookup } in &inspection.reads {
        let path = path.as_deref().unwrap_or("the whole payload");
        let required = if *required { ", required" } else { "" };
        match lookup {
            None => page.line("reads", format_args!("{path}: {}{required}", word(kind))),
            Some(lookup) => page.line("reads", format_args!("{path}: what {} says of it", word(lookup))),
        }
    }
    for Written { path, kind } in &inspection.writes {
        page.line("writes", format_args!("{path}: {}", word(kind)));
    }
    if let Some(version) = inspection.state {
        page.line("state", format_args!("of version {version}"));
    }
    for Asked { grant, gives, is_needed, is_granted } in &inspection.grants {
        let word = grant.as_str();
        match (is_needed, is_granted) {
            (true, true) => page.line("grant", format_args!("{word}: needed and granted ({gives})")),
            (true, false) => page.line(
                "grant",
                format_args!(
                    "{word}: needed, NOT granted ({gives}); write `grants: [{word}]` beside it if it may have that"
                ),
            ),
            (false, true) => page.line("grant", format_args!("{word}: granted, and not needed")),
            (false, false) => page.line("grant", format_args!("{word}: not needed")),
        }
    }
    for Import { name, gives } in &inspection.imports {
        page.line("import", format_args!("{name}: {gives}"));
    }
    let Anatomy { code_bytes, data_bytes, names_bytes, debug_bytes, largest, .. } = &inspection.size;
    page.line("size", format_args!("{code_bytes} bytes of code, {data_bytes} of data, {names_bytes} of names"));
    if *debug_bytes > 0 {
        page.line(
            "size",
            format_args!(
                "{debug_bytes} for debuggers: `strip = \"debuginfo\"` under [profile.release] leaves them out"
            ),
        );
    }
    for Function { name, bytes } in largest {
        page.line("functions", format_args!("{bytes:>6}  {name}"));
    }
    page.text
}

/// The word of a value in the interface, as JSON has it.
fn word(value: &impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

/// Lines with a label each, which is written where it changes.
#[derive(Default)]
struct Page {
    text: String,
    label: &'static str,
}

impl Page {
    /// Adds a line. What a plugin says of itself commands no terminal.
    fn line(&mut self, label: &'static str, what: impl Display) {
        let shown = if label == self.label { "" } else { label };
        self.label = label;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{shown:<11}{}", plain(&what.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_once_and_nothing_of_a_plugin_is_raw() {
        let mut page = Page::default();
        page.line("reads", "a");
        page.line("reads", "b\u{1b}[2J");
        page.line("writes", "c");
        assert_eq!(page.text, "reads      a\n           b\\u{1b}[2J\nwrites     c\n");
    }
}
