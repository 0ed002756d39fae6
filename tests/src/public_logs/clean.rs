//! What `enrich-clean` makes of a line, said once more and plainly: a character at a time, every place looked at by itself.

use std::ops::Range;

/// A text as it is stored, and what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) text: String,
    pub(super) controls: u64,
    pub(super) secrets: u64,
    pub(super) cards: u64,
}

const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
];
const NO_SECRETS: [&str; 6] = ["null", "none", "nil", "true", "false", "undefined"];
const SCHEMES: [&str; 7] = ["bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey"];
/// Text that this page has no answer for: the samples have none of it.
const UNKNOWN: [&str; 4] = ["\u{1b}", "bearer ", "basic ", "\u{9b}"];
const MASK: &str = "***";

struct Secret {
    span: Range<usize>,
    is_card: bool,
}

/// The text after the example's cleaning. `None`: nobody can say.
pub(super) fn clean(text: &str) -> Option<Cleaned> {
    let lower = text.to_ascii_lowercase();
    if text.len() > 16_000 || UNKNOWN.iter().any(|unknown| lower.contains(unknown)) {
        return None;
    }
    let mut cleaned = Cleaned::default();
    let mut characters = Vec::new();
    for char in text.chars() {
        let is_direction = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match char {
            '\t' | '\n' | '\r' => characters.push(' '),
            _ if is_direction || char.is_control() => {}
            _ => {
                characters.push(char);
                continue;
            }
        }
        cleaned.controls += 1;
    }
    let mut secrets =
        [named(&characters), in_urls(&characters), cards(&characters)].into_iter().flatten().collect::<Vec<_>>();
    secrets.sort_by_key(|secret| secret.span.start);
    let mut at = 0;
    for Secret { span, is_card } in secrets {
        if span.start < at || characters[span.clone()].iter().eq(['*'; 3].iter()) {
            continue;
        }
        cleaned.text.extend(&characters[at..span.start]);
        cleaned.text.push_str(MASK);
        *(if is_card { &mut cleaned.cards } else { &mut cleaned.secrets }) += 1;
        at = span.end;
    }
    cleaned.text.extend(&characters[at..]);
    Some(cleaned)
}

fn run(text: &[char], from: usize, of: impl Fn(char) -> bool) -> usize {
    (from..text.len()).find(|at| !of(text[*at])).unwrap_or(text.len())
}

fn lower(text: &[char]) -> String {
    text.iter().map(char::to_ascii_lowercase).collect()
}

/// What stands behind a name and its separator.
fn named(text: &[char]) -> Vec<Secret> {
    let mut found = Vec::new();
    for at in (0..text.len()).filter(|at| matches!(text[*at], '=' | ':')) {
        let key: String = text[..at].iter().collect();
        let key = key.trim_end_matches([' ', '\t', '"', '\'', '`', '\\', ']']).to_ascii_lowercase();
        let letters = key.replace(['_', '-', '.'], "");
        let ends_in_joint = key.ends_with(['_', '-', '.']);
        if !ends_in_joint && NAMES.iter().any(|name| letters.ends_with(name)) {
            let span = value(text, at);
            found.extend((!span.is_empty()).then_some(Secret { span, is_card: false }));
        }
    }
    found
}

fn value(text: &[char], separator: usize) -> Range<usize> {
    let is_blank = |char| matches!(char, ' ' | '\t');
    let start = run(text, separator, |char| matches!(char, '=' | ':' | '>'));
    let start = run(text, start, is_blank);
    let start = run(text, start, |char| matches!(char, '[' | '{' | '('));
    if let Some(quote @ ('"' | '\'')) = text.get(start) {
        return start + 1..run(text, start + 1, |char| char != *quote);
    }
    let end = end_of_word(text, start);
    let word = lower(&text[start..end]);
    if NO_SECRETS.contains(&word.as_str()) {
        return end..end;
    }
    let next = run(text, end, is_blank);
    let has_next = next > end && SCHEMES.contains(&word.as_str());
    start..if has_next { end_of_word(text, next).max(end) } else { end }
}

