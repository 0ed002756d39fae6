//! Every column type, from JSON to what the database shows.

use wasmill::config::ColumnType::{self, *};
use wasmill_core::RawBatch;

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, RECORD_TIME_NS, column, hypertable, partition, table};

/// Stores `v`, each of `values` (JSON) in turn, in a column of `sql_type`; answers what the database shows, or the code
/// of the dead letter.
async fn shown(database: &Database, sql_type: &str, values: &[&str]) -> Vec<String> {
    database
        .run(&format!("DROP TABLE IF EXISTS t; DELETE FROM wasmill_ledger; DELETE FROM wasmill_dead_letters; CREATE TABLE t (at bigint, v {sql_type})"))
        .await;
    let columns = vec![column("at", "$offset", BigInt), column("v", "v", None)];
    let pipeline = Pipeline::home(database, vec![table("t", false, columns)]).await;
    let payloads: Vec<_> = values.iter().map(|value| format!("{{\"v\":{value}}}")).collect();
    let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
    pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads)]).await.unwrap();
    let all = "SELECT coalesce(shown, 'NULL') FROM (SELECT at, v::text AS shown FROM t UNION ALL
               SELECT \"offset\", code FROM wasmill_dead_letters) both_of_them ORDER BY at";
    database.texts(all).await
}

/// A fresh database with wasmill's tables in it.
async fn in_prepared_database<F: Future<Output = ()>>(test: impl FnOnce(Database) -> F) {
    in_fresh_database(async |database: Database| {
        Pipeline::home(&database, vec![table("first", true, vec![column("n", "n", BigInt)])]).await;
        test(database).await;
    })
    .await;
}

#[tokio::test]
async fn integers_take_their_range_and_nothing_else() {
    in_prepared_database(async |database: Database| {
        let values = ["-32768", "32767", "32768", "null", "1.0", "1e2", "\"1\"", "true"];
        let codes = ["-32768", "32767", "out_of_range", "NULL", "wrong_type", "wrong_type", "wrong_type", "wrong_type"];
        assert_eq!(shown(&database, "smallint", &values).await, codes);
        let values = ["-2147483648", "2147483647", "2147483648"];
        assert_eq!(shown(&database, "integer", &values).await, ["-2147483648", "2147483647", "out_of_range"]);
        let values = ["-9223372036854775808", "9223372036854775807", "9223372036854775808", "99999999999999999999"];
        let expected = ["-9223372036854775808", "9223372036854775807", "out_of_range", "out_of_range"];
        assert_eq!(shown(&database, "bigint", &values).await, expected);
    })
    .await;
}

#[tokio::test]
async fn floats_and_booleans_are_stored() {
    in_prepared_database(async |database: Database| {
        let values = ["1.5", "-7", "3.4e38", "3.5e38", "1e-60", "0.0", "\"1\""];
        let expected = ["1.5", "-7", "3.4e+38", "out_of_range", "out_of_range", "0", "wrong_type"];
        assert_eq!(shown(&database, "real", &values).await, expected);
        let values = ["0.1", "1e308", "1e309", "-0.0"];
        assert_eq!(shown(&database, "double precision", &values).await, ["0.1", "1e+308", "out_of_range", "-0"]);
        assert_eq!(shown(&database, "boolean", &["true", "false", "1"]).await, ["true", "false", "wrong_type"]);
    })
    .await;
}

