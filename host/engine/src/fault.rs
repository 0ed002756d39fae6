//! What goes wrong in a call, told so that the guilty limit or function is named.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::{I32Exit, ResourceTableError};

use crate::guest_log::{Line, clean};
use crate::held::Limit;
use crate::limits::Limits;

/// Functions of the guest that a reason names at most.
const FRAMES_MAX: usize = 4;
/// Bytes of a function's name in a reason.
const FRAME_BYTES_MAX: usize = 120;
/// Where the files of Rust's standard library are, as it was built.
const STANDARD_LIBRARY: &str = "/rustc/";
/// What Rust's panic handler says after each panic.
const PANIC_NOTE: &str = "note: run with `RUST_BACKTRACE";
/// Bytes of a reason about a fault.
const REASON_BYTES_MAX: usize = 1000;

/// A call that did not end well: the plugin's or an event's fault, never the host's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Fault {
    /// `trap`, `fuel`, `memory`, `output_too_large` or `bad_answer`.
    pub(crate) code: &'static str,
    /// The limit that held, if one did.
    pub(crate) limit: Option<Limit>,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn bad_answer(text: impl Into<String>) -> Self {
        Self { code: "bad_answer", limit: None, text: text.into() }
    }

    pub(crate) fn too_large(limit: Limit, text: impl Into<String>) -> Self {
        Self { code: "output_too_large", limit: Some(limit), text: text.into() }
    }

    pub(crate) fn of_fuel(text: impl Into<String>) -> Self {
        Self { code: "fuel", limit: Some(Limit::FuelPerEvent), text: text.into() }
    }

    /// What `error` says, given which growth was denied and what the guest said before.
    pub(crate) fn of(error: &wasmtime::Error, denied: Option<Limit>, said: &[Line], limits: &Limits) -> Self {
        // Of a function of the host, which knows best.
        if let Some(fault) = error.downcast_ref::<Self>() {
            return fault.clone();
        }
        let trap = error.downcast_ref::<Trap>();
        let Self { code, limit, mut text } = match (trap, denied) {
            (Some(Trap::OutOfFuel), _) => {
                Self::of_fuel("burned all its fuel (see limits.fuel_per_event and limits.fuel_configure)")
            }
            (_, Some(Limit::TableElements)) => Self {
                code: "memory",
                limit: denied,
                text: format!("needs more than {} table elements", limits.table_elements),
            },
            (_, Some(_)) => Self {
                code: "memory",
                limit: denied,
                text: format!("needs more than {} bytes of memory", limits.memory_bytes),
            },
            (Some(trap), None) => {
                Self::trap(format!("trapped: {}", trap.to_string().trim_start_matches("wasm trap: ")))
            }
            (None, None) => Self::without_trap(error, limits),
        };
        let said: Vec<&str> =
            said.iter().map(|(_, line)| line.as_str()).filter(|l| !l.starts_with(PANIC_NOTE)).collect();
        for line in &said[said.len().saturating_sub(2)..] {
            text.push_str(&format!("; it said \"{line}\""));
        }
        let frames = frames(error);
        if !frames.is_empty() {
            text.push_str(&format!("; in {}", frames.join(" < ")));
        }
        Self { code, limit, text: clean(&text, REASON_BYTES_MAX) }
    }

    fn trap(text: String) -> Self {
        Self { code: "trap", limit: None, text }
    }

    fn without_trap(error: &wasmtime::Error, limits: &Limits) -> Self {
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return Self::trap(format!("called exit({})", exit.0));
        }
        let text = format!("{:#}", error.root_cause());
        // The types of the first two of these errors are private to wasmtime.
        if text.contains("fuel allocated for hostcalls") {
            let text = format!("hands over more than {} bytes at once", limits.output_bytes);
            return Self::too_large(Limit::OutputBytes, text);
        }
        let is_full = text.contains("store handle limit exceeded")
            || matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full));
        if is_full {
            let text = format!("holds more than {} handles at once (see limits.resources)", limits.resources);
            return Self { limit: Some(Limit::Resources), ..Self::trap(text) };
        }
        if error.downcast_ref::<WasmBacktrace>().is_some() {
            return Self::trap(format!("was stopped: {text}"));
        }
        Self::bad_answer(format!("gives an answer that cannot be read: {text}"))
    }
}

/// The innermost functions of the guest, without the language's own panic machinery.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    frames_in(&backtrace.to_string())
}

