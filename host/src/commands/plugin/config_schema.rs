//! What a plugin's config may be, as the JSON Schema that the component carries says: read without running any of its code.

use serde_json::Value;

/// The custom section that the SDK puts it into.
pub(super) const SECTION: &str = "wasmill:config-schema";
/// So deep is a config told, and in so many lines: the schema is the plugin's own word.
const DEPTH_MAX: usize = 8;
const LINES_MAX: usize = 100;

/// A line for each key: where it stands, what it may be, and what its author says of it.
pub(super) fn lines(schema: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    keys(schema, "", DEPTH_MAX, &mut lines);
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.push("and more: see --format json".to_owned());
    }
    if lines.is_empty() && schema["additionalProperties"] == Value::Bool(false) {
        lines.push("none".to_owned());
    }
    lines
}

fn keys(schema: &Value, path: &str, depth: usize, lines: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object().filter(|_| depth > 0 && lines.len() <= LINES_MAX) else {
        return;
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, value) in properties {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let mut line = format!("{path}: {}", kind(value, depth));
        if required.contains(&key.as_str()) {
            line.push_str(", required");
        }
        if let Some(default) = value.get("default") {
            line.push_str(&format!(", {default} where it is not there"));
        }
        if let Some(says) = value["description"].as_str().and_then(|text| text.lines().next()) {
            line.push_str(&format!(" - {says}"));
        }
        lines.push(line);
        let (within, inner) = parts(value, &path);
        keys(inner, &within, depth - 1, lines);
    }
}

/// Where the keys of a value stand, behind lists and maps, and the schema that has them.
fn parts<'s>(schema: &'s Value, path: &str) -> (String, &'s Value) {
    let (mut path, mut schema) = (path.to_owned(), schema);
    for _ in 0..DEPTH_MAX {
        if schema["items"].is_object() {
            path.push_str("[]");
            schema = &schema["items"];
        } else if schema["additionalProperties"].is_object() {
            path.push_str(".*");
            schema = &schema["additionalProperties"];
        } else if schema["anyOf"][1].is_object() {
            schema = &schema["anyOf"][1];
        } else {
            break;
        }
    }
    (path, schema)
}

/// What a value may be, in words.
fn kind(schema: &Value, depth: usize) -> String {
    if depth == 0 {
        return "...".to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        return words.join(" or ");
    }
    if schema["anyOf"][1].is_object() {
        return format!("{} or null", kind(&schema["anyOf"][1], depth - 1));
    }
    let word = match &schema["type"] {
        Value::String(word) => word.as_str(),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            return words.join(" or ");
        }
        _ => return "anything".to_owned(),
    };
    match (word, schema.get("minimum"), schema.get("maximum")) {
        ("array", ..) => format!("list of {}", kind(&schema["items"], depth - 1)),
        ("object", ..) if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"], depth - 1))
        }
        (_, Some(minimum), Some(maximum)) => format!("{word} from {minimum} to {maximum}"),
        (_, Some(minimum), None) => format!("{word} from {minimum}"),
        (_, None, Some(maximum)) => format!("{word} up to {maximum}"),
        (word, None, None) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_told_with_their_place_and_what_they_may_be() {
        let inner = json!({ "type": "object", "additionalProperties": false, "required": ["port"], "properties": {
            "port": { "type": "integer", "minimum": 0, "maximum": 65_535 }, "mode": { "enum": ["a", "b"] } } });
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["peers"], "properties": {
            "longest": { "description": "Longest.\nMore.", "default": 200, "type": "integer", "minimum": 1, "maximum": 9 },
            "peers": { "type": "array", "items": inner },
            "by_name": { "type": "object", "additionalProperties": { "anyOf": [{ "type": "null" }, inner] } },
            "any": {}, "some": { "type": ["string", "number"] }, "factor": { "type": "number", "minimum": 0.5 } } });
        assert_eq!(
            lines(&schema),
            [
                "any: anything",
                "by_name: map to object or null",
                "by_name.*.mode: \"a\" or \"b\"",
                "by_name.*.port: integer from 0 to 65535, required",
                "factor: number from 0.5",
                "longest: integer from 1 to 9, 200 where it is not there - Longest.",
                "peers: list of object, required",
                "peers[].mode: \"a\" or \"b\"",
                "peers[].port: integer from 0 to 65535, required",
                "some: string or number",
            ]
        );
        assert_eq!(lines(&json!({ "type": "object", "additionalProperties": false, "properties": {} })), ["none"]);
    }

    #[test]
    fn a_schema_that_a_plugin_made_up_is_told_within_bounds() {
        for hostile in [json!(null), json!([]), json!({ "properties": 1 }), json!({ "properties": { "a": 1 } })] {
            assert!(lines(&hostile).len() < 2);
        }
        let mut deep = json!({});
        for _ in 0..100 {
            deep = json!({ "properties": { "a": { "type": "array", "items": deep } } });
        }
        assert!(lines(&deep).len() <= DEPTH_MAX);
        let wide: serde_json::Map<String, Value> = (0..1_000).map(|n| (n.to_string(), json!({}))).collect();
        assert_eq!(lines(&json!({ "properties": wide })).len(), LINES_MAX + 1);
    }
}
