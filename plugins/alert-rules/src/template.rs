//! Templates: text with placeholders, `{field.path}` for a field and `{$count}` for what the rule knows beyond its event.

use crate::columns::{Columns, Registry};
use crate::watch::Facts;
use wasmill_expr::time::format_rfc3339;
use wasmill_expr::unescaped;
use wasmill_sdk::check_path;

/// Bytes of a template as written.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 4096;
/// Placeholders in one template.
pub(crate) const PLACEHOLDERS_MAX: usize = 64;

/// What stands for a field that is absent or null.
const NOTHING: &str = "-";

/// A parsed template.
#[derive(Debug, Default)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    /// The slot of a field's raw JSON token.
    Field(usize),
    Fact(Fact),
}

/// What a rule knows beyond its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Key,
    Count,
    Suppressed,
    LastSeen,
}

impl Fact {
    const ALL: [(&str, Fact); 4] = [
        ("$key", Fact::Key),
        ("$count", Fact::Count),
        ("$suppressed", Fact::Suppressed),
        ("$last_seen", Fact::LastSeen),
    ];
}

/// What may stand in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A rule's key: fields.
    Key,
    /// Fields, and what a rule without windows knows.
    Event,
    /// Fields, and what a rule with a window knows.
    Window,
    /// What a rule knows of a key that is absent: there is no event that could have fields.
    Absent,
}

impl Scope {
    fn check(self, fact: Option<Fact>) -> Result<(), &'static str> {
        let why = match (self, fact) {
            (Scope::Key, Some(_)) => "a key is made of fields alone",
            (Scope::Absent, None) => "an event that does not come has no fields; write `{$key}` or `{$last_seen}`",
            (Scope::Event | Scope::Absent, Some(Fact::Count)) => "only a rule with `rate` or `distinct` has a count",
            (Scope::Event | Scope::Window, Some(Fact::LastSeen)) => "only a rule with `absent` tells when it last was",
            _ => return Ok(()),
        };
        Err(why)
    }
}

/// What placeholders are filled from.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) columns: Columns<'a>,
    pub(crate) key: &'a str,
    pub(crate) facts: Facts,
}

impl Known<'_> {
    /// Appends a fact, see [`push`].
    fn push_fact(&self, to: &mut Vec<u8>, fact: Fact, end: usize) -> bool {
        match fact {
            Fact::Key => push(to, self.key, end),
            Fact::Count => push(to, &digits(self.facts.count), end),
            Fact::Suppressed => push(to, &digits(self.facts.suppressed.into()), end),
            Fact::LastSeen => push(to, format_rfc3339(self.facts.last_seen).as_str(), end),
        }
    }
}

impl Template {
    /// Parses a template: `{a.b}` is the field `a.b`, `{$count}` a fact, `{{` and `}}` are braces.
    ///
    /// # Errors
    /// A sentence that continues the template's name.
    pub(crate) fn parse(source: &str, scope: Scope, registry: &mut Registry) -> Result<Self, String> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("has more than {TEMPLATE_BYTES_MAX} bytes"));
        }
        let mut template = Template(Vec::new());
        let mut rest = source;
        while let Some(place) = brace(rest) {
            // Split and not sliced: the panic of a slice tells of characters, and brings 7 kB of Unicode's tables into the component.
            let (text, braced) = rest.split_at_checked(place).unwrap_or_default();
            let (this, after) = braced.split_at_checked(1).unwrap_or_default();
            template.text(text);
            let at = source.len() - braced.len();
            rest = if let Some(after_both) = after.strip_prefix(this) {
                template.text(this);
                after_both
            } else if this == "{"
                && let Some((name, after_placeholder)) = after.split_once('}')
            {
                template.placeholder(name, scope, registry).map_err(|why| wrong(source, at, &why))?;
                after_placeholder
            } else {
                return Err(wrong(source, at, "a brace is alone; to write one, write it twice"));
            };
        }
        template.text(rest);
        Ok(template)
    }

    /// Parses a rule's key: a field's path when it has no braces, and a template otherwise.
    ///
    /// # Errors
    /// As for [`Template::parse`].
    pub(crate) fn key(source: &str, registry: &mut Registry) -> Result<Self, String> {
        if brace(source).is_some() || source.len() > TEMPLATE_BYTES_MAX {
            return Self::parse(source, Scope::Key, registry);
        }
        let mut template = Template(Vec::new());
        template.placeholder(source, Scope::Key, registry).map_err(|why| wrong(source, 0, &why))?;
        Ok(template)
    }

    /// The text, cut off before the character that would make it longer than `bytes_max`. A text field is written as it
    /// is, any other value as its JSON, an absent or null one as `-`. Control characters, which could break a line or drive a
    /// terminal, become spaces.
    pub(crate) fn render(&self, known: &Known<'_>, bytes_max: usize) -> String {
        let mut rendered = Vec::new();
        for part in &self.0 {
            let is_whole = match part {
                Part::Text(text) => push(&mut rendered, text, bytes_max),
                Part::Field(slot) => push_field(&mut rendered, &known.columns, *slot, bytes_max),
                Part::Fact(fact) => known.push_fact(&mut rendered, *fact, bytes_max),
            };
            if !is_whole {
                break;
            }
        }
        text_of(rendered)
    }

    /// Appends the text of a template that names fields alone, as [`Template::render`] has it.
    #[inline]
    pub(crate) fn append(&self, columns: &Columns<'_>, rendered: &mut Vec<u8>, bytes_max: usize) {
        let end = rendered.len() + bytes_max;
        for part in &self.0 {
            let is_whole = match part {
                Part::Text(text) => push(rendered, text, end),
                Part::Field(slot) => push_field(rendered, columns, *slot, end),
                Part::Fact(_) => unreachable!("a key is made of fields alone"),
            };
            if !is_whole {
                break;
            }
        }
    }

    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.0.push(Part::Text(text.to_owned())),
        }
    }

    fn placeholder(&mut self, name: &str, scope: Scope, registry: &mut Registry) -> Result<(), String> {
        if self.0.iter().filter(|part| !matches!(part, Part::Text(_))).count() == PLACEHOLDERS_MAX {
            return Err(format!("there are more than {PLACEHOLDERS_MAX} placeholders"));
        }
        if name.starts_with('$') {
            let Some((_, fact)) = Fact::ALL.iter().find(|(of, _)| *of == name) else {
                return Err(format!("`{name}` is not one of `$key`, `$count`, `$suppressed` and `$last_seen`"));
            };
            scope.check(Some(*fact))?;
            self.0.push(Part::Fact(*fact));
            return Ok(());
        }
        check_path(name)?;
        scope.check(None)?;
        self.0.push(Part::Field(registry.json(name)));
        Ok(())
    }
}

