//! JSON pointers (RFC 6901) into a text that was read.

use crate::tape::{Json, Kind};

/// Characters of a key that a pointer shows.
const KEY_CHARS_MAX: usize = 100;

/// The pointer to a value, and whether the node is the key of that value instead. Empty for the whole text.
pub(crate) fn of(json: Json<'_>, wanted: u32) -> (String, bool) {
    let mut pointer = String::new();
    let mut node = 0;
    while node != wanted {
        let (step, is_key): (String, bool) = match json.kind(node) {
            Kind::Array => {
                let is_around = |element: &(usize, u32)| wanted < json.end(element.1);
                let Some((place, element)) = json.elements(node).enumerate().find(is_around) else { break };
                node = element;
                (place.to_string(), false)
            }
            Kind::Object => {
                let Some(key) = json.members(node).find(|key| wanted < json.end(key + 1)) else { break };
                node = key + 1;
                (json.text(key).chars().take(KEY_CHARS_MAX).flat_map(escaped).collect(), wanted == key)
            }
            _ => break,
        };
        pointer.push('/');
        pointer.push_str(&step);
        if is_key {
            return (pointer, true);
        }
    }
    (pointer, false)
}

/// A character of a key as pointers have it, and no control character.
fn escaped(character: char) -> Vec<char> {
    match character {
        '~' => vec!['~', '0'],
        '/' => vec!['~', '1'],
        _ if character.is_control() => character.escape_unicode().collect(),
        _ => vec![character],
    }
}

/// Where a pointer leads from a value.
pub(crate) fn follow(json: Json<'_>, from: u32, pointer: &str) -> Option<u32> {
    pointer.split('/').skip(1).try_fold(from, |node, step| match json.kind(node) {
        Kind::Array if step == "0" || !step.starts_with(['0', '+']) => json.elements(node).nth(step.parse().ok()?),
        Kind::Object => json.get(node, &step.replace("~1", "/").replace("~0", "~")),
        _ => None,
    })
}
