//! What `severities` does, written by hand over the bindings that `wit-bindgen` makes of the interface: what the SDK's own cost is
//! measured against.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the generated exports")]

use bindings::exports::wasmill::plugin::plugin::Guest as Plugin;
use bindings::exports::wasmill::plugin::validator::Guest as Validator;
use bindings::wasmill::plugin::types::{Batch, Field, FieldKind, Manifest, Rejection, Verdicts};

#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "package wasmill:bare;
            world bare {
                export wasmill:plugin/plugin@0.1.0;
                export wasmill:plugin/validator@0.1.0;
            }",
        generate_all,
    });
}

struct Bare;

bindings::export!(Bare with_types_in bindings);

const FIELDS: usize = 2;
const PRESENT: u64 = 2;
const REJECT: u8 = 2;

impl Plugin for Bare {
    fn configure(_: String) -> Result<Manifest, String> {
        let read = |path: &str, kind, required| Field { path: path.into(), kind, required, lookup: None };
        let reads = vec![read("severity", FieldKind::Text, true), read("status", FieldKind::Integer, false)];
        let (name, version) = ("severities-bare".into(), "0.1.0".into());
        Ok(Manifest { name, version, reads, writes: Vec::new(), state: None })
    }
}

impl Validator for Bare {
    fn validate(batch: Batch) -> Verdicts {
        let mut verdicts = Verdicts { actions: vec![0; batch.events as usize], rejections: Vec::new() };
        for (event, slots) in batch.slots.chunks_exact(FIELDS).enumerate() {
            if let Err((code, reason)) = judge(&batch, event, slots) {
                verdicts.actions[event] = REJECT;
                let rejection = Rejection { event: event as u32, code: code.into(), reason: reason.into() };
                verdicts.rejections.push(rejection);
            }
        }
        verdicts
    }
}

fn judge(batch: &Batch, event: usize, slots: &[u64]) -> Result<(), (&'static str, &'static str)> {
    let state = |field: usize| match batch.states.get((event * FIELDS + field) / 32) {
        Some(word) => word >> ((event * FIELDS + field) % 32 * 2) & 3,
        None => PRESENT,
    };
    if state(0) != PRESENT {
        return Err(("wrong_type", "the field `severity` is not a text"));
    }
    let (start, length) = ((slots[0] >> 32) as usize, (slots[0] & 0xffff_ffff) as usize);
    let severity = &batch.text[start..start + length];
    if ![&b"DEBUG"[..], b"INFO", b"WARN", b"ERROR", b"CRITICAL"].contains(&severity) {
        return Err(("bad_severity", "the severity is not known"));
    }
    if state(1) == PRESENT && !(100..600).contains(&(slots[1] as i64)) {
        return Err(("bad_status", "the status is none"));
    }
    Ok(())
}
