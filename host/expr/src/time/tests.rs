use super::*;
use proptest::prelude::*;

fn round_trip(text: &str) -> String {
    format_rfc3339(parse_rfc3339(text).expect(text)).to_string()
}

#[test]
fn known_instants_are_read() {
    let known = [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2000-02-29T00:00:00Z", 951_782_400 * NANOS),
        ("2024-12-31T23:59:59+00:00", 1_735_689_599 * NANOS),
        ("2001-09-09t01:46:40z", 1_000_000_000 * NANOS),
        ("2001-09-09 01:46:40-00:00", 1_000_000_000 * NANOS),
    ];
    for (text, nanos) in known {
        assert_eq!(parse_rfc3339(text), Ok(nanos), "{text}");
        assert_eq!(parse_rfc3339_micros(text), Ok(nanos.div_euclid(1_000)), "{text}");
    }
}

#[test]
fn odd_offsets_are_taken_off() {
    assert_eq!(round_trip("2024-03-01T00:00:00+05:45"), "2024-02-29T18:15:00Z");
    assert_eq!(round_trip("2023-12-31T23:30:00-00:44"), "2024-01-01T00:14:00Z");
    assert_eq!(round_trip("2024-01-01T00:00:00+23:59"), "2023-12-31T00:01:00Z");
}

#[test]
fn fractions_have_any_number_of_digits_and_are_cut_at_nanoseconds() {
    assert_eq!(round_trip("2024-01-01T00:00:00.1Z"), "2024-01-01T00:00:00.100Z");
    assert_eq!(round_trip("2024-01-01T00:00:00.1234Z"), "2024-01-01T00:00:00.123400Z");
    assert_eq!(round_trip("2024-01-01T00:00:00.123456789Z"), "2024-01-01T00:00:00.123456789Z");
    assert_eq!(round_trip("2024-01-01T00:00:00.1234567899999Z"), "2024-01-01T00:00:00.123456789Z");
    assert_eq!(round_trip("2024-01-01T00:00:00.000Z"), "2024-01-01T00:00:00Z");
    assert_eq!(parse_rfc3339_micros("1969-12-31T23:59:59.9999999Z"), Ok(-1));
}

