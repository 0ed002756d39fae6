//! The bytes of an event as people read them on a terminal: nothing of an event reaches it as anything but visible text.

use std::fmt::Write;

use serde::de::IgnoredAny;

use crate::terminal::{all_visible, push_visible};

/// Most bytes of an event that are shown.
const SHOWN_MAX: usize = 64 << 10;
/// Most bytes that are shown in hexadecimal digits.
const HEX_MAX: usize = 4 << 10;
/// Bytes of one line of these.
const HEX_LINE: usize = 16;
const INDENT: &str = "  ";

/// JSON indented, each token as it came; other text as it is; anything else in hexadecimal digits. Ends with a line break.
pub(super) fn shown(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Err(_) => hex(bytes),
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => cut(&indented(text)),
        Ok(text) => cut(text),
    }
}

/// A key or a header's value on one line.
pub(super) fn on_one_line(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => all_visible(text),
        Err(_) => bytes.iter().take(HEX_MAX).fold("0x".to_owned(), |mut line, byte| {
            // Writing to a string does not fail.
            let _ = write!(line, "{byte:02x}");
            line
        }),
    }
}

fn cut(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN_MAX));
    for (at, c) in text.char_indices() {
        if at >= SHOWN_MAX {
            return format!("{shown}\n{}", more(text.len() - at));
        }
        if c == '\n' { shown.push(c) } else { push_visible(&mut shown, c) }
    }
    shown.push('\n');
    shown
}

fn hex(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for (line, part) in bytes[..bytes.len().min(HEX_MAX)].chunks(HEX_LINE).enumerate() {
        let digits: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            part.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        // Writing to a string does not fail.
        let _ = writeln!(shown, "{:08x}  {:<47}  {text}", line * HEX_LINE, digits.join(" "));
    }
    if bytes.len() > HEX_MAX {
        shown.push_str(&more(bytes.len() - HEX_MAX));
    }
    shown
}

fn more(bytes: usize) -> String {
    format!("... and {bytes} bytes more; --payload prints all, byte by byte\n")
}

/// Valid JSON with its members on lines of their own. What stands in strings and numbers is copied.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        let length = if c == '"' { string_length(rest) } else { c.len_utf8() };
        let (token, behind) = rest.split_at(length);
        rest = behind.trim_start_matches([' ', '\t', '\r', '\n']);
        match c {
            '{' | '[' if rest.starts_with(['}', ']']) => {
                out.push_str(token);
                out.push_str(&rest[..1]);
                rest = rest[1..].trim_start_matches([' ', '\t', '\r', '\n']);
            }
            '{' | '[' => {
                depth += 1;
                out.push_str(token);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push_str(token);
            }
            ',' => {
                out.push_str(token);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\t' | '\r' | '\n' => {}
            _ => out.push_str(token),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(INDENT, depth));
}

/// The bytes of the string that `json` begins with, quotes included.
fn string_length(json: &str) -> usize {
    let mut is_escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_its_tokens_are_copied() {
        let json = r#" {"b":1e400, "a":[ ],"a":{"x":"q\"}{\\"},"n":[1,-0.10,null] } "#;
        let expected = "{\n  \"b\": 1e400,\n  \"a\": [],\n  \"a\": {\n    \"x\": \"q\\\"}{\\\\\"\n  },\n  \"n\": [\n    1,\n    -0.10,\n    null\n  ]\n}\n";
        assert_eq!(shown(json.as_bytes()), expected);
        assert_eq!(shown(b"{}"), "{}\n");
    }

    #[test]
    fn nothing_of_an_event_is_raw() {
        assert_eq!(shown(b"{\"a\":\"\xc2\x9b31m \xe2\x80\xae\"}"), "{\n  \"a\": \"\\u{9b}31m \\u{202e}\"\n}\n");
        assert_eq!(shown(b"no JSON \x1b[2J\r\nnext"), "no JSON \\u{1b}[2J\\u{d}\nnext\n");
        assert_eq!(shown(b"A\xff\x1b\n"), format!("00000000  {:<47}  A...\n", "41 ff 1b 0a"));
        assert_eq!((on_one_line(b"k\n"), on_one_line(b"\xff\x00")), ("k\\u{a}".to_owned(), "0xff00".to_owned()));
    }

    #[test]
    fn what_is_long_is_cut_and_says_how_much_is_missing() {
        let text = "x".repeat(SHOWN_MAX + 5);
        assert!(shown(text.as_bytes()).ends_with("x\n... and 5 bytes more; --payload prints all, byte by byte\n"));
        assert!(!shown(&text.as_bytes()[..SHOWN_MAX]).contains("more"));
        let bytes = vec![0xff; HEX_MAX + 7];
        assert!(shown(&bytes).ends_with("... and 7 bytes more; --payload prints all, byte by byte\n"));
        assert!(!shown(&bytes[..HEX_MAX]).contains("more"));
    }
}
