//! `wasmill dlq`: what may be typed.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use wasmill_expr::time::parse_rfc3339_micros;

use super::Output;
use crate::config::parse_duration;
use crate::letters::{LetterFilter, LetterState};
use crate::pipeline::PlaceOptions;

/// `wasmill dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Print the newest dead letters, or how many there are of each kind
    #[command(
        after_help = "Examples:\n  wasmill dlq list pipeline.yaml\n  wasmill dlq list pipeline.yaml --summary\n  \
                      wasmill dlq list pipeline.yaml --plugin validate-event --since 2h --format json\n\n\
                      Letters that wait or are parked are printed; --state names others."
    )]
    List(ListArgs),
    /// Print a dead letter: its origin, its event, and why it was rejected
    #[command(
        after_help = "Examples:\n  wasmill dlq show pipeline.yaml 17\n  wasmill dlq show pipeline.yaml 17 --format json\n  \
                      wasmill dlq show pipeline.yaml 17 --payload > event.json"
    )]
    Show(ShowArgs),
    /// Send dead letters through the plugins as they are now, and to the sinks
    #[command(after_help = "Examples:\n  wasmill dlq replay pipeline.yaml 17 18\n  \
                      wasmill dlq replay pipeline.yaml --plugin validate-event --code trap --dry-run\n  \
                      wasmill dlq replay pipeline.yaml --all\n\n\
                      The pipeline may run meanwhile. A letter that was replayed is not replayed again; stop at any time, and go on by \
                      the same command.")]
    Replay(ReplayArgs),
    /// Give dead letters up, with a reason that is kept with them
    #[command(
        after_help = "Examples:\n  wasmill dlq discard pipeline.yaml 17 --reason \"test data of the vendor\"\n  \
                      wasmill dlq discard pipeline.yaml --code not_json --until 2026-01-01T00:00:00Z --reason \"before the fix\""
    )]
    Discard(DiscardArgs),
}

/// Where the letters are.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// Where letters are read from, where the pipeline writes them to several places: file, kafka, or a sink's name
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Where what became of letters is kept, for a pipeline without a home: an SQLite file, beside a file of letters by default
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

impl PlaceArgs {
    /// What they say.
    pub fn options(&self) -> PlaceOptions {
        PlaceOptions { from: self.from.clone(), ledger: self.ledger.clone() }
    }
}

/// Which letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct FilterArgs {
    /// Rejected by this plugin
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Rejected by a plugin whose digest begins so
    #[arg(long, value_name = "HEX", value_parser = digest_prefix)]
    pub digest: Option<String>,
    /// Rejected with this code
    #[arg(long)]
    pub code: Option<String>,
    /// First rejected at this time or later: RFC 3339, or how long ago (30m, 2h)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<i64>,
    /// First rejected before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<i64>,
    /// Of this topic or file: TOPIC or TOPIC/PARTITION
    #[arg(long, value_name = "TOPIC[/PARTITION]", value_parser = source)]
    pub source: Option<SourceArg>,
    /// In this state
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
}

/// A topic, perhaps with a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceArg {
    /// The topic, or the path of a file.
    pub topic: String,
    /// The partition.
    pub partition: Option<i32>,
}

/// A state of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// Nobody has done anything about it, or a replay was rejected.
    Waiting,
    /// It was rejected too often.
    Parked,
    /// It is stored, or dropped.
    Replayed,
    /// Somebody gave it up.
    Discarded,
    /// Any of them.
    All,
}

impl FilterArgs {
    /// Whether nothing is asked for.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The filter that they say, with these states unless others are named.
    pub fn filter(&self, states: &[LetterState]) -> LetterFilter {
        let states = match self.state {
            None => states.to_vec(),
            Some(StateArg::All) => Vec::new(),
            Some(StateArg::Waiting) => vec![LetterState::Waiting],
            Some(StateArg::Parked) => vec![LetterState::Parked],
            Some(StateArg::Replayed) => vec![LetterState::Replayed],
            Some(StateArg::Discarded) => vec![LetterState::Discarded],
        };
        LetterFilter {
            plugin: self.plugin.clone(),
            digest: self.digest.clone(),
            code: self.code.clone(),
            since_us: self.since,
            until_us: self.until,
            topic: self.source.as_ref().map(|source| source.topic.clone()),
            partition: self.source.as_ref().and_then(|source| source.partition),
            states,
        }
    }
}