/// A function is followed by the line that says where it is, if the plugin was built with line tables.
fn frames_in(backtrace: &str) -> Vec<String> {
    let lines: Vec<&str> = backtrace.lines().collect();
    let frames = lines.iter().enumerate().filter_map(|(n, line)| {
        let at = lines.get(n + 1).and_then(|next| next.trim_start().strip_prefix("at "));
        let name = function(line, at.is_some())?;
        let is_machinery = machinery(&name) || at.is_some_and(|path| path.starts_with(STANDARD_LIBRARY));
        let place = at.and_then(place).map_or(String::new(), |place| format!(" ({})", clean(&place, FRAME_BYTES_MAX)));
        (!is_machinery).then(|| clean(&name, FRAME_BYTES_MAX) + &place)
    });
    frames.take(FRAMES_MAX).collect()
}

/// File and line in `/somewhere/src/rules.rs:12:5`: from its crate's `src` on, since the rest is of the machine that built it.
fn place(path: &str) -> Option<String> {
    let (path, _column) = path.rsplit_once(':')?;
    let start = path.rfind("/src/").or_else(|| path.rfind('/')).map_or(0, |slash| slash + 1);
    Some(path[start..].to_owned())
}

/// The function in a line `0: 0x1f - module!function` of a backtrace, or `0: 0x1f - function` where its place is known. Its own name may have
/// an exclamation mark: the type of what never returns.
fn function(line: &str, has_place: bool) -> Option<String> {
    let name = line.split_once(" - ")?.1.trim();
    let without_module = name.split_once('!').filter(|_| !has_place);
    Some(plain(without_module.map_or(name, |(_, function)| function)))
}

/// A function's name without the hashes that the compiler adds: `core[6d9e98711c484d2e]::f` and `a::f::h29770ea6b04a9ccd`.
fn plain(name: &str) -> String {
    let hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match name.rsplit_once("::h") {
        Some((rest, tail)) if hash(tail) => rest,
        _ => name,
    };
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((inside, rest)) if hash(inside) => plain.push_str(rest),
            _ => plain.extend(["[", part]),
        }
    }
    plain
}

fn machinery(function: &str) -> bool {
    let ours = ["std::", "core::", "alloc::", "<std::", "<core::", "<alloc::", "__rust", "rust_", "__rdl", "abort"];
    ours.iter().any(|prefix| function.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_the_hashes_of_the_compiler_and_nothing_else() {
        assert_eq!(plain("core[6d9e98711c484d2e]::fmt::write"), "core::fmt::write");
        assert_eq!(plain("rogue::deeds::misdeed::h29770ea6b04a9ccd"), "rogue::deeds::misdeed");
        for name in ["<[u8] as a::B>::c", "a::h1", "wasmill:plugin/validator@0.1.0#validate", "a[b"] {
            assert_eq!(plain(name), name);
        }
    }

    #[test]
    fn function_stands_behind_its_module_whatever_its_type() {
        let named = |line| function(line, false).unwrap();
        assert_eq!(named("    0:   0x1f - rogue.wasm!rogue::deeds::misdeed"), "rogue::deeds::misdeed");
        assert_eq!(named("    1: 0x2 - <unknown>!std::run::<f, !>"), "std::run::<f, !>");
        assert_eq!(function("    2: 0x3 - run::<f, !>", true).unwrap(), "run::<f, !>");
        assert_eq!(function("wasm backtrace:", false), None);
    }

    #[test]
    fn frames_have_their_places_where_there_are_any_and_are_without_machinery() {
        let lines = [
            "error while executing at wasm backtrace:",
            "    0:    0xd6 - end::<{closure#0}, !>",
            "                    at /rustc/59807616e1fa/library/std/src/sys/backtrace.rs:182:18",
            "    1:    0xdb - rules::check",
            "                    at /somewhere/rules/src/check.rs:12:5",
            "              - rules::each",
            "                    at lib.rs:7:1",
            "    2:   0xe0 - rules.wasm!core::panicking::panic_fmt",
            "    3:   0xe1 - rules.wasm!outermost",
        ];
        assert_eq!(
            frames_in(&lines.join("\n")),
            ["rules::check (src/check.rs:12)", "rules::each (lib.rs:7)", "outermost"]
        );
    }

    #[test]
    fn panic_machinery_is_told_from_the_plugins_own_functions() {
        assert!(machinery("core::panicking::panic_fmt") && machinery("__rustc::rust_begin_unwind"));
        assert!(!machinery("rogue::deeds::misdeed"));
    }
}
