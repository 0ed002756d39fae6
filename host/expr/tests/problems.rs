//! Expressions that are refused: what is said, where, and at which limit.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use wasmill_expr::{Problem, Program, limits};

fn refused(source: &str) -> (usize, Problem) {
    match Program::condition(source) {
        Ok(_) => panic!("{source} was accepted"),
        Err(error) => (error.byte, error.problem),
    }
}

fn shown(source: &str) -> String {
    Program::condition(source).expect_err(source).to_string()
}

#[test]
fn an_error_shows_its_line_with_a_caret() {
    let shown = shown("a == 'x' &&\n  `größe` = 3");
    assert_eq!(
        shown,
        "line 2, column 11: `=` is no operator here; write `==` to compare\n    `größe` = 3\n            ^"
    );
}

#[test]
fn a_long_line_is_shown_around_the_problem() {
    let source = format!("{}a = 1 && {}", "é == 1 && ".replace('é', "e").repeat(100), "b == 1 && ".repeat(100));
    let shown = shown(&source);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("line 1, column 1003:"), "{shown}");
    assert_eq!(lines[1].chars().count(), 2 + 100);
    assert_eq!(lines[1].as_bytes()[lines[2].find('^').unwrap()], b'=');
}

#[test]
fn mistakes_are_refused_where_they_are() {
    let mistakes = [
        ("", 0, "expected a field, a literal or `(`, found the end"),
        ("a == ", 5, "found the end"),
        ("a == 'x' b", 9, "expected an operator or the end, found `b`"),
        ("a == 'x", 5, "no closing single quote"),
        ("a === 1", 4, "write `==`"),
        ("a == “x”", 5, "straight quotes"),
        ("a & b", 2, "write `&&`"),
        ("(a == 1", 7, "expected `)`"),
        ("a in ['x' 'y']", 10, "expected `,` or `]`"),
        ("a == 99999999999999999999", 5, "does not fit a signed 64-bit integer"),
        ("a == 9223372036854775808", 5, "does not fit a signed 64-bit integer"),
        ("a == -1u", 5, "does not fit an unsigned integer"),
        ("a == '\\q'", 5, "double the backslash"),
        ("namespace == 'x'", 0, "`namespace` is a reserved word"),
        ("in == 'x'", 0, "before `in`"),
        ("a.true == 'x'", 2, "expected a field name after the dot"),
        ("größe > 3", 2, "in backquotes"),
        ("a + 'x' == 'yx'", 4, "concatenation is not part"),
        ("[1] + a == [1]", 0, "concatenation is not part"),
        ("a[''] == 1", 2, "an empty key is not part"),
        ("a.?b == 1", 2, "optionals are not part"),
        ("1 in [?a]", 6, "optionals are not part"),
        ("a == b'x'", 5, "bytes are not part"),
        ("a == {}", 5, "maps and messages are not part"),
        ("a == T{}", 6, "maps and messages are not part"),
        ("tags[0] == 1", 5, "list elements have no path"),
        ("tags.exists(t, t == 1)", 5, "macros other than has()"),
        ("lower(a) == 'x'", 0, "no function is called `lower`"),
        ("a.lower() == 'x'", 2, "no function is called `lower`"),
        ("has('x')", 4, "expected a field inside has()"),
        ("has(a, b)", 5, "expected `)` after one argument"),
        ("a.matches(b)", 10, "a computed pattern is not part"),
        ("a.matches('(')", 10, "this pattern cannot be used"),
        ("a.contains(3)", 11, "this must be text, and a number never is"),
        ("3.contains('x')", 0, "this must be text"),
        ("a == [b]", 6, "computed elements"),
        ("a && 'x'", 5, "this must be true or false, and a text never is"),
        ("a + 1", 0, "this must be true or false, and a number never is"),
        ("!3", 1, "this must be true or false"),
        ("'x'.y == 1", 3, "selecting from anything but a field"),
    ];
    for (source, byte, message) in mistakes {
        let shown = shown(source);
        assert!(shown.contains(message), "{source}: {shown}");
        assert_eq!(refused(source).0, byte, "{source}: {shown}");
    }
}

#[test]
fn source_length_is_limited() {
    let source = |length: usize| format!("true{}", " ".repeat(length - 4));
    assert!(Program::condition(&source(limits::SOURCE_BYTES_MAX)).is_ok());
    let beyond = limits::SOURCE_BYTES_MAX + 1;
    assert_eq!(refused(&source(beyond)).1, Problem::TooLong(beyond));
}

