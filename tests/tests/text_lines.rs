//! Lines of text as events: from compressed files and from Kafka, with the line kept beside the object that is made of it.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use wasmill_tests::kafka::Record;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services;

const LINES: [&str; 4] =
    ["2026-01-31T00:00:00Z INFO plain", "\"quoted\" \\ back\u{1b}[31mslash\t", "{\"looks\":\"like JSON\"}", "Zürich ✓"];

/// `$raw` is the line, `$payload` the object with what a plugin wrote.
const TABLE: &str =
    "{ path: out.db, table: lines, columns: { place: $offset, message: message, raw: $raw, body: $payload } }";

fn expected(lines: &[&str]) -> Vec<Vec<String>> {
    let row = |line: &&str| {
        let body = serde_json::json!({ "message": line, "env": "test" }).to_string();
        vec![(*line).to_owned(), (*line).to_owned(), body]
    };
    lines.iter().map(row).collect()
}

/// Without what the plugin says of the time.
fn rows(pipeline: &Pipeline) -> Vec<Vec<String>> {
    let rows = pipeline.sqlite("out.db", "SELECT message, raw, body FROM lines ORDER BY place");
    let body = |text: &str| {
        let mut body: serde_json::Value = serde_json::from_str(text).expect("an object");
        body.as_object_mut().expect("an object").remove("metadata").expect("enrich-env wrote it");
        body.to_string()
    };
    rows.into_iter().map(|row| vec![row[0].clone(), row[1].clone(), body(&row[2])]).collect()
}

#[test]
fn lines_of_a_compressed_file_are_rows_and_what_is_no_text_keeps_its_bytes_in_a_dead_letter() -> Result<()> {
    let yaml = format!(
        "name: text\nsource: {{ file: {{ path: app.log.gz }}, format: text }}\nplugins: plugins.d\nadmin: false\nsinks: {{ rows: {{ sqlite: {TABLE} }} }}\n"
    );
    let pipeline = Pipeline::new(&yaml).plugin(10, "enrich-env", "config: { env: test }");
    let mut file = GzEncoder::new(std::fs::File::create(pipeline.path("app.log.gz"))?, Compression::fast());
    file.write_all(format!("{}\r\n\n", LINES.join("\n")).as_bytes())?;
    file.write_all(b"latin \xe9\n")?;
    file.finish()?;
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows"]);
    assert_eq!(rows(&pipeline), expected(&LINES));
    let letters = pipeline.sqlite("out.db", "SELECT code, hex(payload) FROM wasmill_dead_letters");
    assert_eq!(letters, [["bad_utf8", "6C6174696E20E9"]]);

    let again = pipeline.run(b"");
    assert_eq!(again.report()["received"], 0, "a second run goes on where the first ended: {}", again.stderr);
    Ok(())
}

#[test]
fn texts_of_a_topic_are_rows_the_empty_one_too() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let kafka = KafkaPipeline::at(&brokers);
    kafka.replace(
        "{ path: out.db, table: events, create: true, columns: { id: id, part: $partition, place: $offset } }",
        TABLE,
    );
    kafka.replace("source: {", "source: { format: text,");
    let KafkaPipeline { cluster, topic, pipeline } = kafka;
    let pipeline = pipeline.plugin(10, "enrich-env", "config: { env: test }");
    wasmill_tests::kafka_pipeline::wait(cluster.create(&topic, 1, &[]))?;
    let lines = [LINES.as_slice(), &[""]].concat();
    cluster.produce(&topic, 0, lines.iter().map(|line| Record::of(*line)))?;
    cluster.produce(&topic, 0, [Record::of(b"\xff".to_vec()), Record::default()])?;
    let ran = pipeline.start_with(&["run", "pipeline.yaml", "--until-end", "--format", "json"], b"");
    let ran = ran.wait(wasmill_tests::pipeline::PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(rows(&pipeline), expected(&lines));
    let letters = pipeline.sqlite("out.db", "SELECT code FROM wasmill_dead_letters ORDER BY \"offset\"");
    assert_eq!(letters, [["bad_utf8"], ["tombstone"]]);
    Ok(())
}