/// `wasmill dlq list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the letters are.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which are meant.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How many letters there are of each kind, instead of the letters
    #[arg(long, conflicts_with = "limit")]
    pub summary: bool,
    /// Most letters
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    pub limit: i64,
    /// How they are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill dlq show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Where the letters are.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Its id, as `dlq list` prints it
    pub id: i64,
    /// Print the event's payload alone, byte by byte
    #[arg(long, conflicts_with = "format")]
    pub payload: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill dlq replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Where the letters are.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Their ids, as `dlq list` prints them
    #[arg(value_name = "ID")]
    pub ids: Vec<i64>,
    /// Which are meant.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// All letters that wait
    #[arg(long)]
    pub all: bool,
    /// Say what would happen, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Park a letter that was rejected so often, the first time included
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(i32).range(1..))]
    pub max_attempts: i32,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill dlq discard`.
#[derive(Debug, Args)]
pub struct DiscardArgs {
    /// Where the letters are.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Their ids, as `dlq list` prints them
    #[arg(value_name = "ID")]
    pub ids: Vec<i64>,
    /// Which are meant.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// All letters that wait or are parked
    #[arg(long)]
    pub all: bool,
    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// A time as RFC 3339, or how long ago it was; microseconds since 1970.
///
/// # Errors
/// What to write instead.
pub fn parse_time(text: &str) -> Result<i64, String> {
    if let Some(ago) = parse_duration(text) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(ago);
        return Ok(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX));
    }
    parse_rfc3339_micros(text)
        .map_err(|_| "write a time such as 2026-01-01T00:00:00Z, or how long ago: 30m, 2h".to_owned())
}

fn digest_prefix(text: &str) -> Result<String, String> {
    let is_hex = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "write the first of a digest's hexadecimal digits".to_owned())
}

/// A path has slashes too, so only a number behind the last one is a partition.
fn source(text: &str) -> Result<SourceArg, String> {
    let numbered = text.rsplit_once('/').and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
    Ok(match numbered {
        Some((topic, partition)) => SourceArg { topic: topic.to_owned(), partition: Some(partition) },
        None => SourceArg { topic: text.to_owned(), partition: None },
    })
}

fn reason(text: &str) -> Result<String, String> {
    let is_some = !text.trim().is_empty();
    is_some.then(|| text.to_owned()).ok_or_else(|| "say why, in a few words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_a_topic_or_a_path_with_or_without_a_partition() {
        let parts = |text| source(text).map(|source| (source.topic, source.partition)).unwrap();
        assert_eq!(parts("raw-events"), ("raw-events".to_owned(), None));
        assert_eq!(parts("raw-events/3"), ("raw-events".to_owned(), Some(3)));
        assert_eq!(parts("/var/log/in.jsonl"), ("/var/log/in.jsonl".to_owned(), None));
        assert_eq!(parts("/var/log/in.jsonl/0"), ("/var/log/in.jsonl".to_owned(), Some(0)));
    }

    #[test]
    fn time_is_a_moment_or_a_while_ago() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert!(parse_time("2h").unwrap() < parse_time("1h").unwrap());
        assert!(parse_time("yesterday").is_err() && parse_time("").is_err());
    }

    #[test]
    fn digest_is_hexadecimal_and_a_reason_has_words() {
        assert_eq!(digest_prefix("AB12"), Ok("ab12".to_owned()));
        assert!(["", "xy", &"a".repeat(65), "%"].iter().all(|text| digest_prefix(text).is_err()));
        assert!(reason(" ").is_err() && reason("test data").is_ok());
    }
}
