//! `wasmill plugin check`: what is wrong with a plugin, found before it serves. Everything runs in the engine of production, with the limits
//! that stand beside the plugin.

mod examples;
mod growth;
mod hostile;
mod same;

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use wasmill_core::EventTime;
use wasmill_engine::{INTERFACE_VERSION, Plugin};

use crate::cli::{Output, SubjectArgs};
use crate::commands::plugin::subject::{BYTES_USUAL, RECORD_NS, Subject, lines_of};
use crate::commands::{Exit, print};
use crate::lookups::ReverseDns;
use crate::solo::{Fared, Given, Solo};
use crate::terminal::{self, TextLines, plain};
use crate::torture;

/// What a plugin may import and cannot use, by the beginning of its name, and what to do instead.
const IMPORTS_IN_VAIN: [(&str, &str); 5] = [
    (
        "wasi:clocks/wall-clock",
        "it asks for the time of day, and that clock stands at zero: read the event's own time, `#[field(time)] time_ns: i64`",
    ),
    (
        "wasi:clocks/monotonic-clock",
        "it measures time or sleeps, and that clock stands still: read the event's own time, `#[field(time)] time_ns: i64`",
    ),
    (
        "wasi:random/random",
        "it asks for random numbers, and gets the same ones for each batch: derive them from the event",
    ),
    (
        "wasi:random/insecure@",
        "it asks for random numbers, and gets the same ones for each batch: derive them from the event",
    ),
    (
        "wasi:filesystem",
        "it opens files, and there are none: put what it needs into its config, or into the plugin (`include_str!`)",
    ),
];

/// What one check came to.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    state: State,
    says: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Passed,
    /// Worth a look; it may be meant so.
    Doubtful,
    Failed,
}

impl Check {
    fn passed(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Passed, says: says.into() }
    }

    fn doubtful(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Doubtful, says: says.into() }
    }

    fn failed(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Failed, says: says.into() }
    }
}

/// A loaded plugin and the events that it is tried with.
struct Trial {
    subject: Subject,
    plugin: Arc<Plugin>,
    /// One at least.
    samples: Vec<Vec<u8>>,
}

impl Trial {
    /// A lane in which nothing has run yet.
    fn lane(&self) -> Solo {
        lane(Arc::clone(&self.plugin))
    }
}

/// A lane in which nothing has run yet. No address has a name.
fn lane(plugin: Arc<Plugin>) -> Solo {
    Solo::new(plugin, event_time(), Arc::new(ReverseDns::of_table(Default::default())))
}

/// Events tell their own time where they can: what becomes of them is the same on every day.
fn event_time() -> EventTime {
    "timestamp".parse().map_or(EventTime::Record, EventTime::Field)
}

