//! JSON's escapes, in both directions, and how a value from an event is shown in a reason.

/// Characters of a value that a reason shows.
const SHOWN_CHARS: usize = 40;

/// Appends what a JSON string that begins at `from` stands for, and answers where the text goes on after its quote. Gives up when
/// no escape is left, since each costs a hundred times as much as a plain character.
pub(crate) fn unescape(text: &str, from: usize, into: &mut String, left: &mut usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let plain = bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        into.push_str(text.get(at..at + plain)?);
        at += plain + 1;
        if bytes[at - 1] == b'"' {
            return Some(at);
        }
        *left = left.checked_sub(1)?;
        let escape = *bytes.get(at)?;
        at += 1;
        into.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, length) = unicode(text, at)?;
                at += length;
                character
            }
            _ => return None,
        });
    }
}

/// The character of one `\u` escape or of two, and how long it is; `at` is after the first `\u`.
fn unicode(text: &str, at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let high = unit(at)?;
    if let Some(character) = char::from_u32(high) {
        return Some((character, 4));
    }
    let low = text.get(at + 4..at + 6).filter(|between| *between == "\\u").and_then(|_| unit(at + 6))?;
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    let code = is_pair.then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((char::from_u32(code)?, 10))
}

/// A text from an event or schema, shortened and with control characters escaped, in backticks.
#[cold]
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    let mut chars = text.chars();
    for character in chars.by_ref().take(SHOWN_CHARS) {
        match character {
            // JSON and patterns are full of them.
            '"' | '\\' | '\'' => quoted.push(character),
            _ => quoted.extend(character.escape_debug()),
        }
    }
    quoted.push_str(if chars.next().is_some() { "...`" } else { "`" });
    quoted
}