fn end_of_word(text: &[char], start: usize) -> usize {
    let end = run(text, start, |char| char > ' ' && !matches!(char, ',' | ';' | '&' | '"' | '\'' | '`'));
    let closing = text[start..end].iter().rev().take_while(|char| matches!(char, ')' | ']' | '}' | '>' | '\\')).count();
    end - closing
}

/// The passwords in `scheme://user:password@host`.
fn in_urls(text: &[char]) -> Vec<Secret> {
    let mut found = Vec::new();
    for at in (0..text.len()).filter(|at| text[*at..].starts_with(&[':', '/', '/'])) {
        let start = at + 3;
        let end = run(text, start, |char| char > ' ' && !"/?#\"'<>\\".contains(char));
        let Some(host) = text[start..end].iter().rposition(|char| *char == '@') else { continue };
        let Some(colon) = text[start..start + host].iter().position(|char| *char == ':') else { continue };
        found.push(Secret { span: start + colon + 1..start + host, is_card: false });
    }
    found
}

/// Numbers of 13 to 19 digits with a right check digit.
fn cards(text: &[char]) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    let mut from = 0;
    while let Some(start) = (from..text.len()).find(|at| text[*at].is_ascii_digit()) {
        let card = longest_card(text, start);
        from = card.unwrap_or_else(|| run(text, start, |char| char.is_ascii_digit()));
        if card.is_some() {
            found.push(Secret { span: start..from, is_card: true });
        }
    }
    found
}

/// Where the part ends of the longest card's number from `start` on that is masked: before its last four digits.
fn longest_card(text: &[char], start: usize) -> Option<usize> {
    let mut digits: Vec<(usize, u32)> = Vec::new();
    let mut longest = None;
    let mut at = start;
    loop {
        let end = run(text, at, |char| char.is_ascii_digit());
        digits.extend((at..end).filter_map(|at| Some((at, text[at].to_digit(10)?))));
        if end == at || digits.len() > 19 || digits[0].1 < 2 || touches(text, at, end) {
            return longest;
        }
        if digits.len() >= 13 && luhn(&digits) {
            longest = Some(digits[digits.len() - 4].0);
        }
        if end - at < 4 || !matches!(text.get(end), Some(' ' | '-')) {
            return longest;
        }
        at = end + 1;
    }
}

/// Whether letters or a decimal point touch a group of digits.
fn touches(text: &[char], at: usize, end: usize) -> bool {
    let char = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or(' ');
    let (before, after) = (char(at.checked_sub(1)), char(Some(end)));
    let is_fraction = before == '.' && char(at.checked_sub(2)).is_ascii_digit();
    let has_fraction = after == '.' && char(Some(end + 1)).is_ascii_digit();
    let is_of_name = before == '_' || before == '-' && char(at.checked_sub(2)) == '_';
    is_of_name || before.is_ascii_alphabetic() || after.is_ascii_alphabetic() || is_fraction || has_fraction
}

fn luhn(digits: &[(usize, u32)]) -> bool {
    let doubled = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let values = digits.iter().rev().enumerate();
    let sum: u32 = values.map(|(place, (_, digit))| if place % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_as_the_plugins_readme_says() {
        let cases = [
            ("nothing to hide\r", "nothing to hide "),
            ("password=hunter2, token: [abc]", "password=***, token: [***]"),
            ("client_secret='a b' token=null", "client_secret='***' token=null"),
            ("X-Api-Key: k; Authorization: Digest d", "X-Api-Key: ***; Authorization: ***"),
            ("from postgres://app:pw@db/shop", "from postgres://app:***@db/shop"),
            ("card 4111 1111 1111 1111 of x", "card ***1111 of x"),
            ("id x4111111111111111, at 1511111111111111", "id x4111111111111111, at 1511111111111111"),
            ("blk_4111111111111111 blk_-4111111111111111", "blk_4111111111111111 blk_-4111111111111111"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text).expect("known").text, expected);
        }
        assert_eq!(clean("\u{1b}[31m"), None);
    }
}
