//! What is inside of a component's file: its interface as text, and which functions make it large.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};
use wit_component::{WitPrinter, decode};

use super::config_schema;

/// The custom section that the SDK puts its name and version into.
const SDK_SECTION: &str = "wasmill:sdk";

/// A function and the bytes of its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Function {
    /// As its module names it; its number where it has no name.
    pub(super) name: String,
    pub(super) bytes: usize,
}

/// The bytes of a component, by what they are.
#[derive(Debug, Default, Serialize)]
pub(super) struct Anatomy {
    /// Code of all functions.
    pub(super) code_bytes: usize,
    /// Data that is in memory at the start.
    pub(super) data_bytes: usize,
    /// Names of functions, for backtraces.
    pub(super) names_bytes: usize,
    /// What debuggers read.
    pub(super) debug_bytes: usize,
    /// The largest functions, largest first.
    pub(super) largest: Vec<Function>,
    /// The JSON Schema of its config, if it carries one.
    #[serde(skip)]
    pub(super) config: Option<Value>,
    /// With what it was made, such as `wasmill-sdk 0.1.0`.
    #[serde(skip)]
    pub(super) sdk: Option<String>,
}

impl Anatomy {
    /// Of a component with its `most` largest functions.
    ///
    /// # Errors
    /// When the bytes are no component.
    pub(super) fn of(bytes: &[u8], most: usize) -> wasmparser::Result<Self> {
        let mut this = Self::default();
        let mut functions = Functions::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                // A component holds its modules one after the other.
                Payload::Version { .. } => this.largest.extend(std::mem::take(&mut functions).named()),
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        functions.imported += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => functions.bytes.push(body.range().len()),
                Payload::DataSection(data) => this.data_bytes += data.range().len(),
                Payload::CustomSection(custom) => {
                    let bytes = custom.data().len();
                    if custom.name().starts_with(".debug") {
                        this.debug_bytes += bytes;
                    }
                    match custom.name() {
                        // What cannot be read is none: it is for people alone.
                        config_schema::SECTION => this.config = serde_json::from_slice(custom.data()).ok(),
                        SDK_SECTION => this.sdk = Some(String::from_utf8_lossy(custom.data()).into_owned()),
                        _ => {}
                    }
                    if let KnownCustom::Name(names) = custom.as_known() {
                        this.names_bytes += bytes;
                        // Names that cannot be read are none: they are for people alone.
                        names.into_iter().flatten().for_each(|names| functions.take_names(names));
                    }
                }
                _ => {}
            }
        }
        this.largest.extend(functions.named());
        this.code_bytes = this.largest.iter().map(|function| function.bytes).sum();
        this.largest.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.name.cmp(&other.name)));
        this.largest.truncate(most);
        Ok(this)
    }
}

/// The functions of one module.
#[derive(Default)]
struct Functions {
    imported: u32,
    bytes: Vec<usize>,
    names: HashMap<u32, String>,
}

impl Functions {
    fn take_names(&mut self, names: Name<'_>) {
        if let Name::Function(map) = names {
            self.names.extend(map.into_iter().flatten().map(|naming| (naming.index, naming.name.to_owned())));
        }
    }

    fn named(self) -> impl Iterator<Item = Function> {
        let Self { imported, bytes, mut names } = self;
        (imported..).zip(bytes).map(move |(index, bytes)| {
            let name = names.remove(&index).unwrap_or_else(|| format!("function {index}"));
            Function { name, bytes }
        })
    }
}

/// The interface of a component, as WIT.
///
/// # Errors
/// A sentence, when the bytes are no component.
pub(super) fn wit(bytes: &[u8]) -> Result<String, String> {
    let refused = |error: &dyn std::fmt::Display| format!("its interface cannot be read: {error:#}");
    let decoded = decode(bytes).map_err(|error| refused(&error))?;
    let (resolve, own) = (decoded.resolve(), decoded.package());
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != own).collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, own, &others).map_err(|error| refused(&error))?;
    Ok(printer.output.to_string())
}
