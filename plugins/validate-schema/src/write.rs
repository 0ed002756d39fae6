//! A value as JSON again: constants of a schema, and what a reason shows.

use crate::tape::{Json, Kind};

/// The value's JSON, without white space.
pub(crate) fn token(json: Json<'_>, node: u32) -> String {
    let mut token = String::new();
    write(json, node, &mut token);
    token
}

fn write(json: Json<'_>, node: u32, into: &mut String) {
    match json.kind(node) {
        Kind::Null | Kind::Shadowed => into.push_str("null"),
        Kind::False => into.push_str("false"),
        Kind::True => into.push_str("true"),
        Kind::Number => into.push_str(json.text(node)),
        Kind::Text => quote(json.text(node), into),
        Kind::Array => {
            into.push('[');
            for (place, element) in json.elements(node).enumerate() {
                into.push_str(if place > 0 { "," } else { "" });
                write(json, element, into);
            }
            into.push(']');
        }
        Kind::Object => {
            into.push('{');
            for (place, key) in json.members(node).enumerate() {
                into.push_str(if place > 0 { "," } else { "" });
                quote(json.text(key), into);
                into.push(':');
                write(json, key + 1, into);
            }
            into.push('}');
        }
    }
}

fn quote(text: &str, into: &mut String) {
    into.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => into.extend(['\\', character]),
            '\0'..=' ' if character != ' ' => into.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => into.push(character),
        }
    }
    into.push('"');
}
