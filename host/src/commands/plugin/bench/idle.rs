//! A plugin that does nothing, to compare with: it reads the same fields as another one and answers at once. What it costs is the host's
//! own work and the way across the sandbox.
//!
//! It is written as WebAssembly's text and made a component by the plugin interface, as the engine's tests make theirs.

use wasmill_core::{Field, FieldKind, Lookup};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The plugin interface.
const WIT: &str = include_str!("../../../../../wit/plugin.wit");
/// Where the manifest is in its memory, and where the batches that it is handed begin: above it there are only those.
const MANIFEST: usize = 1_024;
/// Where there are zeroes: an answer without alerts.
const ANSWER: usize = 64;
/// Bytes of `field` in the interface's layout: path, kind, required, look-up.
const FIELD_BYTES: usize = 12;

/// The world that it is made for. An alerter that raises nothing answers with the fewest bytes.
const WORLD: &str =
    "package wasmill:idle; world idle { export wasmill:plugin/plugin@0.1.0; export wasmill:plugin/alerter@0.1.0; }";

/// The component that does nothing with these fields.
///
/// # Errors
/// When it cannot be made, which is a mistake of ours.
pub(super) fn component(reads: &[Field]) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    resolve.push_source("plugin.wit", WIT)?;
    let package = resolve.push_source("idle.wit", WORLD)?;
    let world = resolve.select_world(&[package], Some("idle"))?;
    let mut module = wat::parse_str(text(reads))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

fn text(reads: &[Field]) -> String {
    let manifest = manifest(reads);
    let first = (MANIFEST + manifest.len()).next_multiple_of(8);
    let data: String = manifest.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
            (memory (export "memory") 16)
            (global $next (mut i32) (i32.const {first}))
            (data (i32.const {MANIFEST}) "{data}")
            (func $room (param $bytes i32) (result i32)
                (local $at i32)
                (local.set $at (global.get $next))
                (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get $bytes)) (i32.const 7)) (i32.const -8)))
                (block $is_enough
                    (br_if $is_enough (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
                    (br_if $is_enough (i32.ne (i32.const -1) (memory.grow
                        (i32.sub (i32.add (i32.shr_u (global.get $next) (i32.const 16)) (i32.const 1)) (memory.size)))))
                    unreachable)
                (local.get $at))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (call $room (local.get $size)))
            (func (export "wasmill:plugin/plugin@0.1.0#configure") (param i32 i32) (result i32) (i32.const {MANIFEST}))
            (func (export "wasmill:plugin/alerter@0.1.0#evaluate")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const {ANSWER})))"#
    )
}

/// What `configure` answers, byte by byte: `ok`, then the manifest, then what it points to.
fn manifest(reads: &[Field]) -> Vec<u8> {
    const HEAD: usize = 44;
    let fields_at = MANIFEST + HEAD;
    let words_at = fields_at + reads.len() * FIELD_BYTES;
    let mut words: Vec<u8> = b"idle0".to_vec();
    let mut fields = Vec::new();
    for Field { path, kind, lookup, .. } in reads {
        let path = path.as_ref().map(ToString::to_string).unwrap_or_default();
        fields.extend(words_of(&[words_at + words.len(), path.len()]));
        let kind = match kind {
            FieldKind::Text => 0,
            FieldKind::Integer => 1,
            FieldKind::Float => 2,
            FieldKind::Boolean => 3,
            FieldKind::Json => 4,
            FieldKind::Raw => 5,
        };
        let lookup = match lookup {
            None => [0, 0],
            Some(Lookup::ReverseDns) => [1, 0],
        };
        fields.extend([kind, 0, lookup[0], lookup[1]]);
        words.extend(path.as_bytes());
    }
    let (name, version) = ((words_at, 4), (words_at + 4, 1));
    // The discriminant; name, version, reads and writes by address and length; no state.
    let head = [0, name.0, name.1, version.0, version.1, fields_at, reads.len(), 0, 0, 0, 0];
    [words_of(&head), fields, words].concat()
}

fn words_of(words: &[usize]) -> Vec<u8> {
    words.iter().flat_map(|word| (*word as u32).to_le_bytes()).collect()
}
