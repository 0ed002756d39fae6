//! What is wrong with a pipeline's file is told by `run` and by `validate`, all at once, with exit code 78 and before anything is
//! connected; and what is right, with the guarantee of each sink.

use std::path::Path;

use wasmill_tests::pipeline::{PATIENCE, Pipeline};

/// Mistakes as `validate` prints them, in its folder.
const WRONG: &str = "name: a
source: { file: { path: in.jsonl } }
bach: { events_max: 5 }
batch: { events_max: many }
sinks:
  rows: { postgres: { url: \"postgres://me:${NO_SUCH_VARIABLE}@h/d\", table: t, columns: { a: a } } }
  twice: { discard: {} }
  twice: { stdout: {} }
  own: { file: { path: in.jsonl } }
";

#[test]
fn all_mistakes_are_told_at_once_with_line_and_column_by_run_and_validate() {
    let pipeline = Pipeline::new(WRONG);
    for arguments in [["run", "pipeline.yaml"], ["validate", "pipeline.yaml"]] {
        let ran = pipeline.start_with(&arguments, b"").wait(PATIENCE);
        assert_eq!(ran.code, Some(78), "{arguments:?}: {}", ran.stderr);
        let said = ran.stdout + &ran.stderr;
        for mistake in [
            "pipeline.yaml:3:1: unknown key \"bach\"; did you mean \"batch\"?",
            "pipeline.yaml:4:22: ",
            "pipeline.yaml:6:28: the environment variable NO_SUCH_VARIABLE is not set",
            "pipeline.yaml:8:3: the key \"twice\" is given twice; the first is on line 7",
        ] {
            assert!(said.contains(mistake), "{arguments:?}: {mistake}\n{said}");
        }
    }
    assert!(!pipeline.path("in.jsonl").exists(), "nothing was opened");
}

#[test]
fn sink_that_writes_what_the_source_reads_is_refused() {
    let yaml = "name: a\nsource: { file: { path: ./in.jsonl } }\nsinks:\n  own: { file: { path: x/../in.jsonl } }\n";
    let ran = Pipeline::new(yaml).run(b"");
    assert_eq!(ran.code, Some(78));
    let reason = "pipeline.yaml:4:24: this file is used by the source already; give the sink \"own\" another one";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
}

#[test]
fn sink_that_writes_what_the_source_reads_is_refused_by_another_name_too() {
    let yaml = "name: a\nsource: { file: { path: in.jsonl } }\nsinks:\n  own: { file: { path: other.jsonl } }\n";
    let link: [fn(&Path, &Path) -> std::io::Result<()>; 2] =
        [|file, name| std::os::unix::fs::symlink(file, name), |file, name| std::fs::hard_link(file, name)];
    for link in link {
        let pipeline = Pipeline::new(yaml);
        std::fs::write(pipeline.path("in.jsonl"), "{}\n").unwrap();
        link(&pipeline.path("in.jsonl"), &pipeline.path("other.jsonl")).unwrap();
        let ran = pipeline.run(b"");
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains("this file is used by the source already"), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(pipeline.path("in.jsonl")).unwrap(), "{}\n");
    }
}

#[test]
fn validate_prints_what_is_guaranteed_for_each_sink() {
    let yaml = "name: a
source: { kafka: { brokers: \"localhost:1\", topics: [t], group: g } }
sinks:
  rows: { sqlite: { path: out.db, table: t, columns: { p: $partition, o: $offset } } }
  other: { postgres: { url: \"postgres://me:hunter2@h/d\", table: t, columns: { p: $partition, o: $offset } } }
  copy: { file: { path: out.jsonl } }
  none: { discard: {} }
";
    let ran = Pipeline::new(yaml).start_with(&["validate", "pipeline.yaml"], b"").wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let expected = "pipeline a: kafka → rows, other, copy, none

guarantees
  rows   exactly once   rows and position are committed in one transaction
  other  exactly once   rows are committed with a mark of their own, before home; what is there already is not written again
  copy   at least once  a file has no transactions: lines after the last commit are written again after a crash
  none   none           everything is thrown away

to know
  no plugin directory is given: events pass through unchanged

valid
";
    assert_eq!(ran.stdout, expected);
}