#[tokio::test]
async fn text_takes_strings_numbers_and_raw_json_but_no_nul_and_nothing_too_long() {
    in_prepared_database(async |database: Database| {
        let values = [r#""a\n\u00e4😀""#, "12.50", "true", r#"{"a": [1]}"#, r#""x\u0000y""#, "\"\""];
        let expected = ["a\nä😀", "12.50", "true", r#"{"a": [1]}"#, "nul_in_text", ""];
        assert_eq!(shown(&database, "text", &values).await, expected);
        assert_eq!(
            shown(&database, "varchar(3)", &["\"äöü\"", "\"äöüx\"", "1234"]).await,
            ["äöü", "too_long", "too_long"]
        );
        assert_eq!(shown(&database, "char(3)", &["\"ab\"", "\"abcd\""]).await, ["ab", "too_long"]);
        assert_eq!(shown(&database, "text NOT NULL", &["null", "\"a\""]).await, ["missing_value", "a"]);
        assert_eq!(shown(&database, "bytea", &["\"a\\u0000\""]).await, ["\\x6100"]);
    })
    .await;
}

#[tokio::test]
async fn timestamps_take_rfc_3339_in_any_zone_and_milliseconds() {
    in_prepared_database(async |database: Database| {
        let values = [
            "\"2024-02-29T12:00:00.1234567Z\"",
            "\"2024-02-29T23:59:59+05:45\"",
            "1709208000123",
            "-1",
            "\"0001-01-01T00:00:00Z\"",
            "\"9999-12-31T23:59:59.999999Z\"",
            "\"10000-01-01T00:00:00Z\"",
            "\"2024-02-30T00:00:00Z\"",
            "\"2024-02-29T12:00:00+25:00\"",
            "253402300800000",
            "1.5",
        ];
        let expected = [
            "2024-02-29 12:00:00.123456+00",
            "2024-02-29 18:14:59+00",
            "2024-02-29 12:00:00.123+00",
            "1969-12-31 23:59:59.999+00",
            "0001-01-01 00:00:00+00",
            "9999-12-31 23:59:59.999999+00",
            "bad_timestamp",
            "bad_timestamp",
            "bad_timestamp",
            "bad_timestamp",
            "wrong_type",
        ];
        assert_eq!(shown(&database, "timestamptz", &values).await, expected);
    })
    .await;
}

#[tokio::test]
async fn uuids_and_addresses_are_stored() {
    in_prepared_database(async |database: Database| {
        let values = ["\"01234567-89AB-cdef-0001-0203040506ff\"", "\"0123456789abcdef00010203040506ff\"", "\"x\"", "1"];
        let uuid = "01234567-89ab-cdef-0001-0203040506ff";
        assert_eq!(shown(&database, "uuid", &values).await, [uuid, uuid, "bad_uuid", "wrong_type"]);
        let values = ["\"10.0.0.1\"", "\"10.1.0.0/16\"", "\"2001:db8::1\"", "\"2001:db8::/32\"", "\"10.0.0.1/33\""];
        let expected = ["10.0.0.1/32", "10.1.0.0/16", "2001:db8::1/128", "2001:db8::/32", "bad_inet"];
        assert_eq!(shown(&database, "inet", &values).await, expected);
    })
    .await;
}

#[tokio::test]
async fn json_is_stored_up_to_the_limits_of_jsonb() {
    in_prepared_database(async |database: Database| {
        let values = [
            r#"{"b":1,"a":[true,null],"b":2}"#,
            r#""a\\u0000""#,
            r#"["\u0000"]"#,
            "1e131072",
            "\"1e999999\"",
            "12.50",
            "null",
        ];
        let expected = [
            r#"{"a": [true, null], "b": 2}"#,
            r#""a\\u0000""#,
            "nul_in_text",
            "out_of_range",
            "\"1e999999\"",
            "12.50",
            "NULL",
        ];
        assert_eq!(shown(&database, "jsonb", &values).await, expected);
        assert_eq!(shown(&database, "json", &["{\"b\":1,\"b\":2}"]).await, ["{\"b\":1,\"b\":2}"]);
        let limit = shown(&database, "jsonb", &["1e131071", "1e-16383", "0e999999", "-1e131072", "1e-16384"]).await;
        assert_eq!(limit[2..], ["0", "out_of_range", "out_of_range"]);
        assert_eq!((limit[0].len(), limit[1].len()), (131_072, 16_385));
    })
    .await;
}

#[tokio::test]
async fn arrays_of_texts_are_stored() {
    in_prepared_database(async |database: Database| {
        let values = [r#"["a","b \" ü",null]"#, "[]", r#"["a",1]"#, "\"a\"", r#"["\u0000"]"#, "[\"NULL\"]"];
        let expected = [r#"{a,"b \" ü",NULL}"#, "{}", "wrong_type", "wrong_type", "nul_in_text", "{\"NULL\"}"];
        assert_eq!(shown(&database, "text[]", &values).await, expected);
    })
    .await;
}

#[tokio::test]
async fn what_stands_beside_the_payload_is_stored() {
    in_fresh_database(async |database: Database| {
        let specials = [
            ("raw", "$raw", None),
            ("raw_text", "$raw", Some(Text)),
            ("raw_bytes", "$raw", Some(Bytea)),
            ("payload", "$payload", None),
            ("key", "$key", Some(Text)),
            ("key_number", "$key", Some(Integer)),
            ("topic", "$topic", None),
            ("part", "$partition", None),
            ("at", "$offset", None),
            ("time", "$timestamp", None),
            ("time_ms", "$timestamp", Some(BigInt)),
            ("trace", "$headers.trace", None),
            ("none", "$headers.none", None),
            ("digest", "$digest", Some(Bytea)),
        ];
        let columns = specials.iter().map(|(name, from, kind): &(&str, &str, Option<ColumnType>)| column(name, from, *kind));
        let pipeline = Pipeline::home(&database, vec![table("t", true, columns.collect())]).await;
        let mut raw = RawBatch::new(partition(3), 8);
        let trace: [(&[u8], Option<&[u8]>); 2] = [(b"trace", Some(b"first")), (b"trace", Some(b"last"))];
        raw.push(8, RECORD_TIME_NS + 1_500_000, Some(b"42"), Some(b"{\"a\": 1}"), trace);
        let no_text: [(&[u8], Option<&[u8]>); 1] = [(b"trace", Some(b"\xff"))];
        raw.push(9, RECORD_TIME_NS, Some(b"42"), Some(b"{}"), no_text);
        raw.push(10, RECORD_TIME_NS, Some(b"\xff"), Some(b"{}"), []);
        raw.push(11, RECORD_TIME_NS, Some(b"x"), Some(b"{}"), []);
        let mut lease = pipeline.store.acquire(&partition(3), 0).await.unwrap();
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery_of(raw)]).await.unwrap();
        assert_eq!(committed.delivered, [1]);
        let digest = wasmill_core::Digest::of(b"generation");
        let expected = format!(
            r#"("{{""a"": 1}}","{{""a"": 1}}","\\x7b2261223a20317d","{{""a"": 1}}",42,42,raw-events,3,8,"2024-02-29 12:00:00.0015+00",1709208000001,last,,"\\x{digest}")"#
        );
        assert_eq!(database.text("SELECT t::text FROM t").await, expected);
        let codes = database.texts("SELECT code FROM wasmill_dead_letters ORDER BY \"offset\"").await;
        assert_eq!(codes, ["bad_header", "bad_key", "wrong_type"]);
    })
    .await;
}

#[tokio::test]
async fn time_column_of_a_hypertable_takes_what_lies_near_the_record() {
    in_fresh_database(async |database: Database| {
        let columns = vec![column("at", "at", TimestampTz), column("other", "at", TimestampTz)];
        let pipeline = Pipeline::home(&database, vec![hypertable("t", true, "at", columns)]).await;
        // The records' own time is 2024-02-29T12:00:00Z; the window reaches 3653 days back and 366 ahead.
        let times = [
            "2014-02-28T12:00:00Z",
            "2014-02-28T11:59:59.999999Z",
            "2025-03-01T12:00:00Z",
            "2025-03-01T12:00:00.000001Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
        ];
        let payloads: Vec<_> = times.iter().map(|at| format!("{{\"at\":\"{at}\"}}")).collect();
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads)]).await.unwrap();
        let stored = database.texts("SELECT at::text FROM t ORDER BY at").await;
        assert_eq!(stored, ["2014-02-28 12:00:00+00", "2025-03-01 12:00:00+00"]);
        let codes = database.texts("SELECT DISTINCT code FROM wasmill_dead_letters").await;
        assert_eq!(codes, ["timestamp_out_of_window"]);
    })
    .await;
}
