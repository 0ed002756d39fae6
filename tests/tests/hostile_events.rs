//! Every kind of hostile event on the way from Kafka to PostgreSQL: a dead letter with its code and its bytes, and the batch
//! goes on.

use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services::{self, Database, unique};

const TABLE: &str = "
    create table events (
        id text not null, name text unique, short varchar(5), n bigint check (n <> 13), at timestamptz,
        address inet, number uuid, trace text, key text, body jsonb);
    create function refuse() returns trigger language plpgsql as
        $$ begin if new.id = 'by trigger' then raise exception 'not this one'; end if; return new; end $$;
    create trigger refuse before insert on events for each row execute function refuse();";

const SINK: &str = "
batch: { event_bytes_max: 100KiB }
sinks:
  rows:
    postgres:
      url: ${DATABASE_URL}
      table: events
      columns: { id: id, name: name, short: short, n: n, at: at, address: address, number: number,
                 trace: $headers.trace, key: $key, body: $payload }
";

/// What is written, and the code of its dead letter; empty: it is a row.
fn records() -> Vec<(Record, &'static str)> {
    let deep = format!("{{\"id\":\"1\",\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let trace = |value: &[u8]| Record {
        headers: vec![("trace".to_owned(), Some(value.to_vec()))],
        ..Record::of(r#"{"id":"with a header"}"#)
    };
    let mut records = vec![
        (Record::default(), "tombstone"),
        (Record::of(""), "empty"),
        (Record::of("not JSON"), "not_json"),
        (Record::of(r#"{"id":"1"} more"#), "not_json"),
        (Record::of(r#"{"id":"1","n":"#), "truncated"),
        (Record::of("[1]"), "not_an_object"),
        (Record::of(b"{\"id\":\"\xff\"}".to_vec()), "bad_utf8"),
        (Record::of(r#"{"id":"\ud800"}"#), "lone_surrogate"),
        (Record::of(deep), "too_deep"),
        (Record::of(format!("{{\"id\":\"{}\"}}", "x".repeat(100 << 10))), "too_large"),
        (trace(&[0xff, 0xfe]), "bad_header"),
        (Record { key: Some(vec![0xff]), ..Record::of(r#"{"id":"with a key"}"#) }, "bad_key"),
        (trace(b"text"), ""),
    ];
    let by_payload = [
        (r#"{"id":"NUL \u0000"}"#, "nul_in_text"),
        (r#"{"id":"1","elsewhere":"NUL \u0000"}"#, "nul_in_text"),
        (r#"{"id":"1","n":9223372036854775808}"#, "out_of_range"),
        (r#"{"id":"1","n":1.5}"#, "wrong_type"),
        (r#"{"id":"1","n":"1"}"#, "wrong_type"),
        (r#"{"id":"1","at":"10000-01-01T00:00:00Z"}"#, "bad_timestamp"),
        (r#"{"id":"1","at":"yesterday"}"#, "bad_timestamp"),
        (r#"{"id":"1","short":"123456"}"#, "too_long"),
        (r#"{"id":"1","address":"nowhere"}"#, "bad_inet"),
        (r#"{"id":"1","number":"17"}"#, "bad_uuid"),
        (r#"{"n":1}"#, "missing_value"),
        (r#"{"id":"by check","n":13}"#, "refused_by_database"),
        (r#"{"id":"by trigger"}"#, "refused_by_database"),
        (r#"{"id":"first of its name","name":"a"}"#, ""),
        (r#"{"id":"by unique","name":"a"}"#, "refused_by_database"),
        (r#"{"id":"fits","short":"12345","n":9223372036854775807}"#, ""),
        (r#"{"id":"before 1970","at":"1969-12-31T23:59:59.5+05:45"}"#, ""),
        (r#"{"id":"a duplicate","id":"the last duplicate","n":1,"n":2}"#, ""),
    ];
    records.extend(by_payload.map(|(payload, code)| (Record::of(payload), code)));
    records
}

#[test]
fn each_hostile_event_is_a_dead_letter_with_its_code_and_bytes_and_the_others_are_rows() {
    let (Some(brokers), Some(database)) = (services::kafka(), Database::create()) else { return };
    database.psql(TABLE).expect("the table is made");
    let topic = unique("hostile");
    let cluster = Cluster::at(&brokers).expect("a client");
    wait(cluster.create(&topic, 1, &[])).expect("a topic");
    let records = records();
    let good = Record::of(r#"{"id":"good"}"#);
    let between = records.iter().flat_map(|(record, _)| [record.clone(), good.clone()]);
    cluster.produce(&topic, 0, between).expect("they are written");

    let yaml = format!("name: hostile\n{}{SINK}", source(&brokers, &topic, "earliest"));
    let ran = Pipeline::new(&yaml).env("DATABASE_URL", database.url()).run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows"]);
    assert_eq!(report["received"], 2 * records.len());

    let letters = database
        .psql("select \"offset\", code, coalesce(encode(payload, 'hex'), 'null') from wasmill_dead_letters order by 1")
        .expect("dead letters");
    let hex = |bytes: &Option<Vec<u8>>| {
        let digits = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        bytes.as_ref().map_or("null".to_owned(), digits)
    };
    let expected: Vec<String> = (0..)
        .zip(&records)
        .filter(|(_, (_, code))| !code.is_empty())
        .map(|(n, (record, code))| format!("{}|{code}|{}", 2 * n, hex(&record.value)))
        .collect();
    let found: Vec<&str> = letters.lines().collect();
    for (found, expected) in found.iter().zip(&expected) {
        let short = |line: &str| line.chars().take(200).collect::<String>();
        assert!(found == expected, "found {}, expected {}", short(found), short(expected));
    }
    assert_eq!(found.len(), expected.len());

    let rows = database.psql("select id from events where id <> 'good' order by id collate \"C\"").expect("rows");
    let names = ["before 1970", "first of its name", "fits", "the last duplicate", "with a header"];
    assert_eq!(rows.lines().collect::<Vec<_>>(), names);
    let count = database.psql("select count(*) from events where id = 'good'").expect("a count");
    assert_eq!(count, records.len().to_string());
    let values = database
        .psql("select (select at at time zone 'UTC' from events where id = 'before 1970'), (select n from events where id like '%duplicate')")
        .expect("values");
    assert_eq!(values, "1969-12-31 18:14:59.5|2");
}

#[test]
fn time_far_from_the_records_own_is_refused_by_a_hypertable_alone() {
    let Some(database) = Database::create() else { return };
    let yaml = "name: hyper\nsource: { stdin: {} }\nsinks:\n  rows:\n    timescale: { url: \"${DATABASE_URL}\", table: events, create: true, \
                time: at, columns: { id: id, at: { from: at, type: timestamptz } } }\n";
    let now =
        database.psql("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')").expect("a time");
    let input = format!("{{\"id\":\"old\",\"at\":\"1969-12-31T00:00:00Z\"}}\n{{\"id\":\"new\",\"at\":\"{now}\"}}\n");
    let ran = Pipeline::new(yaml).env("DATABASE_URL", database.url()).run(input.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.assert_sums(&["rows"])["rejections"]["timestamp_out_of_window"], 1);
    assert_eq!(database.psql("select id from events").expect("rows"), "new");
}