/// Where the first brace is.
#[inline(never)]
fn brace(text: &str) -> Option<usize> {
    text.bytes().position(|byte| matches!(byte, b'{' | b'}'))
}

/// A number as it is shown.
#[inline(never)]
pub(crate) fn digits(number: u64) -> String {
    format!("{number}") // `to_string` is 400 bytes more
}

/// Appends a field's value as it may be shown, see [`push`].
fn push_field(to: &mut Vec<u8>, columns: &Columns<'_>, slot: usize, end: usize) -> bool {
    let token = columns.token(slot).unwrap_or(NOTHING);
    // Nearly always it is plain, and then it has no escapes either.
    match unquoted(token) {
        Some(text) => push_plain(to, text, end) || push_slowly(to, &mut unescaped(text), end),
        None => push(to, token, end),
    }
}

/// Appends a text as it may be shown, as long as all of `to` is no longer than `end`; whether it was.
fn push(to: &mut Vec<u8>, text: &str, end: usize) -> bool {
    push_plain(to, text, end) || push_slowly(to, &mut text.chars(), end)
}

/// The same for a text that is short enough and has nothing that must not be shown; of any other one, nothing.
fn push_plain(to: &mut Vec<u8>, text: &str, end: usize) -> bool {
    // Its length first: a text may be as long as an event.
    if to.len() + text.len() > end {
        return false;
    }
    let before = to.len();
    let is_plain = copy_plain(to, text.as_bytes());
    if !is_plain {
        to.truncate(before);
    }
    is_plain
}

/// Appends a text, and answers whether it is ASCII without control characters and backslashes. Eight bytes at a time; the last ones
/// overlap the ones before.
fn copy_plain(to: &mut Vec<u8>, text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word;
    let equal = |word: u64, byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
    // What is over a marked byte may be marked wrongly.
    let marks = |bytes: [u8; 8]| {
        let word = u64::from_le_bytes(bytes);
        (word | below(word, 0x20) | equal(word, 0x7f) | equal(word, b'\\')) & HIGH
    };
    let Some(last) = text.last_chunk() else {
        return text.iter().all(|byte| {
            to.push(*byte);
            (b' '..=b'~').contains(byte) && *byte != b'\\'
        });
    };
    let before_last = to.len() + text.len() - last.len();
    let mut marked = marks(*last);
    for word in text.as_chunks().0 {
        marked |= marks(*word);
        to.extend_from_slice(word);
    }
    to.truncate(before_last);
    to.extend_from_slice(last);
    marked == 0
}

#[cold]
#[inline(never)]
fn push_slowly(to: &mut Vec<u8>, characters: &mut dyn Iterator<Item = char>, end: usize) -> bool {
    for character in characters {
        if to.len() + character.len_utf8() > end {
            return false;
        }
        let shown = if character.is_control() { ' ' } else { character };
        to.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
    true
}

#[cold]
#[inline(never)]
fn wrong(source: &str, at: usize, why: &str) -> String {
    let is_first_of_character = |byte: &u8| byte & 0xc0 != 0x80;
    let column = 1 + source.bytes().take(at).filter(is_first_of_character).count();
    format!("is wrong at column {column}: {why}")
}

/// The text of bytes to which only whole characters were pushed.
pub(crate) fn text_of(rendered: Vec<u8>) -> String {
    String::from_utf8(rendered).unwrap_or_default()
}

/// A JSON string's inner text, escapes and all.
fn unquoted(token: &str) -> Option<&str> {
    token.strip_prefix('"').and_then(|text| text.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text is plain; it is appended if it is.
    fn is_plain(text: &str) -> bool {
        let mut appended = b"before".to_vec();
        let is_plain = push_plain(&mut appended, text, 1_000);
        assert_eq!(appended, format!("before{}", if is_plain { text } else { "" }).as_bytes());
        is_plain
    }

    #[test]
    fn a_byte_that_must_not_be_shown_is_found_wherever_it_stands() {
        for length in 1..20 {
            let text = "y".repeat(length);
            assert!(is_plain(&text));
            for place in 0..length {
                for byte in 0..0x80_u8 {
                    let mut text = text.clone().into_bytes();
                    text[place] = byte;
                    let text = String::from_utf8(text).unwrap();
                    let expected = (b' '..=b'~').contains(&byte) && byte != b'\\';
                    assert_eq!(is_plain(&text), expected, "{text:?}");
                }
                assert!(!is_plain(&format!("{}ä{}", &text[..place], &text[place..])));
            }
        }
        assert!(is_plain(""));
    }
}