#[test]
fn a_leap_second_is_clamped_where_one_can_be_and_refused_elsewhere() {
    assert_eq!(round_trip("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999999999Z");
    assert_eq!(round_trip("2017-01-01T05:44:60.25+05:45"), "2016-12-31T23:59:59.999999999Z");
    assert_eq!(parse_rfc3339("2016-12-30T23:59:60Z"), Err(TimeError::Malformed));
    assert_eq!(parse_rfc3339("2016-12-31T23:58:60Z"), Err(TimeError::Malformed));
    assert_eq!(parse_rfc3339("2016-12-31T23:59:60+01:00"), Err(TimeError::Malformed));
    assert_eq!(parse_rfc3339("2016-12-31T23:59:61Z"), Err(TimeError::Malformed));
}

#[test]
fn what_is_not_in_the_calendar_is_malformed() {
    for text in [
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+00:60",
    ] {
        assert_eq!(parse_rfc3339(text), Err(TimeError::Malformed), "{text}");
    }
}

#[test]
fn what_is_not_rfc_3339_is_malformed() {
    for text in [
        "",
        "2024-01-01",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1",
        "2024-01-01T00:00:00,1Z",
        "2024-01-01T00:00:00Z ",
        " 2024-01-01T00:00:00Z",
        "2024-01-01_00:00:00Z",
        "2024-01-01T00:00:00+0545",
        "2024-01-01T00:00:00+05",
        "2024/01/01T00:00:00Z",
        "20240101T000000Z0000",
        "+024-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2024-01-01T00:00:00é",
        "２024-01-01T00:00:00Z",
    ] {
        assert_eq!(parse_rfc3339(text), Err(TimeError::Malformed), "{text}");
    }
}

#[test]
fn nanoseconds_end_where_64_bits_do() {
    assert_eq!(parse_rfc3339("1677-09-21T00:12:43.145224192Z"), Ok(i64::MIN));
    assert_eq!(parse_rfc3339("1677-09-21T00:12:43.145224191Z"), Err(TimeError::OutOfRange));
    assert_eq!(parse_rfc3339("2262-04-11T23:47:16.854775807Z"), Ok(i64::MAX));
    assert_eq!(parse_rfc3339("2262-04-11T23:47:16.854775808Z"), Err(TimeError::OutOfRange));
    assert_eq!(format_rfc3339(i64::MIN).as_str(), "1677-09-21T00:12:43.145224192Z");
    assert_eq!(format_rfc3339(i64::MAX).as_str(), "2262-04-11T23:47:16.854775807Z");
}

#[test]
fn microseconds_hold_the_years_1_to_9999() {
    assert_eq!(parse_rfc3339_micros("0001-01-01T00:00:00Z"), Ok(FIRST_SECOND * MICROS));
    assert_eq!(parse_rfc3339_micros("0000-12-31T23:59:59Z"), Err(TimeError::OutOfRange));
    assert_eq!(parse_rfc3339_micros("0001-01-01T00:00:00+00:01"), Err(TimeError::OutOfRange));
    assert_eq!(parse_rfc3339_micros("9999-12-31T23:59:59.999999Z"), Ok(LAST_SECOND * MICROS + 999_999));
    assert_eq!(parse_rfc3339_micros("9999-12-31T23:59:59-00:01"), Err(TimeError::OutOfRange));
}

#[test]
fn milliseconds_are_checked_against_the_same_ranges() {
    assert_eq!(millis_to_nanos(-1), Ok(-1_000_000));
    assert_eq!(millis_to_nanos(9_223_372_036_854), Ok(9_223_372_036_854_000_000));
    assert_eq!(millis_to_nanos(9_223_372_036_855), Err(TimeError::OutOfRange));
    assert_eq!(millis_to_micros(FIRST_SECOND * 1_000), Ok(FIRST_SECOND * MICROS));
    assert_eq!(millis_to_micros(FIRST_SECOND * 1_000 - 1), Err(TimeError::OutOfRange));
    assert_eq!(millis_to_micros(LAST_SECOND * 1_000 + 999), Ok(LAST_SECOND * MICROS + 999_000));
    assert_eq!(millis_to_micros(LAST_SECOND * 1_000 + 1_000), Err(TimeError::OutOfRange));
}

#[test]
fn days_and_dates_are_each_others_inverse_through_the_whole_range() {
    let mut expected = (1, 1, 1);
    for days in FIRST_SECOND / DAY_SECONDS..=LAST_SECOND / DAY_SECONDS {
        let (year, month, day) = expected;
        assert_eq!(date_of(days), (i64::from(year), i64::from(month), i64::from(day)));
        assert_eq!(i64::from(days_since_1970(year, month, day)), days);
        expected = match expected {
            (year, 12, 31) => (year + 1, 1, 1),
            (year, month, day) if day == days_in_month(year, month) => (year, month + 1, 1),
            (year, month, day) => (year, month, day + 1),
        };
    }
    assert_eq!(expected, (10_000, 1, 1));
}

/// A text of the common form, mostly in the calendar, sometimes with one byte of it changed.
fn nearly_common() -> impl Strategy<Value = Vec<u8>> {
    let form = "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.([0-9]{3}){1,3})?Z";
    (form, prop::option::of((0usize..30, any::<u8>()))).prop_map(|(text, change)| {
        let mut bytes = text.into_bytes();
        if let Some((place, byte)) = change {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_common_form_is_read_as_any_form_is(text in nearly_common()) {
        let (common, any) = (common::instant(&text), any_instant(&text).ok());
        let is_common = text[10] == b'T' && text.ends_with(b"Z") && text[17] != b'6' && matches!(text.len(), 20 | 24 | 27 | 30);
        if common.is_some() || is_common {
            prop_assert_eq!(common, any, "{}", String::from_utf8_lossy(&text));
        }
        let year = |instant: Instant| date_of(instant.seconds.div_euclid(DAY_SECONDS)).0;
        prop_assert_eq!(common::year(&text).map(i64::from), common.map(year));
    }

    #[test]
    fn every_instant_survives_the_round_trip(nanos in any::<i64>()) {
        prop_assert_eq!(parse_rfc3339(format_rfc3339(nanos).as_str()), Ok(nanos));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,40}", near in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{8,12}[Zz+-]?[0-9:]{0,5}") {
        for text in [text, near] {
            let _ = parse_rfc3339(&text);
            let _ = parse_rfc3339_micros(&text);
        }
    }

    #[test]
    fn micros_are_the_nanos_without_their_last_digits(nanos in any::<i64>()) {
        prop_assert_eq!(parse_rfc3339_micros(format_rfc3339(nanos).as_str()), Ok(nanos.div_euclid(1_000)));
    }
}
