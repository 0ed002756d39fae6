//! The adversaries of the table: each with its outcome, twice alike, and at no cost of memory; and no deed without a row.

pub(crate) mod crafted;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use wasmill_core::{Alert, Rejection};
use wasmill_engine::{CompileLimits, Engine, EngineOptions, LaneMemory, Limits, LoadError, Plugin, PluginSpec, Worker};

use self::table::{Guest, Moment, Outcome, Row, rows};
use crate::log::{Line, logged};
use crate::support::{batch, child, component, engine, options, spec};

/// Rows that the table has at least.
const ROWS_MIN: usize = 30;
/// Bytes of a reason, at most: those of `Limits::reason_bytes`, and what marks the cut.
const REASON_BYTES_MAX: usize = 1100;
/// Bytes of memory that further rounds may leave behind: room for the allocator's and the system's habits, and far less than one
/// of the bombs takes.
const LEFT_BEHIND_MAX: u64 = 32 << 20;

/// So small that each is met.
fn limits() -> Limits {
    Limits {
        fuel_per_event: 20_000_000,
        fuel_configure: 100_000_000,
        memory_bytes: 8 << 20,
        table_elements: 5_000,
        output_bytes: 1 << 20,
        log_lines: 5,
        state_bytes: 64 << 10,
        ..Limits::default()
    }
}

/// Everything that leaves the engine about one batch.
#[derive(Debug, PartialEq)]
struct Seen {
    live: Vec<u32>,
    rejections: Vec<Rejection>,
    dropped: Vec<u32>,
    alerts: Vec<Alert>,
    payloads: Vec<Vec<u8>>,
    fuel: u64,
    logged: (u64, u64),
    evicted: u64,
    lines: Vec<Line>,
}

/// Loads what a row is about; `None` where the guests are not built.
fn load(row: &Row) -> Option<Result<Arc<Plugin>, LoadError>> {
    let (bytes, child): (Arc<[u8]>, _) = match row.guest {
        Guest::Built(name) => (component(name)?, None),
        Guest::Crafted(make, seconds) => (make().into(), Some(child_engine(seconds))),
    };
    let config = match row.moment {
        Moment::Configure(deed, settings) => {
            let deed = (!deed.is_empty()).then(|| ("configure".to_owned(), Value::from(deed)));
            let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            Value::Object(settings.chain(deed).collect())
        }
        Moment::Load | Moment::Call(_) => json!({}),
    };
    let spec: PluginSpec = spec(&bytes, config, limits());
    Some(child.as_ref().unwrap_or(engine()).load(&spec))
}

/// An engine that compiles as `wasmill run` does.
fn child_engine(seconds: u64) -> Engine {
    let compile = CompileLimits { seconds, ..CompileLimits::default() };
    Engine::new(EngineOptions { compiler: child(), compile, instances: 4, ..options() }).unwrap()
}

/// The middle one of three events does the deed.
fn payloads(row: &Row) -> Vec<String> {
    let deed = |n: usize| match row.moment {
        Moment::Call(deed) if n == 1 => deed,
        _ => "",
    };
    let payload = |n: usize| match row.guest {
        Guest::Built("counter") => {
            let (act, bytes) = deed(n).split_once(':').unwrap_or((deed(n), ""));
            let mut event = json!({ "key": "k", "act": act });
            if let Ok(bytes) = bytes.parse::<u64>() {
                event["bytes"] = bytes.into();
            }
            event
        }
        _ => json!({ "n": n, "do": deed(n) }),
    };
    (0..3).map(|n| payload(n).to_string()).collect()
}

