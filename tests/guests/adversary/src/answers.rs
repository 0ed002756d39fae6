//! The validator's answers: decent for events without a deed, else as the event demands.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::bindings::wasmill::plugin::types::{Batch, Rejection, Verdicts};
use crate::{CALLS, Deed, deeds};

pub(crate) fn validate(batch: &Batch) -> Verdicts {
    let mut verdicts = Verdicts { actions: vec![0; batch.events as usize], rejections: Vec::new() };
    for event in 0..batch.events {
        let deed = match order(batch, event as usize) {
            Some(order) => Deed::parse(order),
            None => crate::deed_without_order(),
        };
        deeds::do_anywhere(deed);
        answer(event, deed, &mut verdicts);
    }
    verdicts
}

/// The text of the event's field `do`, the first of the batch's fields.
fn order(batch: &Batch, event: usize) -> Option<&str> {
    let slot = event * batch.fields as usize;
    let is_present = batch.states.get(slot / 32).is_none_or(|word| word >> (2 * (slot % 32)) & 3 == 2);
    if !is_present {
        return None;
    }
    let (offset, length) = ((batch.slots[slot] >> 32) as usize, (batch.slots[slot] & 0xffff_ffff) as usize);
    Some(std::str::from_utf8(&batch.text[offset..offset + length]).expect("the host sends UTF-8"))
}

fn answer(event: u32, deed: Deed<'_>, verdicts: &mut Verdicts) {
    let amount = deed.amount();
    let mut reject = |event: u32, code: &str, reason: String| {
        verdicts.actions[event as usize] = 2;
        verdicts.rejections.push(Rejection { event, code: code.to_owned(), reason });
    };
    match deed.word {
        "state" => crate::state::call(deed.argument),
        "clock" => reject(event, "saw", clock()),
        "random" => reject(event, "saw", random()),
        "outside" => reject(event, "saw", outside()),
        "calls" => reject(event, "saw", CALLS.load(Ordering::Relaxed).to_string()),
        "reason" => reject(event, "long", "r".repeat(amount)),
        "code" => reject(event, &"c".repeat(amount), "a long code".to_owned()),
        "control" => reject(event, "control", "a\0b\nc\u{1b}[31md\u{202e}e".to_owned()),
        "reject_all" => {
            verdicts.rejections.clear();
            let all = 0..verdicts.actions.len() as u32;
            verdicts.actions.fill(2);
            let rejection = |event| Rejection { event, code: "all".to_owned(), reason: "r".repeat(amount) };
            verdicts.rejections.extend(all.map(rejection));
        }
        "no_actions" => verdicts.actions.clear(),
        "unordered" => {
            reject(event, "unordered", "after".to_owned());
            reject(event.saturating_sub(1), "unordered", "before".to_owned());
        }
        _ => {}
    }
}

fn clock() -> String {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let before = now();
    std::thread::sleep(Duration::from_millis(10));
    format!("{before} then {}", now())
}

/// The order of a hash map with random keys.
fn random() -> String {
    let map: HashMap<u32, ()> = (0..8).map(|number| (number, ())).collect();
    map.keys().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn outside() -> String {
    let files = std::fs::read("/etc/passwd").is_ok()
        || std::fs::read_dir("/").is_ok_and(|entries| entries.count() > 0)
        || std::fs::write("adversary.txt", "was here").is_ok();
    let input = std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0);
    format!(
        "{} variables, {} arguments, {} files, {} input",
        std::env::vars().count(),
        std::env::args().count(),
        if files { "some" } else { "no" },
        if input { "some" } else { "no" },
    )
}
