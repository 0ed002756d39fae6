//! What came beside what was expected: rows in order, each with the columns that are named.

use serde_json::Value;

/// Rows of a sink that are told when there are more or fewer than expected.
const ROWS_TOLD: usize = 5;

/// Sentences on what is other than expected.
pub(super) fn differences(sink: &str, expected: &[Value], came: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    for (n, (expected, came)) in expected.iter().zip(came).enumerate() {
        compare(&format!("{sink}[{n}]"), expected, came, &mut told);
    }
    if expected.len() != came.len() {
        told.insert(0, format!("{sink}: {} expected, and {} came", expected.len(), came.len()));
        let missing = expected.iter().skip(came.len()).map(|row| format!("{sink}: missing {row}"));
        let more = came.iter().skip(expected.len()).map(|row| format!("{sink}: not expected {row}"));
        told.extend(missing.chain(more).take(ROWS_TOLD));
    }
    told
}

/// Of an object only what is expected matters; of a list all does.
fn compare(place: &str, expected: &Value, came: &Value, told: &mut Vec<String>) {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            for (key, expected) in expected {
                match came.get(key) {
                    Some(came) => compare(&format!("{place}.{key}"), expected, came, told),
                    // A column that is null, and a key that is not there, are both nothing.
                    None if expected.is_null() => {}
                    None => told.push(format!("{place}.{key}: expected {expected}, and it is not there")),
                }
            }
        }
        // A column of JSON comes as its text.
        (Value::Object(_) | Value::Array(_), Value::String(text)) if parsed(text).is_some() => {
            compare(place, expected, &parsed(text).unwrap_or_default(), told);
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
        (expected, came) if expected == came => {}
        (expected, came) => told.push(format!("{place}: expected {expected}, and {came} came")),
    }
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_columns_that_are_named_matter() {
        let came = [json!({ "id": "1", "n": 7.0, "body": "{\"a\":[1,2],\"b\":1}", "none": null })];
        let same = [json!({ "n": 7, "body": { "a": [1, 2] }, "none": null, "absent": null })];
        assert!(differences("rows", &same, &came).is_empty());
        let other = [json!({ "id": "2", "body": { "a": [1] }, "absent": 1 })];
        let told = [
            "rows[0].absent: expected 1, and it is not there",
            "rows[0].body.a: expected [1], and [1,2] came",
            "rows[0].id: expected \"2\", and \"1\" came",
        ];
        assert_eq!(differences("rows", &other, &came), told);
    }

    #[test]
    fn rows_that_are_missing_or_too_many_are_told() {
        let rows = |count: i32| (0..count).map(|n| json!({ "n": n })).collect::<Vec<_>>();
        assert_eq!(
            differences("rows", &rows(2), &rows(1)),
            ["rows: 2 expected, and 1 came", "rows: missing {\"n\":1}"]
        );
        assert_eq!(differences("rows", &[], &rows(9)).len(), 1 + ROWS_TOLD);
    }
}