fn call(plugin: &Arc<Plugin>, payloads: &[String]) -> Result<Seen, String> {
    let (generation, mut batch) = batch(std::slice::from_ref(plugin), 0, payloads);
    let (outcome, lines) = logged(|| generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new()));
    let outcome = outcome.map_err(|broken| broken.to_string())?;
    let cost = outcome.costs[0];
    // What the host says of a plugin goes by time: that it is slow, and, once in a second, that it logs too much.
    let of_host = |line: &Line| {
        ["see limits.slow_batch_ms", "limits.log_lines or"].iter().any(|note| line.message.contains(note))
    };
    Ok(Seen {
        payloads: batch.live.iter().map(|event| batch.payload(*event).into_owned()).collect(),
        live: batch.live,
        rejections: outcome.rejections,
        dropped: outcome.dropped,
        alerts: outcome.alerts,
        fuel: cost.fuel,
        logged: (cost.log_lines, cost.log_lines_suppressed()),
        evicted: cost.state_evicted(),
        lines: lines.into_iter().filter(|line| !of_host(line)).collect(),
    })
}

/// Whether a row turns out as the table says.
fn check(row: &Row) -> Result<(), String> {
    let Some(loaded) = load(row) else { return Ok(()) };
    let plugin = match (loaded, row.outcome) {
        (Err(error), Outcome::Refused(words) | Outcome::RefusedOrHarmless(words)) => {
            return check_sentence(&error.to_string(), words);
        }
        (Err(error), _) => return Err(format!("it is refused: {error}")),
        (Ok(_), Outcome::Refused(_)) => return Err("it is loaded".into()),
        (Ok(plugin), _) => plugin,
    };
    if let Moment::Load = row.moment {
        return Ok(());
    }
    let seen = call(&plugin, &payloads(row))?;
    let again = call(&plugin, &payloads(row))?;
    if seen != again {
        return Err(format!("it ends otherwise the second time: {seen:?}, then {again:?}"));
    }
    check_lines(&seen, &plugin)?;
    check_outcome(&seen, row.outcome, plugin.configured_per_instance())
}

/// A refusal says the file, the digest and the reason; nothing in it can command a terminal.
fn check_sentence(text: &str, words: &str) -> Result<(), String> {
    let is_clean = !text.replace("\n  ", "").chars().any(char::is_control);
    let has_all = text.contains("10-rogue.wasm\" (digest ") && text.contains(words);
    let is_short = text.len() < 10_000;
    if is_clean && has_all && is_short { Ok(()) } else { Err(format!("it is refused, and says {text:?}")) }
}

/// Lines have no control characters, are bounded, and name plugin and digest.
fn check_lines(seen: &Seen, plugin: &Plugin) -> Result<(), String> {
    let reference = plugin.reference();
    let is_good = |line: &Line| {
        !line.message.chars().any(char::is_control)
            && line.message.len() <= limits().log_line_bytes + '…'.len_utf8()
            && line.plugin == reference.name
            && line.digest == format!("{:#}", reference.digest)
    };
    match seen.lines.iter().find(|line| !is_good(line)) {
        None => Ok(()),
        Some(line) => Err(format!("it logs {line:?}")),
    }
}

fn check_outcome(seen: &Seen, outcome: Outcome, slower: Option<&str>) -> Result<(), String> {
    let all_live = seen.live == [0, 1, 2] && seen.rejections.is_empty() && seen.dropped.is_empty();
    let is_as_expected = match outcome {
        Outcome::Refused(_) => false,
        Outcome::Harmless | Outcome::RefusedOrHarmless(_) => all_live && slower.is_none(),
        Outcome::Slower(words) => all_live && slower.is_some_and(|why| why.contains(words)),
        Outcome::Evicted => all_live && seen.evicted > 0,
        Outcome::Logged(lines, suppressed) => {
            all_live && seen.logged == (lines, suppressed) && seen.lines.len() as u64 == lines
        }
        Outcome::Dropped => seen.live == [0, 2] && seen.dropped == [1] && seen.rejections.is_empty(),
        Outcome::Rejected(code, words) => {
            let rejected = match &seen.rejections[..] {
                [one] => one.event == 1 && one.code == code && one.reason.contains(words),
                _ => false,
            };
            seen.live == [0, 2] && rejected
        }
        Outcome::RejectedAll(code, words) => {
            let is_like = |one: &Rejection| one.code == code && one.reason.contains(words);
            seen.live.is_empty() && seen.rejections.len() == 3 && seen.rejections.iter().all(is_like)
        }
    };
    let texts = seen.rejections.iter().map(|one| &one.reason);
    let texts = texts.chain(seen.alerts.iter().flat_map(|alert| [&alert.rule, &alert.key, &alert.summary]));
    let are_clean = texts.clone().all(|text| !text.chars().any(char::is_control));
    let are_short = seen.rejections.iter().all(|one| one.reason.len() <= REASON_BYTES_MAX);
    if is_as_expected && are_clean && are_short { Ok(()) } else { Err(format!("{slower:?}, {seen:?}")) }
}

