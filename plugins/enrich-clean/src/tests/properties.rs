//! What holds of every text.

use proptest::prelude::*;
use serde_json::json;

use super::{Loaded, Value, cleaned, cleaned_by, load, of_m};
use crate::cleaner::Counts;
use crate::enrich_clean;

/// Pieces of what is cleaned, whole and broken, and of what is around it.
const PIECES: &[&str] = &[
    "password",
    "PassWord",
    "token",
    "api_key",
    "secret",
    "authorization",
    "Bearer",
    "bearer ",
    "Basic ",
    "basic",
    "=",
    ":",
    ": ",
    " = ",
    "=>",
    "==",
    "://",
    "//",
    "@",
    "\"",
    "\\\"",
    "\\",
    "'",
    "`",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    ",",
    ";",
    "&",
    "/",
    "?",
    "#",
    "***",
    "*",
    "…",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "-",
    "_",
    ".",
    "null",
    "realm",
    "of",
    "x",
    "b",
    "abc",
    "dXNlcjpwYXNz",
    "ä",
    "日",
    "🎉",
    "\u{a0}",
    "\u{2026}",
    "4111",
    "1111",
    "4111111111111111",
    "378282246310005",
    "4222222222222",
    "3782 822463 10005",
    "5555-5555-5555-4444",
    "0",
    "1",
    "7",
    "12",
    "567",
    "8",
    "999999",
    "\0",
    "\u{7}",
    "\u{7f}",
    "\x1b",
    "\x1b[",
    "\x1b[31m",
    "\x1b]",
    "\x1bP",
    "\x1b\\",
    "\u{9b}",
    "\u{9c}",
    "\u{9d}",
    "\u{85}",
    "\u{202e}",
    "user:pass@",
    "a://u:p@h",
    "x=y",
    "password=x",
    "\"token\":\"y\"",
];

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => any::<String>()]
}

fn configs() -> impl Strategy<Value = Value> {
    let controls = prop::sample::select(&["remove", "replace", "keep"][..]);
    let white_space = prop::sample::select(&["keep", "space"][..]);
    let escapes = prop::sample::select(&["remove", "keep"][..]);
    let mask = prop::sample::select(&["***", "[REDACTED]", "x", "###", "<hidden>", "-_-", "B", "b.", "null", "}"][..]);
    let max_chars = prop_oneof![Just(0), 1..60_usize];
    (controls, white_space, escapes, mask, max_chars, any::<bool>()).prop_map(
        |(controls, white_space, escapes, mask, max_chars, cards)| {
            of_m(json!({
                "control_characters": controls, "white_space": white_space, "terminal_escapes": escapes,
                "max_chars": max_chars, "secrets": { "mask": mask, "card_numbers": cards } }))
        },
    )
}

/// Whether a card's number stands in the text, looked for in the most obvious way: at every place, in every length.
fn has_card(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_apart = |from: usize, to: usize| {
        let char = |at: Option<usize>| at.and_then(|at| chars.get(at)).copied().unwrap_or(' ');
        let (before, after) = (char(from.checked_sub(1)), char(Some(to)));
        let is_digit = |at: Option<usize>| char(at).is_ascii_digit();
        let is_in_word = before.is_ascii_alphanumeric() || after.is_ascii_alphanumeric();
        let is_in_fraction = before == '.' && is_digit(from.checked_sub(2)) || after == '.' && is_digit(Some(to + 1));
        let is_of_name = before == '_' || before == '-' && char(from.checked_sub(2)) == '_';
        !is_in_word && !is_in_fraction && !is_of_name
    };
    (0..chars.len()).any(|from| {
        (from + 13..=chars.len().min(from + 23)).any(|to| {
            let number: String = chars[from..to].iter().collect();
            is_apart(from, to) && is_card(&number)
        })
    })
}

fn is_card(number: &str) -> bool {
    let groups: Vec<&str> = number.split([' ', '-']).collect();
    let (last, others) = groups.split_last().unwrap();
    let is_shaped = !last.is_empty() && others.iter().all(|group| group.len() >= 4);
    let digits: Vec<u32> = groups.concat().chars().map_while(|char| char.to_digit(10)).collect();
    let doubled = |digit: u32| [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][digit as usize];
    let luhn: u32 = digits.iter().rev().enumerate().map(|(at, d)| if at % 2 == 1 { doubled(*d) } else { *d }).sum();
    is_shaped
        && digits.len() == groups.concat().chars().count()
        && (13..=19).contains(&digits.len())
        && digits[0] > 1
        && luhn.is_multiple_of(10)
}

fn clean(plugin: &Loaded<enrich_clean>, text: &str) -> Option<String> {
    plugin.settings().clean(text, &mut Counts::default())
}

proptest! {
    #[test]
    fn what_is_clean_is_left(text in texts(), config in configs()) {
        let plugin = load(&config);
        if let Some(once) = clean(&plugin, &text) {
            prop_assert_ne!(&once, &text);
            prop_assert_eq!(clean(&plugin, &once), None, "{:?} became {:?}", text, once);
        }
    }

    #[test]
    fn no_control_character_is_left(text in texts()) {
        let cleaned = cleaned(&text);
        let is_left = |char: char| char.is_control() && !matches!(char, '\t' | '\n' | '\r');
        prop_assert!(!cleaned.contains(is_left), "{:?} became {:?}", text, cleaned);
    }

    #[test]
    fn no_card_number_is_left(text in texts(), max_chars in 1..60_usize) {
        for max_chars in [0, max_chars] {
            let cleaned = cleaned_by(&of_m(json!({ "max_chars": max_chars })), &text);
            prop_assert!(!has_card(&cleaned), "{:?} became {:?}", text, cleaned);
        }
    }

    #[test]
    fn no_text_is_longer_than_max_chars(text in texts(), max_chars in 1..30_usize) {
        let cleaned = cleaned_by(&of_m(json!({ "max_chars": max_chars })), &text);
        prop_assert!(cleaned.chars().count() <= max_chars, "{:?} became {:?}", text, cleaned);
    }

    #[test]
    fn a_text_without_suspects_is_left(text in "[^\\p{Cc}\\p{Cf}=:bB0-9]{0,80}([ ,][0-9]{1,12}[ ,a-z])?[^\\p{Cc}\\p{Cf}=:bB0-9]{0,80}") {
        prop_assert_eq!(clean(&load(&of_m(json!({}))), &text), None);
    }

    #[test]
    fn a_secret_is_masked_whatever_is_around_it(
        // An escape sequence would take letters of what follows with it, as it does on a terminal.
        before in "[^=:\"'\\\\\\x1b\\x80-\\x9f]{0,20}[ ,;(]",
        secret in "[A-Za-z0-9]{4}SECRET[A-Za-z0-9!$%^*_+.-]{0,20}",
        form in prop::sample::select(&[
            "password={}", "PASSWORD: {}", "\"password\":\"{}\"", "\\\"token\\\": \\\"{}\\\"", "api-key='{}'", "secret = {}",
            "Authorization: Basic {}", "postgres://joe:{}@host/db", "x[client_secret]={}",
        ][..]),
        after in "([ ,\n].{0,20})?",
    ) {
        let text = [&before, &form.replace("{}", &secret), &after].map(String::as_str).concat();
        let cleaned = cleaned(&text);
        prop_assert!(!cleaned.contains("SECRET"), "{:?} became {:?}", text, cleaned);
        prop_assert!(cleaned.contains("***"));
    }
}
