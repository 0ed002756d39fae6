//! What is cleaned and what is left, natively.

mod properties;

use serde_json::{Value, json};
use wasmill_sdk::Loaded;

use crate::cleaner::Counts;
use crate::enrich_clean;

fn load(config: &Value) -> Loaded<enrich_clean> {
    Loaded::configure(&config.to_string()).unwrap()
}

/// The config of one field `m` with these keys more.
fn of_m(more: Value) -> Value {
    let mut config = json!({ "fields": ["m"] });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// The text after cleaning, whether it changed or not.
fn cleaned_by(config: &Value, text: &str) -> String {
    load(config).settings().clean(text, &mut Counts::default()).unwrap_or_else(|| text.to_owned())
}

fn cleaned(text: &str) -> String {
    cleaned_by(&of_m(json!({})), text)
}

fn assert_cleaned(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(cleaned(text), *expected, "{text:?}");
    }
}

fn assert_left(texts: &[&str]) {
    let plugin = load(&of_m(json!({})));
    for text in texts {
        assert_eq!(plugin.settings().clean(text, &mut Counts::default()), None, "{text:?}");
    }
}

#[test]
fn control_characters_are_removed_replaced_or_kept() {
    let text = "a\0b\u{7}\tc\r\nd\u{7f}\u{85}e\u{202e}f\u{2067}g";
    let with = |mode: &str| cleaned_by(&of_m(json!({ "control_characters": mode })), text);
    assert_eq!(with("remove"), "ab\tc\r\ndefg");
    assert_eq!(with("replace"), "a�b�\tc\r\nd��e�f�g");
    assert_eq!(with("keep"), text);
    let spaces = of_m(json!({ "white_space": "space" }));
    assert_eq!(cleaned_by(&spaces, text), "ab c  defg");
}

#[test]
fn what_only_begins_like_a_control_character_is_left() {
    assert_left(&[
        "",
        "°C £ § ® © ¿",
        "“quoted” – and … so on",
        "äöü 日本語 🎉",
        "\u{200d}\u{2028}",
        "tab\tand\r\nlines\n",
    ]);
}

