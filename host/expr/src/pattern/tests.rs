use super::*;
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX};
use proptest::prelude::*;

fn is_match(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}")).is_match(text)
}

#[test]
fn patterns_match_what_they_say() {
    let cases = [
        ("", "", true),
        ("b", "abc", true),
        ("^b", "abc", false),
        ("^a.c$", "abc", true),
        ("a.c", "a\nc", false),
        ("(?s)a.c", "a\nc", true),
        ("^b$", "a\nb", false),
        ("(?m)^b$", "a\nb", true),
        ("(?i)ERR[a-z]", "erroR", true),
        ("(?i:e)R", "ER", true),
        ("(?i:e)R", "Er", false),
        ("colou?r", "color", true),
        ("^(ab|cd)+$", "abcdab", true),
        ("^(ab|cd)+$", "abcda", false),
        ("^a{2,3}$", "aa", true),
        ("^a{2,3}$", "aaaa", false),
        ("^(a|b){3}$", "aba", true),
        ("^a{0}b$", "b", true),
        ("^[^a-c]+$", "xyz", true),
        ("^[^a-c]+$", "xbz", false),
        ("^[]a-]+$", "-]a", true),
        (r"^\d+\.\d+$", "10.25", true),
        (r"\bcat\b", "a cat!", true),
        (r"\bcat\b", "concat", false),
        (r"^[\w.]+@\w+$", "a.b@c", true),
        (r"^[\D]$", "1", false),
        (r"^[[:alpha:]_]+$", "ab_", true),
        (r"^\x41\x{1f600}$", "A😀", true),
        ("^(?P<name>a)(?<other>b)$", "ab", true),
        ("^(a*)*$", "aaaa", true),
        ("^(a*)+b", "aaaa", false),
        ("^(|a)+$", "aa", true),
        ("é+$", "caféé", true),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(is_match(pattern, text), expected, "{pattern} on {text:?}");
    }
}

#[test]
fn patterns_that_are_none_are_refused() {
    for pattern in [
        "(",
        ")",
        "[",
        "[]",
        "[a",
        "*",
        "a|*",
        "a{",
        "a{,2}",
        "a{2,1}",
        "\\",
        r"\q",
        r"\1",
        r"\p{L}",
        "(?=a)",
        "(?<!a)",
        "(?<a",
        "(?x)",
        "[b-a]",
        "[[:none:]]",
        r"\x4",
        r"\x{110000}",
        r"[\d-z]x[a-\d]",
        "(?P<>a)",
        r"\x+1",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn states_are_limited() {
    let states = |count: usize| format!("a{{{}}}", count - 1); // and the match
    assert!(Pattern::new(&states(PATTERN_STATES_MAX)).is_ok());
    assert!(Pattern::new(&states(PATTERN_STATES_MAX + 1)).is_err());
    for bomb in
        ["((a{50}){50}){50}", "((((((){999}){999}){999}){999}){999}){999}", "a{99999999999999999999}", "(a|){1024}"]
    {
        assert!(Pattern::new(bomb).is_err(), "{bomb}");
    }
}

#[test]
fn length_and_nesting_are_limited() {
    let set = |length: usize| format!("[{}]", "x".repeat(length - 2));
    assert!(Pattern::new(&set(PATTERN_BYTES_MAX)).is_ok());
    assert!(Pattern::new(&set(PATTERN_BYTES_MAX + 1)).is_err());
    let nested = |groups: usize| format!("{}a{}", "(".repeat(groups), ")".repeat(groups));
    assert!(Pattern::new(&nested(PATTERN_DEPTH_MAX - 1)).is_ok()); // the whole is the first level
    assert!(Pattern::new(&nested(PATTERN_DEPTH_MAX)).is_err());
}

#[test]
fn time_is_linear_where_backtracking_would_not_end() {
    let text = "a".repeat(20_000);
    assert!(!is_match("^(a+)+$", &(text.clone() + "b")));
    assert!(!is_match("(a|aa)+(a|aa)+b", &text));
}

/// Patterns of every construct that both engines have, over few characters so that they match often.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "B",
        "c",
        "é",
        ".",
        "^",
        "$",
        "[ab]",
        "[^a]",
        "[a-c]",
        r"[^\w]",
        r"[\Sb]",
        r"\w",
        r"\W",
        r"\d",
        r"\s",
        r"\S",
        r"\b",
        r"\B",
        r"\x61",
        r"\n",
        "[[:alpha:]]",
        "[[:^alpha:]c]",
        "",
        r"\A",
        r"\z",
        "(?i)",
        "(?s)",
        "(?m)",
        "(?-i)",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 4, |inner| {
        let repeat = prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "{0}"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            (inner.clone(), repeat).prop_map(|(part, repeat)| format!("(?:{part}){repeat}")),
            inner.prop_map(|part| format!("(?i:{part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn answers_agree_with_the_usual_crate(pattern in pattern(), texts in prop::collection::vec("[abcABé1 \n]{0,8}", 1..8)) {
        let (ours, usual) = (Pattern::new(&pattern), regex_lite::Regex::new(&pattern));
        if let (Ok(ours), Ok(usual)) = (&ours, &usual) {
            for text in &texts {
                prop_assert_eq!(ours.is_match(text), usual.is_match(text), "{} on {:?}", pattern, text);
            }
        } else {
            // The other one refuses nothing of this; this one only what is too large.
            prop_assert!(usual.is_ok() && ours.is_err_and(|why| why == PatternError::TooLarge), "{}", pattern);
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(pattern in r"[\\(){}\[\]^$*+?|.,:a-cPxéi<>0-9-]{0,24}", text in "[abc\n]{0,6}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            pattern.is_match(&text);
        }
    }
}
