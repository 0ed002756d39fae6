//! What a plugin changed in an event, field by field.

use serde_json::Value;

/// One line for each field that came, went or changed, with its path, in the order of the keys.
pub(super) fn changes(before: &[u8], after: &[u8]) -> Vec<String> {
    let parsed = |bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let mut lines = Vec::new();
    compare("", &parsed(before), &parsed(after), &mut lines);
    lines
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            lines.push(format!("~ {path}: {before} -> {after}"));
        }
        return;
    };
    for (key, old) in old {
        match new.get(key) {
            Some(new) => compare(&below(path, key), old, new, lines),
            None => lines.push(format!("- {}: {old}", below(path, key))),
        }
    }
    let came = new.iter().filter(|(key, _)| !old.contains_key(*key));
    lines.extend(came.map(|(key, new)| format!("+ {}: {new}", below(path, key))));
}

fn below(path: &str, key: &str) -> String {
    let key = key.replace('\\', "\\\\").replace('.', "\\.");
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_with_its_path() {
        let before = br#"{"same":1,"gone":2,"source":{"ip":"::1","n":1},"list":[1]}"#;
        let after = br#"{"same":1,"source":{"ip":"::1","n":2,"a.b":null},"list":[1,2]}"#;
        let expected = ["- gone: 2", "~ list: [1] -> [1,2]", "~ source.n: 1 -> 2", "+ source.a\\.b: null"];
        assert_eq!(changes(before, after), expected);
        assert!(changes(before, before).is_empty());
    }
}
