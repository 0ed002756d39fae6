//! Lines of plain and of compressed files.

use std::io::Write;

use super::*;

const LIMITS: BatchConfig =
    BatchConfig { events_max: 3, bytes_max: 1 << 20, event_bytes_max: 8, linger: Duration::ZERO };

fn read(content: &[u8], offset: i64) -> Vec<RawBatch> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    std::fs::write(&path, content).unwrap();
    let mut batches = LineSource::file(&path).unwrap().start(offset, LIMITS).unwrap();
    std::iter::from_fn(|| batches.blocking_recv()).map(Result::unwrap).collect()
}

fn payloads(batches: &[RawBatch]) -> Vec<String> {
    let events = batches.iter().flat_map(|batch| (0..batch.len()).filter_map(|n| batch.payload(n)));
    events.map(|payload| String::from_utf8_lossy(payload).into_owned()).collect()
}

#[test]
fn offset_of_a_line_is_its_first_byte_and_blank_lines_are_skipped() {
    let batches = read(b"{}\n\n{\"a\":1}\r\nlast", 0);
    assert_eq!(payloads(&batches), ["{}", "{\"a\":1}", "last"]);
    let offsets: Vec<_> = batches.iter().flat_map(|batch| batch.records()).map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 4, 13]);
    assert_eq!(batches.last().unwrap().next_offset(), 17);
}

#[test]
fn file_is_resumed_at_an_offset() {
    assert_eq!(payloads(&read(b"{}\n{\"a\":1}\n", 3)), ["{\"a\":1}"]);
}

#[test]
fn batch_is_cut_at_events_max() {
    assert_eq!(read(b"1\n2\n3\n4\n", 0).iter().map(RawBatch::len).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn line_at_the_limit_is_whole_and_a_longer_one_is_cut_and_says_so() {
    let batches = read(b"12345678\n12345678901234567890\n1\n", 0);
    assert_eq!(payloads(&batches), ["12345678", "1234567890", "1"]);
    let cut: Vec<_> = batches.iter().flat_map(|batch| batch.records()).map(|record| record.cut_from).collect();
    assert_eq!(cut, [None, Some(21), None]);
}

#[test]
fn file_that_shrank_is_refused_with_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    std::fs::write(&path, "{}\n").unwrap();
    let error = LineSource::file(&path).unwrap().start(10, LIMITS).unwrap_err();
    assert!(matches!(error, LineSourceError::Shrunk { size: 3, offset: 10, .. }));
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_are_read_and_resumed_by_the_offsets_of_their_lines() {
    let lines = b"{}\n{\"a\":1}\nlast\n";
    let zstd = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
    // Several members or frames, as they come about when files are put together.
    let parts = [[gzip(&lines[..5]), gzip(&lines[5..])].concat(), [zstd(&lines[..5]), zstd(&lines[5..])].concat()];
    for compressed in parts {
        assert_eq!(payloads(&read(&compressed, 0)), ["{}", "{\"a\":1}", "last"]);
        let resumed = read(&compressed, 3);
        assert_eq!(payloads(&resumed), ["{\"a\":1}", "last"]);
        assert_eq!((resumed[0].first_offset(), resumed[0].next_offset()), (3, 16));
    }
}

#[test]
fn compressed_file_that_is_cut_or_broken_gives_its_lines_up_to_there_and_then_says_so() {
    // Of several blocks: the damage is in the last one.
    let lines: String = (0..100_000_u32).map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761))).collect();
    let whole = [gzip(lines.as_bytes()), zstd::encode_all(lines.as_bytes(), 1).unwrap()];
    for content in whole {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.jsonl.any");
        std::fs::write(&path, &content[..content.len() - 6]).unwrap();
        let mut batches = LineSource::file(&path).unwrap().start(0, LIMITS).unwrap();
        let read: Vec<_> = std::iter::from_fn(|| batches.blocking_recv()).collect();
        assert!(matches!(read.last(), Some(Err(LineSourceError::Io { .. }))), "{:?}", read.last());
        let whole_batches = &read[..read.len() - 1];
        let lines: usize = whole_batches.iter().map(|batch| batch.as_ref().unwrap().len()).sum();
        assert!(lines > 0, "what came before the damage is there");
        assert_eq!(batches.blocking_recv().map(|_| ()), None);

        let mut batches = LineSource::file(&path).unwrap().start(1 << 40, LIMITS).unwrap();
        assert!(batches.blocking_recv().unwrap().is_err(), "it cannot be resumed behind its end");
    }
}

#[test]
fn compressed_file_that_holds_less_than_the_ledger_has_is_refused_with_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl.gz");
    std::fs::write(&path, gzip(b"{}\n")).unwrap();
    let mut batches = LineSource::file(&path).unwrap().start(10, LIMITS).unwrap();
    let error = batches.blocking_recv().unwrap().unwrap_err();
    assert!(matches!(error, LineSourceError::Shrunk { size: 3, offset: 10, .. }), "{error}");
}

#[test]
fn replaced_file_is_another_topic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    std::fs::write(&path, "{}\n").unwrap();
    let before = LineSource::file(&path).unwrap().partition().topic_id.clone();
    std::fs::write(&path, "[]\n").unwrap();
    assert_ne!(LineSource::file(&path).unwrap().partition().topic_id, before);
}
