use super::*;
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX};
use proptest::prelude::*;

fn is_match(pattern: &str, text: &str) -> bool {
    compiled(pattern).is_match(text)
}

fn compiled(pattern: &str) -> Pattern {
    Pattern::new(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"))
}

/// The pattern run state by state, whether it has an automaton or not.
fn program(pattern: &str) -> Pattern {
    Pattern(Engine::Program(Program::new(parse::parse(pattern).unwrap().into_boxed_slice())))
}

fn is_automaton(pattern: &str) -> bool {
    matches!(compiled(pattern).0, Engine::Automaton(_))
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

#[test]
fn what_rules_are_made_of_becomes_an_automaton_and_what_would_take_too_many_states_does_not() {
    for pattern in [
        "^[a-f]+$",
        r"(?i)fail(ed|ure)?|denied|invalid (user|password)",
        r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
        r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$",
        r"(?i)(powershell|pwsh)(\.exe)?\s+.*-e(nc|ncodedcommand)?\s",
        "[а-яё]+ [^\u{4e00}-\u{9fff}]",
    ] {
        assert!(is_automaton(pattern), "{pattern}");
    }
    for pattern in ["cmd.{0,50}powershell", "(a|b)*a(a|b){20}"] {
        assert!(!is_automaton(pattern), "{pattern}");
    }
    assert!(is_match("cmd.{0,50}powershell", &format!("cmd{}powershell", " ".repeat(50))));
    assert!(!is_match("cmd.{0,50}powershell", &format!("cmd{}powershell", " ".repeat(51))));
}

#[test]
fn characters_around_those_that_are_none_have_their_own_classes() {
    for pattern in [r"^[\x{d7ff}]$", r"^[\x{7f}-\x{d7ff}]$", r"^[^\x{e000}-\x{10ffff}]$"] {
        assert!(is_match(pattern, "\u{d7ff}") && !is_match(pattern, "\u{e000}"), "{pattern}");
        assert!(!is_match(pattern, "\u{10ffff}"), "{pattern}");
    }
    assert!(is_match(r"^[\x{10ffff}]$", "\u{10ffff}"));
}

#[test]
fn of_a_text_that_is_too_long_only_what_its_beginning_tells_is_told() {
    let text = format!("{}b", "a".repeat(9));
    let spaces = " ".repeat(100);
    for pattern in [compiled("b$"), program("b$")] {
        assert_eq!((pattern.find(&text, 10), pattern.find(&text, 9)), (Some(true), None));
        assert_eq!(pattern.find(&text[..9], 9), Some(false));
    }
    assert_eq!(compiled("^aa").find(&text, 3), Some(true));
    assert_eq!(compiled("^b").find(&text, 2), Some(false), "no more of it can match");
    assert_eq!(compiled("ä").find("xä", 2), None, "a character is not cut");
    // As many states as bytes, where one byte keeps many alive.
    let many = program("(?s)a.{0,50}z");
    assert_eq!((many.find(&spaces, 100), many.find(&"a".repeat(100), 100)), (Some(false), None));
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
            let stepwise = program(&pattern);
            for text in &texts {
                let expected = usual.is_match(text);
                prop_assert_eq!(ours.is_match(text), expected, "{} on {:?}", pattern, text);
                prop_assert_eq!(stepwise.is_match(text), expected, "{} on {:?}, state by state", pattern, text);
                for bytes_max in 0..text.len() {
                    let told = [ours.find(text, bytes_max), stepwise.find(text, bytes_max)];
                    prop_assert!(told.into_iter().flatten().all(|told| told == expected), "{} on {:?}, cut", pattern, text);
                }
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
