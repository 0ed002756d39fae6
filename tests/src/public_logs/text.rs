//! The same lines as text (`format: text`), of which no shipper has made anything.

use anyhow::{Result, ensure};

use super::Sent;
use crate::pipeline::Pipeline;

const YAML: &str = "name: public-text\nsource: { file: { path: all.log }, format: text }\nsinks: { rows: { sqlite: { \
    path: out.db, table: lines, columns: { place: { from: $offset, type: bigint }, message: message, raw: $raw } } } }\n";

/// Each line is a row, in order, with the line as it is but for its carriage return; those that are no text are dead letters. Answers
/// how many rows there are.
pub(super) fn run(sent: &[Sent]) -> Result<usize> {
    let pipeline = Pipeline::new(YAML);
    let lines: Vec<&[u8]> = sent.iter().map(|one| one.line.bytes.as_slice()).collect();
    std::fs::write(pipeline.path("all.log"), lines.join(&b'\n'))?;
    let ran = pipeline.run(b"");
    ensure!(ran.code == Some(0), "the lines as text ended with {:?}:\n{}", ran.code, ran.stderr);
    ran.assert_sums(&["rows"]);
    let whole = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty());
    let (texts, others): (Vec<_>, Vec<_>) = whole.map(std::str::from_utf8).partition(Result::is_ok);
    let found = pipeline.sqlite("out.db", "SELECT message, raw FROM lines ORDER BY place");
    ensure!(found.len() == texts.len(), "{} lines of text became {} rows", texts.len(), found.len());
    for (line, row) in texts.into_iter().flatten().zip(&found) {
        ensure!(row[0] == line && row[1] == line, "the line {line:?} became {row:?}");
    }
    let letters = pipeline.count("out.db", "SELECT count(*) FROM wasmill_dead_letters WHERE code = 'bad_utf8'");
    ensure!(usize::try_from(letters)? == others.len(), "{letters} of {} lines are dead letters", others.len());
    Ok(found.len())
}