#[test]
fn every_adversary_has_the_outcome_that_the_table_says() {
    let wrong: Vec<String> = rows()
        .filter_map(|row| {
            check(row).err().map(|what| format!("{}: {}", row.name, what.chars().take(700).collect::<String>()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows().count(), wrong.join("\n"));
}

#[test]
fn every_deed_has_a_row_and_every_row_a_deed() {
    let names: BTreeSet<&str> = rows().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().count(), "two rows have one name");
    assert!(names.len() >= ROWS_MIN);
    let in_table: BTreeSet<(String, String)> = rows().filter_map(deed).collect();
    assert_eq!(in_table, deeds_of_guests());
}

/// The guest of a row and the word of its deed, unless it has none.
fn deed(row: &Row) -> Option<(String, String)> {
    let Guest::Built(name) = row.guest else { return None };
    let deed = match row.moment {
        Moment::Load => "",
        Moment::Configure(deed, _) => deed,
        // `rogue` says for which of its kinds a deed is.
        Moment::Call(deed) if name == "rogue" => deed.split_once(':').map_or("", |(_, deed)| deed),
        Moment::Call(deed) => deed,
    };
    let word = deed.split(':').next().unwrap_or_default();
    (!word.is_empty()).then(|| (name.to_owned(), word.to_owned()))
}

/// Every guest, with every word that it matches on.
fn deeds_of_guests() -> BTreeSet<(String, String)> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.collect::<Vec<_>>()
    };
    let mut deeds = BTreeSet::new();
    for guest in files(&guests) {
        let name = guest.file_name().unwrap().to_str().unwrap();
        for file in files(&guest.join("src")) {
            let text = fs::read_to_string(file).unwrap();
            deeds.extend(text.lines().flat_map(words).map(|word| (name.to_owned(), word.to_owned())));
        }
    }
    deeds
}

/// The words that a line of code matches on: `"word" =>`, `"word" if ... =>`, `Some("word" | "other") =>`, `== Some("word")`.
fn words(line: &str) -> Vec<&str> {
    let line = line.trim();
    let arm = line.strip_prefix('"').and_then(|rest| rest.split_once('"')).filter(|(word, rest)| {
        let rest = rest.trim_start();
        !word.is_empty() && (rest.starts_with("=>") || rest.starts_with("if "))
    });
    let options = line.match_indices("Some(\"").filter_map(|(at, begin)| {
        let (inside, rest) = line[at + begin.len()..].split_once(')')?;
        let is_pattern = rest.starts_with(" =>") || line[..at].ends_with("= ");
        is_pattern.then(|| inside.split('"').step_by(2))
    });
    arm.map(|(word, _)| word).into_iter().chain(options.flatten()).collect()
}

/// Says that this process is there for the one test alone.
const ALONE: &str = "WASMILL_TEST_ALONE";

#[test]
fn adversaries_leave_no_memory_behind() {
    if std::env::var_os(ALONE).is_none() {
        // In a process of its own: what other tests take is not to be counted.
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "adversaries::adversaries_leave_no_memory_behind", "--nocapture"]).env(ALONE, "1");
        let output = test.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let round = || {
        // What is crafted is compiled in other processes, and for long.
        let rows = rows().filter(|row| matches!(row.guest, Guest::Built(_)));
        rows.for_each(|row| check(row).unwrap());
        resident_bytes()
    };
    let (first, second, third) = (round(), round(), round());
    let left = third.saturating_sub(first);
    assert!(left <= LEFT_BEHIND_MAX, "{first}, {second}, {third} bytes after each round");
}

/// Bytes of memory that this process has.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kilobytes << 10
}
