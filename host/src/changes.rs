//! What changed in an event, field by field.

use std::fmt;

use serde_json::Value;

/// A field that came, went or changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'v> {
    /// Its keys joined by dots, as paths are written.
    pub path: String,
    /// What it was; `None`: it was not there.
    pub before: Option<&'v Value>,
    /// What it is; `None`: it is not there.
    pub after: Option<&'v Value>,
}

/// The fields that changed, in the order of the keys.
pub fn changes<'v>(before: &'v Value, after: &'v Value) -> Vec<Change<'v>> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

fn compare<'v>(path: &str, before: &'v Value, after: &'v Value, changes: &mut Vec<Change<'v>>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            changes.push(Change { path: path.to_owned(), before: Some(before), after: Some(after) });
        }
        return;
    };
    for (key, old) in old {
        let path = below(path, key);
        match new.get(key) {
            Some(new) => compare(&path, old, new, changes),
            None => changes.push(Change { path, before: Some(old), after: None }),
        }
    }
    let came = new.iter().filter(|(key, _)| !old.contains_key(*key));
    changes.extend(came.map(|(key, new)| Change { path: below(path, key), before: None, after: Some(new) }));
}

fn below(path: &str, key: &str) -> String {
    let key = key.replace('\\', "\\\\").replace('.', "\\.");
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (self.before, self.after) {
            (Some(before), Some(after)) => write!(f, "~ {path}: {before} -> {after}"),
            (Some(before), None) => write!(f, "- {path}: {before}"),
            (None, Some(after)) => write!(f, "+ {path}: {after}"),
            (None, None) => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_is_told_with_its_path() {
        let before = json!({ "same": 1, "gone": 2, "source": { "ip": "::1", "n": 1 }, "list": [1] });
        let after = json!({ "same": 1, "source": { "ip": "::1", "n": 2, "a.b": null }, "list": [1, 2] });
        let lines: Vec<String> = changes(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["- gone: 2", "~ list: [1] -> [1,2]", "~ source.n: 1 -> 2", "+ source.a\\.b: null"]);
        assert!(changes(&before, &before).is_empty());
    }
}
