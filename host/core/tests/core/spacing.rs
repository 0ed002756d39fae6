//! White space between a payload's values changes nothing, whatever stood there in the payloads before it.

use proptest::prelude::*;
use wasmill_core::FieldKind::{Boolean, Float, Integer, Json, Text};
use wasmill_core::Rejection;

use crate::agreement::check_event;
use crate::support::{config, projection, raw_batch};

const COLUMNS: [(&str, wasmill_core::FieldKind); 9] = [
    ("name", Text),
    ("name", Json),
    ("count", Integer),
    ("ratio", Float),
    ("good", Boolean),
    ("inner.name", Text),
    ("inner.a_key_longer_than_sixteen_bytes", Integer),
    ("inner.list", Json),
    ("last", Integer),
];

/// One event; `#` stands where white space may.
const EVENT: &str = concat!(
    r##"#{#"name"#:#"n"#,#"count"#:#17#,#"ratio"#:#-1.25#,#"good"#:#true#,#"other"#:#[#1#,#{#"x"#:#2#}#]#,"##,
    r##"#"inner"#:#{#"name"#:#"deep"#,#"a_key_longer_than_sixteen_bytes"#:#12345678901#,#"list"#:#[#]#,#"none"#:#{#}#}#,"##,
    r##"#"last"#:#null#}#"##
);

/// The event as it is written by those who put no space, one after commas and colons, a line per member, or anything.
fn event() -> impl Strategy<Value = String> {
    let pretty = |indent: &str| EVENT.replace(",#", &format!(",\n{indent}")).replace(":#", ": ").replace('#', "");
    let spaces = || prop::sample::select(vec!["", "", " ", "  ", "\n", "\t", "\r\n", "                    "]);
    prop_oneof![
        Just(EVENT.replace('#', "")),
        Just(EVENT.replace(",#", ", ").replace(":#", ": ").replace('#', "")),
        Just(pretty("  ")),
        Just(pretty("                        ")),
        prop::collection::vec(spaces(), EVENT.matches('#').count()).prop_map(|spaces| {
            let parts = EVENT.split('#').zip(spaces.into_iter().chain([""]));
            parts.map(|(part, space)| format!("{part}{space}")).collect()
        }),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cells_do_not_depend_on_white_space_here_or_in_earlier_payloads(payloads in prop::collection::vec(event(), 1..8)) {
        let (batch, rejections) = projection(&COLUMNS, &["inner.name"]).extract(raw_batch(&payloads));
        prop_assert_eq!(rejections, Vec::<Rejection>::new());
        for (event, payload) in payloads.iter().enumerate() {
            check_event(&batch, event as u32, payload.as_bytes());
        }
    }

    #[test]
    fn beginning_of_an_event_is_truncated_however_its_like_was_spaced_before(before in event(), event in event()) {
        let event = event.trim();
        for length in 1..event.len() {
            let payloads = [before.as_bytes(), &event.as_bytes()[..length]];
            let (batch, rejections) = projection(&COLUMNS, &[]).extract(raw_batch(payloads));
            prop_assert_eq!(&batch.live, &[0]);
            prop_assert_eq!(&rejections[0].code, "truncated", "{}", &event[..length]);
        }
    }
}

#[test]
fn what_is_no_white_space_is_refused_where_white_space_was() {
    let good = r#"{ "a": 1, "b": 2 }"#;
    for bad in [
        "{\u{b}\"a\": 1, \"b\": 2 }",
        "{ \"a\":\u{c}1, \"b\": 2 }",
        "{ \"a\": 1,\0\"b\": 2 }",
        "{ \"a\": 1,\u{a0}\"b\": 2 }",
        "{, \"a\": 1, \"b\": 2 }",
        "{ \"a\": 1{ \"b\": 2 }",
        "{ \"a\": 1, , \"b\": 2 }",
        "{ \"a\": 1, \"b\": , \"b\": 2 }",
        "{ \"a\": , \"b\": 2 }",
        "{ \"a\": 1, { \"a\": 1 }",
    ] {
        let (batch, rejections) = projection(&[("b", Integer)], &[]).extract(raw_batch([good, bad, good]));
        assert_eq!(batch.live, [0, 2], "{bad:?}");
        assert_eq!(rejections[0].code, "not_json", "{bad:?}");
    }
}