/// Deep sources are compiled and run with little stack, as a guest has.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(256 * 1024).spawn(work).unwrap().join().unwrap()
}

/// A name and what makes a source of so many levels.
type Form = (&'static str, fn(usize) -> String);

#[test]
fn nesting_is_limited_in_every_form() {
    let max = limits::DEPTH_MAX;
    let forms: [Form; 8] = [
        // The outermost expression is the first level.
        ("parentheses", |levels| format!("{}true{}", "(".repeat(levels - 1), ")".repeat(levels - 1))),
        ("not", |levels| format!("{}true", "!".repeat(levels - 1))),
        ("minus", |levels| format!("{}a > 0", "-".repeat(levels - 2))),
        ("sums", |levels| format!("1{} > 0", "+1".repeat(levels - 2))),
        ("relations", |levels| format!("1{}", " == true".repeat(levels - 1))),
        ("path", |levels| format!("a{}", ".b".repeat(levels - 1))),
        ("lists", |levels| format!("1 in {}{}", "[".repeat(levels - 1), "]".repeat(levels - 1))),
        ("ternaries", |levels| format!("{}true", "true?true:".repeat(levels - 1))),
    ];
    for (name, source) in forms {
        on_a_small_stack(move || {
            let program = Program::condition(&source(max)).unwrap_or_else(|error| panic!("{name}: {error}"));
            drop(program.clone());
            assert_eq!(refused(&source(max + 1)).1, Problem::TooDeep, "{name}");
            assert_eq!(refused(&source(5_000)).1, Problem::TooDeep, "{name}");
        });
    }
}

#[test]
fn long_chains_of_and_and_or_are_one_level() {
    assert!(Program::condition(&vec!["a == 1"; 1_000].join(" && ")).is_ok());
    assert!(Program::condition(&vec!["a"; 1_000].join(" || ")).is_ok());
}

#[test]
fn parts_are_counted() {
    // The list, the field and `in` are three parts.
    let source = |items: usize| format!("a in [{}]", vec!["1"; items].join(","));
    assert!(Program::condition(&source(limits::NODES_MAX - 3)).is_ok());
    assert_eq!(refused(&source(limits::NODES_MAX - 2)).1, Problem::TooManyNodes);
}

#[test]
fn columns_are_counted() {
    let source = |fields: usize| (0..fields).map(|field| format!("f{field}")).collect::<Vec<_>>().join(" && ");
    assert_eq!(Program::condition(&source(limits::COLUMNS_MAX)).unwrap().columns().len(), limits::COLUMNS_MAX);
    assert_eq!(refused(&source(limits::COLUMNS_MAX + 1)).1, Problem::TooManyColumns);
}

#[test]
fn patterns_are_limited_in_length_and_size() {
    let long = |length: usize| format!("a.matches('{:x<length$}')", "");
    // The compiled form of so many literal characters would be too large as well: these match one of them.
    let set = |length: usize| format!("a.matches('[{}]')", "x".repeat(length - 2));
    assert!(Program::condition(&set(limits::PATTERN_BYTES_MAX)).is_ok());
    assert!(matches!(refused(&long(limits::PATTERN_BYTES_MAX + 1)).1, Problem::BadPattern(_)));
    assert!(matches!(refused(&set(limits::PATTERN_BYTES_MAX + 1)).1, Problem::BadPattern(_)));
    assert!(Program::condition("a.matches('(abc){50}')").is_ok());
    assert!(matches!(refused("a.matches('(abc){5000}')").1, Problem::BadPattern(_)));
    assert!(matches!(refused("a.matches('((a{50}){50}){50}')").1, Problem::BadPattern(_)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in any::<String>()) {
        let _ = Program::compile(&source).map_err(|error| error.to_string());
    }

    #[test]
    fn no_sequence_of_tokens_makes_the_compiler_panic(tokens in prop::collection::vec(token(), 0..40), joint in "[ ]?") {
        let source = tokens.join(&joint);
        if let Err(error) = Program::compile(&source) {
            let shown = error.to_string();
            prop_assert!(error.byte <= source.len());
            prop_assert!(shown.lines().count() == 3, "{}", shown);
        }
    }
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b.c",
        "true",
        "null",
        "1",
        "2u",
        "1.5",
        "'x'",
        "r'\\'",
        "\"\"\"y",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        "?",
        ":",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "&&",
        "||",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "has(",
        "size(",
        ".contains(",
        ".matches(",
        "`q`",
        "'",
        "\\",
        "\n",
        "//",
        "é",
        "b'",
        "=",
        "&",
    ])
}
