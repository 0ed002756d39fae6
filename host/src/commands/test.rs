//! `wasmill test`: fixtures go through the whole pipeline, offline, and what comes of them is compared with what is expected.
//!
//! The events come from the fixture's file instead of the source, tables are SQLite's in a folder of their own, and what would be sent goes
//! to files there. All else is as in production: the plugins, their order and limits, conditions, columns, refusals.

mod compare;
mod offline;
mod update;

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::cli::TestArgs;
use crate::commands::{Exit, load, print};
use crate::config::{Config, Fixture};
use crate::terminal::{self, TextLines, all_visible};

/// What came of one fixture.
struct Tested {
    file: PathBuf,
    /// Sentences on what is other than expected.
    differences: Vec<String>,
}

/// What each sink got, by its name.
type Results = Vec<(String, Vec<Value>)>;

/// Runs the fixtures.
///
/// # Errors
/// When files cannot be written.
pub async fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    let config = match load(&args.config) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let files = match fixtures(args) {
        Ok(files) => files,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let lines = TextLines::of_stdout();
    let mut tested = Vec::new();
    for file in files {
        let differences = match test(&config, &file, args.update).await? {
            Ok(differences) => differences,
            Err(reason) => return Ok(Exit::bad_setup(reason)),
        };
        let one = Tested { file, differences };
        print(&shown(&one, lines, args.update));
        tested.push(one);
    }
    if let Some(report) = &args.junit {
        std::fs::write(report, junit(&config.name, &tested))
            .with_context(|| format!("cannot write {}", report.display()))?;
    }
    let failed = tested.iter().filter(|one| !one.differences.is_empty()).count();
    Ok(match failed {
        0 => Exit::success(),
        failed => Exit::failed(format!("{failed} of {} fixtures failed", tested.len())),
    })
}

/// The fixtures that are named, else all of the folder `tests` beside the pipeline's file.
fn fixtures(args: &TestArgs) -> Result<Vec<PathBuf>, String> {
    if !args.fixtures.is_empty() {
        return Ok(args.fixtures.clone());
    }
    let folder = args.config.parent().unwrap_or(Path::new("")).join("tests");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_fixture = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<PathBuf> = entries.filter(is_fixture).collect();
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "there is no fixture in {}: write one, such as `events: [{{ \"severity\": \"INFO\" }}]`, and run `wasmill test --update`",
            folder.display()
        ));
    }
    Ok(files)
}

/// What is other than expected; or, as the inner error, why the fixture cannot be run.
async fn test(config: &Config, file: &Path, is_update: bool) -> anyhow::Result<Result<Vec<String>, String>> {
    let fixture = match Fixture::load(file) {
        Ok(fixture) => fixture,
        Err(mistakes) => return Ok(Err(mistakes.to_string())),
    };
    if let Some(reason) = unknown_sink(config, &fixture, file) {
        return Ok(Err(reason));
    }
    let results = match offline::run(config, &fixture.events).await? {
        Ok(results) => results,
        Err(reason) => return Ok(Err(format!("{}: {reason}", file.display()))),
    };
    if is_update {
        update::write(file, config, &fixture, &results)?;
        return Ok(Ok(Vec::new()));
    }
    let of = |name: &str| results.iter().find(|(sink, _)| sink == name).map_or(&[][..], |(_, rows)| rows);
    let differences = fixture.expect.iter().flat_map(|(name, rows)| compare::differences(name, rows, of(name)));
    Ok(Ok(differences.collect()))
}

/// A name under `expect` that no sink has.
fn unknown_sink(config: &Config, fixture: &Fixture, file: &Path) -> Option<String> {
    let known = || config.sinks.iter().map(|sink| sink.name.as_str()).chain([offline::DEAD_LETTERS]);
    let (name, _) = fixture.expect.iter().find(|(name, _)| !known().any(|sink| sink == name))?;
    let known: Vec<&str> = known().collect();
    Some(format!("{}: there is no sink {name:?} to expect anything of; there are {}", file.display(), known.join(", ")))
}

fn shown(Tested { file, differences }: &Tested, lines: TextLines, is_update: bool) -> String {
    let word = match (differences.is_empty(), is_update) {
        (true, true) => lines.colored("written", terminal::CALM),
        (true, false) => lines.colored("ok     ", terminal::GOOD),
        (false, _) => lines.colored("FAILED ", terminal::WRONG),
    };
    let mut text = format!("{word}  {}\n", file.display());
    for difference in differences {
        text.push_str(&format!("         {}\n", all_visible(difference)));
    }
    text
}

/// The report that CI systems read.
fn junit(pipeline: &str, tested: &[Tested]) -> String {
    let failed = tested.iter().filter(|one| !one.differences.is_empty()).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">\n",
        escaped(pipeline),
        tested.len()
    );
    for Tested { file, differences } in tested {
        let name = escaped(&file.display().to_string());
        if differences.is_empty() {
            text.push_str(&format!("  <testcase name=\"{name}\"/>\n"));
        } else {
            let told = escaped(&differences.join("\n"));
            text.push_str(&format!(
                "  <testcase name=\"{name}\"><failure message=\"other than expected\">{told}</failure></testcase>\n"
            ));
        }
    }
    text + "</testsuite>\n"
}

/// For XML, which has no place for most control characters.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_for_ci_is_xml_whatever_the_differences_hold() {
        let one = |file: &str, differences: &[&str]| Tested {
            file: file.into(),
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
        };
        let text = junit("p", &[one("a.yaml", &[]), one("b.yaml", &["rows[0].x: expected \"<&\u{1b}\""])]);
        let expected = "<testsuite name=\"p\" tests=\"2\" failures=\"1\">\n  <testcase name=\"a.yaml\"/>\n  \
                        <testcase name=\"b.yaml\"><failure message=\"other than expected\">rows[0].x: expected \
                        &quot;&lt;&amp;\u{fffd}&quot;</failure></testcase>\n</testsuite>\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
