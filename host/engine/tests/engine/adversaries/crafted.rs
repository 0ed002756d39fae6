//! Components that no compiler for plugins makes: a core module in WebAssembly's text, made a component by the plugin interface.
//! Every one is the same decent validator but for what its case is about.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of a validator's core module, each in WebAssembly's text.
pub(crate) struct Core<'a> {
    /// The world of [`WORLDS`] that it is made for.
    pub(crate) world: &'a str,
    pub(crate) imports: &'a str,
    pub(crate) memory: &'a str,
    /// Whatever else a module may have.
    pub(crate) items: &'a str,
    /// Leaves the address of a `result<manifest, string>`.
    pub(crate) configure: &'a str,
    /// Leaves an address of `$size` bytes.
    pub(crate) realloc: &'a str,
    /// Leaves the address of `verdicts` about `$events` events.
    pub(crate) validate: &'a str,
}

impl Default for Core<'_> {
    fn default() -> Self {
        Self {
            world: "plain",
            imports: "",
            memory: r#"(memory (export "memory") 4)"#,
            items: "",
            configure: "i32.const 1024",
            // A multiple of eight above the last one.
            realloc: "global.get $next
                global.get $next local.get $size i32.add i32.const 7 i32.add i32.const -8 i32.and global.set $next",
            // As many zeroes as there are events: all pass.
            validate: "i32.const 1100 i32.const 65536 i32.store
                i32.const 1104 local.get $events i32.store
                i32.const 1100",
        }
    }
}

/// The worlds of cases, beside `wit/plugin.wit`.
const WORLDS: &str = "
package test:worlds;
world plain { export wasmill:plugin/plugin@0.1.0; export wasmill:plugin/validator@0.1.0; }
world no-kind { export wasmill:plugin/plugin@0.1.0; }
world no-configure { export wasmill:plugin/validator@0.1.0; }
world newer-log { include plain; import wasmill:plugin/log@0.2.0; }
world sockets { include plain; import wasi:sockets/tcp@0.2.3; }
world log { include plain; import wasmill:plugin/log@0.1.0; }

package wasmill:plugin@0.2.0 { interface log { log: func(); } }
package wasi:sockets@0.2.3 { interface tcp { connect: func(); } }
";

impl Core<'_> {
    /// As a component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/plugin.wit");
        resolve.push_source("plugin.wit", &std::fs::read_to_string(wit).unwrap()).unwrap();
        let package = resolve.push_source("worlds.wit", WORLDS).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        let mut module = wat::parse_str(self.text()).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default().module(&module).unwrap();
        encoder.encode().unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn text(&self) -> String {
        let Core { world, imports, memory, items, configure, realloc, validate } = self;
        let configure = match *world {
            "no-configure" => String::new(),
            _ => format!(
                r#"(func (export "wasmill:plugin/plugin@0.1.0#configure") (param i32 i32) (result i32) {configure})"#
            ),
        };
        let validate = match *world {
            "no-kind" => String::new(),
            _ => format!(
                r#"(func (export "wasmill:plugin/validator@0.1.0#validate")
                    (param $events i32) (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {validate})"#
            ),
        };
        format!(
            r#"(module
                {imports}
                {memory}
                (global $next (mut i32) (i32.const 131072))
                ;; At 1024 what configure answers: fine, and a manifest with a name and a version that reads and writes nothing.
                (data (i32.const 1024) "\00\00\00\00\00\08\00\00\07\00\00\00\10\08\00\00\01\00\00\00")
                (data (i32.const 2048) "crafted")
                (data (i32.const 2064) "1")
                {items}
                (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) {realloc})
                {configure}
                {validate})"#
        )
    }
}

/// A decent component that has another one with code inside, as composed ones have.
pub(crate) fn composed() -> Vec<u8> {
    with_another_inside(&Core::default().component())
}

/// `component` with another one inside, which it does not use. It does what it did, and cannot be pre-initialised.
pub(crate) fn with_another_inside(component: &[u8]) -> Vec<u8> {
    const COMPONENT: u8 = 4;
    let inner = wat::parse_str("(component (core module (func)))").unwrap();
    with_section(component, COMPONENT, &inner)
}

/// A decent component, and so many bytes that mean nothing.
pub(crate) fn padded(bytes: usize) -> Vec<u8> {
    const CUSTOM: u8 = 0;
    // A section's name, of one letter, and what it holds.
    with_section(&Core::default().component(), CUSTOM, &[b"\x01p", &vec![0; bytes][..]].concat())
}

fn with_section(component: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    let mut component = component.to_vec();
    component.push(kind);
    leb128(content.len(), &mut component);
    component.extend_from_slice(content);
    component
}

/// A number as WebAssembly writes it: seven bits a byte, the lowest first.
fn leb128(mut number: usize, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// So many small functions.
pub(crate) fn functions(count: usize) -> Vec<u8> {
    let items = "(func (param i32) (result i32) local.get 0 i32.const 3 i32.mul)".repeat(count);
    Core { items: &items, ..Core::default() }.component()
}

/// Functions of a size and a shape that keep a compiler busy.
pub(crate) fn labyrinth(functions: usize, steps: usize) -> Vec<u8> {
    let locals = "(local i64)".repeat(60);
    let step = |n: usize| {
        let (one, other) = (n * 7 % 60, n * 11 % 60);
        format!(
            "block loop local.get {one} local.get {other} i64.mul local.tee {other} i64.eqz br_if 1
             local.get {one} i64.const {n} i64.add local.tee {one} i64.popcnt i64.eqz br_if 0 end end "
        )
    };
    let steps: String = (0..steps).map(step).collect();
    let items = format!("(func {locals} {steps})").repeat(functions);
    Core { items: &items, ..Core::default() }.component()
}
