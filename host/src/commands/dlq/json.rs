//! Letters as JSON, for programs: the object of a file's lines, with what became of the letter beside it.

use serde_json::{Map, Value, json};
use wasmill_expr::time::format_rfc3339_micros;

use crate::dead_letters;
use crate::delivery::DeadLetter;
use crate::letters::{Letter, LetterGroup, Rejected};

/// What is the event's own.
const EVENT: [&str; 5] = ["key", "key_base64", "payload", "payload_base64", "headers"];
/// The codes of plugins that failed, whose reasons end with where that was.
const FAULTS: [&str; 3] = ["trap", "fuel", "memory"];

/// A letter without its event.
pub(super) fn listed(letter: &Letter) -> Value {
    let mut object = object(letter);
    object.retain(|name, _| !EVENT.contains(&name.as_str()));
    Value::Object(object)
}

/// All of a letter.
pub(super) fn whole(letter: &Letter) -> Value {
    Value::Object(object(letter))
}

/// Letters that were rejected alike.
pub(super) fn group(group: &LetterGroup) -> Value {
    let plugin = group.plugin.as_deref();
    json!({
        "letters": group.letters, "state": group.state.as_str(), "code": group.code, "stage": group.stage,
        "plugin": plugin.map(|plugin| &plugin.name), "plugin_version": plugin.map(|plugin| &plugin.version),
        "digest": plugin.map(|plugin| plugin.digest), "sink": group.sink, "oldest": time(group.oldest_us),
        "newest": time(group.newest_us),
    })
}

/// A time in microseconds since 1970.
pub(super) fn time(us: i64) -> String {
    format_rfc3339_micros(us).as_str().to_owned()
}

/// The functions in which a plugin failed, the innermost first.
pub(super) fn frames(rejected: &Rejected) -> Vec<&str> {
    let is_fault = rejected.plugin.is_some() && FAULTS.contains(&rejected.code.as_str());
    let frames = rejected.reason.rsplit_once("; in ").filter(|_| is_fault);
    frames.map_or(Vec::new(), |(_, frames)| frames.split(" < ").collect())
}

fn object(letter: &Letter) -> Map<String, Value> {
    let (stored, standing) = (&letter.stored, &letter.standing);
    let rejected = letter.rejected();
    let frames = json!(frames(&rejected));
    let Rejected { stage, plugin, code, reason } = rejected;
    let newest = DeadLetter { stage, plugin, code, reason, ..stored.letter.clone() };
    let Value::Object(mut object) = dead_letters::to_json(&stored.partition, &newest, stored.rejected_at_us) else {
        return Map::new();
    };
    let first = standing.again.is_some().then(|| Rejected::of(&stored.letter));
    let first = first.map(|first| {
        let digest = first.plugin.as_ref().map(|plugin| plugin.digest);
        let plugin = first.plugin.as_ref().map(|plugin| plugin.name.clone());
        json!({ "stage": first.stage, "plugin": plugin, "digest": digest, "code": first.code, "reason": first.reason })
    });
    let also = [
        ("id", json!(stored.id)),
        ("dead_letter_id", json!(letter.identity())),
        ("state", json!(standing.state.as_str())),
        ("attempts", json!(standing.attempts)),
        ("frames", frames),
        ("first", json!(first)),
        ("changed_at", json!(letter.changed_at_us.map(time))),
        ("generation", json!(standing.generation)),
        ("note", json!(standing.note)),
    ];
    object.extend(also.map(|(name, value)| (name.to_owned(), value)));
    object
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmill_core::{Digest, PluginRef, Stage};

    use super::*;

    #[test]
    fn functions_of_a_plugin_that_failed_are_data_and_other_sentences_are_none() {
        let plugin = PluginRef { name: "p".to_owned(), version: "1".to_owned(), digest: Digest::of(b"p") };
        let rejected = |code: &str, reason: &str| Rejected {
            stage: Stage::Validate,
            plugin: Some(Arc::new(plugin.clone())),
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        let trap = rejected("trap", "the plugin p trapped: unreachable; it said \"a; in b\"; in p::deed < p::run");
        assert_eq!(frames(&trap), ["p::deed", "p::run"]);
        assert!(frames(&rejected("mine", "found; in a < b")).is_empty());
        assert!(frames(&rejected("fuel", "the plugin p burned all its fuel")).is_empty());
    }
}