#[test]
fn escape_sequences_are_removed_whole() {
    assert_cleaned(&[
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[?25l\x1b[2J\x1b[1;1Hx\x1b[>4;1m\x1b[4 q", "x"),
        ("\u{9b}31mred\u{9b}m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a/\x1b\\link\x1b]8;;\x1b\\!", "link!"),
        ("\u{9d}52;c;eA==\u{9c}x", "x"),
        ("\x1bPq#0;2;0;0;0\x1b\\a\x1b_apc\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        ("\u{90}dcs äö\u{a0}\u{9c}x", "x"),
        ("a\x1b(Bb\x1b#8c\x1b7d\x1bce\x1b=f\x1bMg", "abcdefg"),
    ]);
}

#[test]
fn of_a_sequence_that_is_not_whole_only_the_beginning_is_removed() {
    assert_cleaned(&[
        ("a\x1b", "a"),
        ("a\u{9b}", "a"),
        ("a\x1b[31", "a[31"),
        ("a\x1b[3é1m", "a[3é1m"),
        ("a\x1b]0;everything behind stays", "a]0;everything behind stays"),
        ("a\x1b]0;line\nnext\x07", "a]0;line\nnext"),
        ("a\x1b]0;b\x1b[1mc\x07", "a]0;bc"),
        ("\u{9d}\u{9d}\u{9d}x", "x"),
        ("\x1b\x1b[1m[1mx", "[1mx"),
        ("\x1bé", "é"),
    ]);
    let kept = of_m(json!({ "terminal_escapes": "keep", "control_characters": "keep" }));
    assert_eq!(cleaned_by(&kept, "\x1b[1m\0"), "\x1b[1m\0");
    let halved = of_m(json!({ "terminal_escapes": "keep" }));
    assert_eq!(cleaned_by(&halved, "\x1b[1m\u{9b}m"), "[1mm");
}

#[test]
fn values_of_secret_names_are_masked() {
    assert_cleaned(&[
        ("password=hunter2", "password=***"),
        ("user=joe password=hunter2 ip=10.0.0.1", "user=joe password=*** ip=10.0.0.1"),
        ("PASSWD: hunter2, user: joe", "PASSWD: ***, user: joe"),
        ("db_password=a&x=1", "db_password=***&x=1"),
        ("PGPASSWORD=a;x", "PGPASSWORD=***;x"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("apiKey=abc api.key=abc API_KEY=abc", "apiKey=*** api.key=*** API_KEY=***"),
        (r#"{"client_secret":"a b\"c","n":1}"#, r#"{"client_secret":"***","n":1}"#),
        (r#"{"access_token" : "a"}"#, r#"{"access_token" : "***"}"#),
        (r#"{\"token\":\"a\\\"b\",\"n\":1}"#, r#"{\"token\":\"***\",\"n\":1}"#),
        (r#"{"pin":1,"password":12345}"#, r#"{"pin":1,"password":***}"#),
        ("{'secret': 'it'}", "{'secret': '***'}"),
        ("user[password]=x", "user[password]=***"),
        (r#"params["password"] = "x""#, r#"params["password"] = "***""#),
        ("password= x", "password= ***"),
        ("password := x", "password := ***"),
        ("password => x", "password => ***"),
        ("(password=abc)", "(password=***)"),
        ("password=pässwörd✓ x", "password=*** x"),
        ("äpassword=x", "äpassword=***"),
        ("password=\"never closed, to the end\nnext line", "password=\"***\nnext line"),
        (r#"passwords: x, token: ["a", "b"]"#, r#"passwords: x, token: ["***", "b"]"#),
        (r#"cmd: \"login password=abc\""#, r#"cmd: \"login password=***\""#),
        ("pass\0wo\x1b[0mrd\u{202e}=x", "password=***"),
    ]);
}

#[test]
fn credentials_are_masked() {
    assert_cleaned(&[
        ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
        ("Authorization: Basic dXNlcjpwYXNz, next", "Authorization: ***, next"),
        (r#"{"authorization":"Bearer abc","n":1}"#, r#"{"authorization":"***","n":1}"#),
        ("curl -H 'Bearer xyz'", "curl -H 'Bearer ***'"),
        ("sent bearer  eyJhbGciOi.eyJz.abc_-= to a", "sent bearer  *** to a"),
        ("sent Basic dXNlcjpwYXNz to a", "sent Basic *** to a"),
        ("postgres://joe:s3cret@db:5432/x", "postgres://joe:***@db:5432/x"),
        ("see https://a:p@ss:w@h/x?y=z@q", "see https://a:***@h/x?y=z@q"),
        ("redis://:s3cret@db", "redis://:***@db"),
        ("a://4111111111111111:x@h a://token:x@h", "a://***1111:***@h a://token:***@h"),
    ]);
}

#[test]
fn card_numbers_keep_their_last_four_digits() {
    assert_cleaned(&[
        ("paid with 4111111111111111.", "paid with ***1111."),
        ("card=4111 1111 1111 1111, ok", "card=***1111, ok"),
        ("4111-1111-1111-1111", "***1111"),
        ("4111-1111 1111-1111", "***1111"),
        ("amex 3782 822463 10005", "amex ***0005"),
        ("4222222222222 6304000000000000000", "***2222 ***0000"),
        ("4111 1111 1111 1111 123 12/28", "***1111 123 12/28"),
        ("№4111111111111111é", "№***1111é"),
        ("4111111111111111-4111111111111111", "***1111-***1111"),
    ]);
}

#[test]
fn what_only_resembles_a_secret_is_left() {
    assert_left(&[
        "12:45:01.123 GET /a?b=c took 250 ms",
        "password: , and token=\"\" or secret={}, password=\nx, password=",
        "token=null password: none",
        "max_tokens=4096 tokens: 12 password_hash",
        "Bearer realm=\"x\", Bearer token missing, bearer authentication, Bearer",
        "Basic usage, basic auth, Basic dXNlcg==",
        "https://host:8080/a@b https://joe@host/ mailto:a:b@c //a:b@c",
        "1795250700000 1795250700000000000 0000000000000000",
        "4111111111111112 4111  1111  1111  1111 4111.1111.1111.1111",
        "block blk_4111111111111111 and blk_-4111111111111111",
        "0.4111111111111111 4111111111111111.5 a4111111111111111 4111111111111111f",
        "41111111111111110000000",
        "22 34 56 78 12 34 56 78 99 4 8 1 5 16 23 42",
        "password=*** Bearer *** a://b:***@c \"token\":\"***\" ***1111",
    ]);
}

#[test]
fn names_and_mask_are_the_operators() {
    let config = of_m(json!({ "secrets": { "names": ["pin-code"], "mask": "[REDACTED]" } }));
    let cleaned = cleaned_by(&config, "PINCODE=12 password=x pin_code: [3] card 4111111111111111");
    assert_eq!(cleaned, "PINCODE=[REDACTED] password=x pin_code: [[REDACTED]] card [REDACTED]1111");
    let more = of_m(json!({ "secrets": { "more_names": ["pin"] } }));
    assert_eq!(cleaned_by(&more, "pin=12 password=x"), "pin=*** password=***");
    for (key, text) in [
        ("bearer_tokens", "Bearer abc"),
        ("basic_credentials", "Basic dXNlcjpwYXNz"),
        ("url_passwords", "a://b:c@d"),
        ("card_numbers", "4111111111111111"),
    ] {
        assert_ne!(cleaned_by(&of_m(json!({})), text), text);
        assert_eq!(cleaned_by(&of_m(json!({ "secrets": { key: false } })), text), text);
    }
}

#[test]
fn a_text_is_cut_at_max_chars() {
    let config = of_m(json!({ "max_chars": 5 }));
    assert_eq!(cleaned_by(&config, "äöüäö"), "äöüäö");
    assert_eq!(cleaned_by(&config, "äöüäöü"), "äöüä…");
    assert_eq!(cleaned_by(&config, "\0\0abcde"), "abcde", "what is removed does not count");
    for off in [json!(0), json!(null)] {
        assert_eq!(cleaned_by(&of_m(json!({ "max_chars": off })), &"x".repeat(20_000)).len(), 20_000);
    }
    assert_eq!(cleaned(&"x".repeat(16_384)).chars().count(), 16_384);
    assert_eq!(cleaned(&"x".repeat(16_385)), format!("{}…", "x".repeat(16_383)));
}

#[test]
fn of_a_text_that_is_plainly_too_long_only_the_beginning_is_looked_at() {
    let config = of_m(json!({ "max_chars": 5 }));
    assert_eq!(cleaned_by(&config, "\0\0\0\0\0\0abcde"), "a…");
    assert_eq!(cleaned_by(&config, "\0\0\0\0\0ab"), "ab");
    assert_eq!(cleaned_by(&config, "\0\0abcdefghi"), "abcd…");
    assert_eq!(cleaned_by(&config, "\0\0\0x 4111 1111 1111 1111"), "x…");
    assert_eq!(cleaned_by(&config, &"🎉".repeat(8)), "🎉🎉🎉🎉…");
}

#[test]
fn no_secret_is_cut_in_two() {
    let text = "see password=hunter2 or 4111 1111 1111 1111 end";
    for max in 1..text.len() {
        let cut = cleaned_by(&of_m(json!({ "max_chars": max })), text);
        assert!(!cut.contains("hunt") && !cut.contains("4111") && !cut.contains("pass\u{2026}***"), "{max}: {cut}");
        assert!(cut.chars().count() <= max, "{max}: {cut}");
    }
    // 20 digits are no card's number; cut to 16 they would be one.
    let cut = cleaned_by(&of_m(json!({ "max_chars": 17 })), "41111111111111110000");
    assert_eq!(cut, "…");
}

#[test]
fn counts_are_written_with_what_changed_and_only_then() {
    let config = json!({ "fields": ["m", "a.b"], "counts": "metadata.cleaned", "max_chars": 40 });
    let plugin = load(&config);
    let events = [
        r#"{"m":"clean","a":{"b":"clean too"}}"#,
        r#"{"m":"\u001b[1mx\u0000\u0000","a":{"b":"pwd=x Bearer y1 4111111111111111"}}"#,
        r#"{"m":7,"a":{"b":null}}"#,
        r#"{"a":{"b":"0123456789012345678901234567890123456789 and more"}}"#,
        r#"{"a":"password=x"}"#,
    ];
    let written: Vec<Value> = plugin.enrich_json(&events).into_iter().map(|written| json!(written)).collect();
    let counts = |numbers: [i64; 5]| {
        json!({
            "metadata.cleaned.control_characters": numbers[0], "metadata.cleaned.terminal_escapes": numbers[1],
            "metadata.cleaned.secrets": numbers[2], "metadata.cleaned.card_numbers": numbers[3],
            "metadata.cleaned.cut_texts": numbers[4] })
    };
    let mut second = counts([2, 1, 2, 1, 0]);
    second["m"] = "x".into();
    second["a.b"] = "pwd=*** Bearer *** ***1111".into();
    let mut fourth = counts([0, 0, 0, 0, 1]);
    fourth["a.b"] = "012345678901234567890123456789012345678…".into();
    assert_eq!(written, [json!({}), second, json!({}), fourth, json!({})]);
}

#[test]
fn a_wrong_config_is_refused_with_its_fix() {
    let secrets = |secrets: Value| of_m(json!({ "secrets": secrets }));
    let many: Vec<String> = (0..65).map(|number| format!("f{number}")).collect();
    for (config, expected) in [
        (json!({}), "`fields` is missing"),
        (json!({ "fields": [] }), "name at least one field under `fields`"),
        (json!({ "fields": many }), "`fields` are 65, at most 64 are allowed"),
        (json!({ "fields": ["a", "a"] }), "`a` is named twice"),
        (json!({ "fields": ["a.b", "a"] }), "one is inside of the other"),
        (json!({ "fields": ["a"], "counts": "a.n" }), "one is inside of the other"),
        (json!({ "fields": ["a..b"] }), "the path `a..b` has an empty key"),
        (of_m(json!({ "control_characters": "drop" })), "write `remove` or `replace` or `keep`"),
        (of_m(json!({ "max_chars": -1 })), "`max_chars`"),
        (secrets(json!({ "name": [] })), "`secrets.name`: there is no such key"),
        (secrets(json!({ "names": ["pass word"] })), "`pass word` cannot be the name of a secret"),
        (secrets(json!({ "names": ["--"] })), "`--` cannot be the name of a secret"),
        (secrets(json!({ "more_names": vec!["x"; 54] })), "over 64 names"),
        (secrets(json!({ "mask": "" })), "`mask` is \"\": write 1 to 32"),
        (secrets(json!({ "mask": "a b" })), "`mask` is \"a b\": write 1 to 32"),
        (secrets(json!({ "mask": "[Token]" })), "looks like the name of a secret"),
        (
            of_m(json!({
                "control_characters": "keep", "terminal_escapes": "keep", "max_chars": null,
                "secrets": { "names": [], "bearer_tokens": false, "basic_credentials": false, "url_passwords": false,
                    "card_numbers": false } })),
            "every cleaner is switched off",
        ),
    ] {
        let why = Loaded::<enrich_clean>::configure(&config.to_string()).unwrap_err();
        assert!(why.contains(expected), "{config}: {why}");
    }
}
