use tempfile::TempDir;
use wasmill::dead_letters::headers_to_json;

use super::*;
use crate::chaos::store::Store;

const EVENTS: u64 = 2_000;
const OWN_TABLES: &str = "CREATE TABLE wasmill_ledger (partition INTEGER, epoch INTEGER, next_offset INTEGER); \
    CREATE TABLE wasmill_dead_letters (partition INTEGER, \"offset\" INTEGER, code TEXT, key BLOB, payload BLOB, \
    headers TEXT, timestamp_ns INTEGER);";

/// A database in which every event is as it must be.
fn sound() -> (TempDir, Stream, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::new(7);
    let mut reader = Store::Sqlite.reader(folder.path()).unwrap();
    Store::Sqlite.make_tables(&mut reader, 1).unwrap();
    let rates = rates::alerts(stream, EVENTS);
    let events: String = (0..EVENTS).map(|index| stored(stream, index, rates.get(&index))).collect();
    let ledger: String = (0..PARTITIONS)
        .map(|p| format!("INSERT INTO wasmill_ledger VALUES ({p}, 1, {});", EVENTS / PARTITIONS))
        .collect();
    reader.execute(&format!("{OWN_TABLES} BEGIN; {events} {ledger} COMMIT")).unwrap();
    (folder, stream, reader)
}

/// The statements that store what must come of an event.
fn stored(stream: Stream, index: u64, rate: Option<&ExpectedAlert>) -> String {
    let (partition, offset) = (index % PARTITIONS, index / PARTITIONS);
    let record = stream.record(index);
    let value = record.value.as_deref();
    let mut sql = match stream.fate(index, Kind::Sqlite) {
        Fate::Row => {
            let event: Value = serde_json::from_slice(value.unwrap()).unwrap();
            let id = event["id"].as_str().unwrap();
            let team = team_of(event["service"].as_str().unwrap());
            let domain = domain_of(event["source"]["ip"].as_str().unwrap());
            format!(
                "INSERT INTO events (id, at, env, body, raw, kafka_partition, kafka_offset) VALUES ('{id}', '{index}', \
                 '{ENVIRONMENT}', '{{\"id\":\"{id}\",\"team\":\"{team}\",\"source\":{{\"domain\":\"{domain}\"}}}}', x'{}', {partition}, {offset});",
                hex(value)
            )
        }
        Fate::Letter(code) => {
            let headers: Vec<_> = record.headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let payload = value.map_or("NULL".to_owned(), |value| format!("x'{}'", hex(Some(value))));
            format!(
                "INSERT INTO wasmill_dead_letters VALUES ({partition}, {offset}, '{code}', x'{}', {payload}, '{}', {});",
                hex(record.key.as_deref()),
                headers_to_json(&headers),
                record.time_ms.unwrap() * 1_000_000
            )
        }
    };
    for (number, alert) in stream.alerts(index).iter().chain(rate).enumerate() {
        sql += &format!(
            "INSERT INTO alerts VALUES ('{index}-{number}', '{}', '{}', '{}', {partition}, {offset});",
            RULES[alert.rule], alert.key, alert.summary
        );
    }
    sql
}

/// What is said about a sound database after `sql`.
fn said_after(sql: &str) -> String {
    let (_folder, stream, mut reader) = sound();
    reader.execute(sql).unwrap();
    verify(stream, Kind::Sqlite, &mut reader, EVENTS).expect_err("it is sound no more").to_string()
}

#[test]
fn what_is_as_it_must_be_is_accepted() {
    let (_folder, stream, mut reader) = sound();
    let account = verify(stream, Kind::Sqlite, &mut reader, EVENTS).unwrap();
    assert_eq!(account.rows + account.letters.values().sum::<u64>(), EVENTS);
    assert!(account.alerts > 0 && account.letters.len() > 3, "{account:?}");
}

#[test]
fn an_event_that_is_missing_is_told() {
    for table in ["events", "wasmill_dead_letters", "alerts"] {
        let said = said_after(&format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})"));
        assert!(said.starts_with("1 mistakes") && said.contains("must come to"), "{table}: {said}");
    }
}

#[test]
fn an_event_that_is_there_twice_is_told() {
    let doubled = |columns: &str, table: &str, values: &str| {
        said_after(&format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {table} LIMIT 1"))
    };
    let row = "id, at, env, body, raw, kafka_partition, kafka_offset";
    let letter = "partition, \"offset\", code, key, payload, headers, timestamp_ns";
    let alert = "id, rule, key, summary, kafka_partition, kafka_offset";
    for said in [
        doubled(row, "events", &row.replacen("at", "'later'", 1)),
        doubled(letter, "wasmill_dead_letters", letter),
        doubled(alert, "alerts", alert),
    ] {
        assert!(said.contains("is twice a"), "{said}");
    }
}

#[test]
fn bytes_that_were_touched_are_told() {
    for (sql, expected) in [
        ("UPDATE events SET raw = raw || x'20' WHERE kafka_offset = 7", "another payload"),
        ("UPDATE events SET env = 'prod' WHERE kafka_offset = 7", "other columns"),
        ("UPDATE events SET body = replace(body, '.local', '.example') WHERE kafka_offset = 7", "other columns"),
        ("UPDATE wasmill_dead_letters SET payload = x'7b7d'", "other bytes"),
        ("UPDATE wasmill_dead_letters SET headers = '[]'", "other bytes"),
        ("UPDATE wasmill_dead_letters SET code = 'unknown'", "its fate is"),
        ("UPDATE alerts SET summary = 'all is well'", "raises no such alert"),
        ("UPDATE alerts SET id = 'one'", "two alerts have one id"),
        ("UPDATE wasmill_ledger SET next_offset = 1 WHERE partition = 2", "the ledger says"),
    ] {
        let said = said_after(sql);
        assert!(said.contains(expected), "{sql}: {said}");
    }
}

#[test]
fn what_was_never_produced_is_told() {
    let said = said_after("UPDATE events SET kafka_offset = kafka_offset + 1000000 WHERE kafka_offset = 7");
    assert!(said.contains("events has"), "{said}");
}