/// Runs every check.
///
/// # Errors
/// None: what is wrong with the plugin is how the command ends.
pub(super) fn run(args: &SubjectArgs) -> anyhow::Result<Exit> {
    let checks = match checks(args) {
        Ok(checks) => checks,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let failed = checks.iter().filter(|check| check.state == State::Failed).count();
    print(&match args.format {
        Output::Json => format!("{}\n", json!({ "checks": checks, "passed": failed == 0 })),
        Output::Text => shown(&checks, TextLines::of_stdout()),
    });
    Ok(match failed {
        0 => Exit::success(),
        1 => Exit::failed("one check failed"),
        failed => Exit::failed(format!("{failed} checks failed")),
    })
}

/// # Errors
/// A sentence, when the plugin or the events cannot be read.
fn checks(args: &SubjectArgs) -> Result<Vec<Check>, String> {
    let subject = Subject::read(&args.file, args.config.as_deref())?;
    let examples = args.events.as_deref().map(lines_of).transpose()?;
    let mut checks = vec![size(&subject)];
    let plugin = match subject.load() {
        Ok(plugin) => plugin,
        Err(reason) => {
            checks.insert(0, Check::failed("loads", reason));
            return Ok(checks);
        }
    };
    let reference = plugin.reference();
    let (name, version, digest) = (&reference.name, &reference.version, reference.digest);
    let what = format!("{name} {version}, {}, wasmill:plugin@{INTERFACE_VERSION}, digest {digest:#}", plugin.kinds());
    checks.insert(0, Check::passed("loads", what));
    checks.extend([starts(&plugin), grants(&plugin, &subject), imports(&plugin)]);
    let made_up = || vec![torture::sample(plugin.reads()).to_string().into_bytes()];
    let samples = examples.clone().unwrap_or_else(made_up);
    let trial = Trial { subject, plugin, samples };
    if examples.is_some() {
        checks.extend(examples::check(&trial));
    }
    let (hostile, borne) = hostile::check(&trial);
    checks.push(hostile);
    checks.extend(same::check(&trial, &borne));
    checks.extend(growth::check(&trial));
    Ok(checks)
}

fn size(subject: &Subject) -> Check {
    let (bytes, limit) = (subject.bytes.len(), subject.file.sidecar.limits.component_bytes);
    if bytes > limit {
        Check::failed("size", format!("{bytes} bytes, and limits.component_bytes allows {limit}: {}", Subject::SMALLER))
    } else if bytes > BYTES_USUAL {
        Check::doubtful(
            "size",
            format!("{bytes} bytes, and most plugins have less than {BYTES_USUAL}: {}", Subject::SMALLER),
        )
    } else {
        Check::passed("size", format!("{bytes} bytes"))
    }
}

fn starts(plugin: &Plugin) -> Check {
    match plugin.configured_per_instance() {
        None => Check::passed("starts", "pre-initialised: its configuration is part of its code"),
        Some(why) => Check::doubtful("starts", format!("it is configured anew for each batch, which is slower: {why}")),
    }
}

fn grants(plugin: &Plugin, subject: &Subject) -> Check {
    let needs = plugin.needs();
    let missing: Vec<&str> =
        needs.iter().filter(|grant| !subject.granted.contains(grant)).map(|grant| grant.as_str()).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let says = format!(
            "it needs {missing}, which it is not granted: write `grants: [{missing}]` in the YAML file beside it"
        );
        return Check::failed("grants", says);
    }
    match needs.is_empty() {
        true => Check::passed("grants", "it needs none"),
        false => Check::passed("grants", "it has those that it needs"),
    }
}

fn imports(plugin: &Plugin) -> Check {
    let imports = plugin.imports();
    let in_vain = imports.iter().filter_map(|(name, _)| {
        let (_, what) = IMPORTS_IN_VAIN.iter().find(|(beginning, _)| name.starts_with(beginning))?;
        Some(format!("{name}: {what}"))
    });
    let in_vain: Vec<String> = in_vain.collect();
    match in_vain.is_empty() {
        true => Check::passed("imports", "no time, no chance, no files"),
        false => Check::failed("imports", in_vain.join("; ")),
    }
}

/// The events as records of one time.
fn given<B: AsRef<[u8]>>(events: &[B]) -> Vec<Given<'_>> {
    events.iter().map(|event| Given { payload: Some(event.as_ref()), timestamp_ns: RECORD_NS }).collect()
}

/// What became of an event, in some words.
fn fate(Fared { fate, alerts }: &Fared) -> String {
    use crate::solo::Fate;
    let fate = match fate {
        Fate::Passed(payload) => format!("passed as {}", plain(&String::from_utf8_lossy(payload))),
        Fate::Dropped => "dropped".to_owned(),
        Fate::Rejected { code, reason, .. } => format!("rejected ({code}: {reason})"),
    };
    match alerts.len() {
        0 => fate,
        alerts => format!("{fate} with {alerts} alerts"),
    }
}

fn shown(checks: &[Check], lines: TextLines) -> String {
    let mut text = String::new();
    for Check { check, state, says } in checks {
        let (word, color) = match state {
            State::Passed => ("ok", terminal::GOOD),
            State::Doubtful => ("look", terminal::DOUBTFUL),
            State::Failed => ("FAILED", terminal::WRONG),
        };
        text.push_str(&format!(
            "{}  {check:<13} {}\n",
            lines.colored(&format!("{word:<6}"), color),
            terminal::all_visible(says)
        ));
    }
    text
}
