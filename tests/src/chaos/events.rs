//! The events of a chaos run: a pure function of seed and number, so that what must come of each is known without having
//! kept any.

use fastrand::Rng;
use serde_json::Value;
use wasmill::demo::events::{Events, Hostile};

use super::store::Kind;
use crate::kafka::Record;

/// Event `n` goes to partition `n % PARTITIONS`, with the offset `n / PARTITIONS`.
pub(super) const PARTITIONS: u64 = 4;

/// Of a hundred events so many are hostile in one of the demo's ways ...
const HOSTILE_PERCENT: f64 = 0.6;
/// ... and of a thousand so many in each of [`OWN`]: 1 % together.
const OWN_PER_MILLE: u64 = 1;
const OWN: [Nature; 4] = [Nature::LongUser, Nature::Check, Nature::Trigger, Nature::Twice];

/// How far back the first one of an event that comes twice is looked for, in offsets.
const TWICE_BACK_MAX: u64 = 3_000;

/// The longest text of the column `user`.
pub(super) const USER_CHARS_MAX: usize = 16;
/// The status that the table's CHECK refuses.
pub(super) const REFUSED_STATUS: u64 = 418;
/// The message that the table's trigger refuses.
pub(super) const REFUSED_MESSAGE: &str = "the trigger refuses this";
/// What `enrich-env` writes to `env`.
pub(super) const ENVIRONMENT: &str = "chaos";
/// `alert-rules` raises these. What it counts by address never comes to an alert: it is there for a state of many keys.
pub(super) const RULES: [&str; 3] = ["money-fails", "root-is-critical", "many-denied"];

/// Plugins that ship with their settings, as YAML.
pub(super) const PLUGINS: [(&str, &str); 4] = [
    (
        "validate-event",
        "
config:
  fields:
    id:        { required: true, max_bytes: 64 }
    timestamp: { required: true, timestamp: { format: rfc3339, max_past: 30d, max_future: 5m } }
    severity:  { required: true, one_of: [DEBUG, INFO, WARN, ERROR, CRITICAL] }
    message:   { required: true, max_chars: 8192 }
    status:    { type: integer }
",
    ),
    (
        "enrich-env",
        "
config:
  env: chaos
  lookup:
    field: service
    table: { payments-api: { team: money } }
    default: { team: platform }
",
    ),
    ("enrich-rdns", "{ grants: [reverse-dns], config: { fields: { source.ip: source.domain } } }"),
    (
        "alert-rules",
        "
config:
  rules:
    - { name: money-fails, when: 'team == \"money\" && status >= 500', severity: warning, key: service,
        summary: '{service} answered {status}' }
    - { name: root-is-critical, when: 'severity == \"CRITICAL\" && user == \"root\"', severity: critical, key: source.host,
        summary: '{source.host}: {message}' }
    - { name: many-denied, when: 'status == 401', rate: { more_than: 6, within: 5s }, quiet: 2s, severity: error, key: user,
        summary: '{$count} times, {$suppressed} before' }
    - { name: busy-address, when: 'status == 403', rate: { more_than: 50, within: 1m }, severity: info, key: source.ip,
        summary: '{$count} times' }
grants: [state]
",
    ),
];

/// What is the matter with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Good,
    Spoiled(Hostile),
    /// A text that is longer than its column.
    LongUser,
    /// A row that the table's CHECK refuses.
    Check,
    /// A row that the table's trigger refuses.
    Trigger,
    /// A row that is there already: the table's UNIQUE refuses it.
    Twice,
}

/// What must come of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// One row.
    Row,
    /// One dead letter, with this code.
    Letter(&'static str),
}

/// An alert that an event must raise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExpectedAlert {
    pub(super) rule: usize,
    pub(super) key: String,
    pub(super) summary: String,
}

/// The events of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    seed: u64,
    made: Events,
}

impl Stream {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, made: Events::new(seed, HOSTILE_PERCENT) }
    }

    /// Event `index` as it goes into Kafka.
    pub(super) fn record(&self, index: u64) -> Record {
        let mut event = self.made.event(index);
        let payload = event.payload.take();
        let value = match (self.nature(index), payload) {
            (Nature::LongUser, Some(payload)) => {
                Some(with(&payload, "\"user\":\"", '"', &"u".repeat(USER_CHARS_MAX + 1)))
            }
            (Nature::Check, Some(payload)) => Some(with(&payload, "\"status\":", ',', &REFUSED_STATUS.to_string())),
            (Nature::Trigger, Some(payload)) => Some(with(&payload, "\"message\":\"", '"', REFUSED_MESSAGE)),
            (Nature::Twice, payload) => self.first_of(index).map_or(payload, |first| self.made.event(first).payload),
            (Nature::Good | Nature::Spoiled(_), payload) | (_, payload @ None) => payload,
        };
        let headers = event.headers.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect();
        Record { key: Some(event.key), value, headers, time_ms: Some(event.time_ms) }
    }

    /// What must come of event `index`.
    pub(super) fn fate(&self, index: u64, store: Kind) -> Fate {
        match self.nature(index) {
            Nature::Good => Fate::Row,
            Nature::Spoiled(hostile) => fate_of(hostile),
            Nature::Twice if self.first_of(index).is_none() => Fate::Row,
            // SQLite's columns have no length: there a CHECK is what refuses it.
            Nature::LongUser if store == Kind::Timescale => Fate::Letter("too_long"),
            Nature::LongUser | Nature::Check | Nature::Trigger | Nature::Twice => Fate::Letter("refused_by_database"),
        }
    }

    /// Event `index` as the rules are asked about it: a row that its table refuses has passed the plugins all the same.
    pub(super) fn alerted(&self, index: u64) -> Option<Value> {
        let passes = match self.nature(index) {
            Nature::Spoiled(hostile) => {
                matches!(hostile, Hostile::DuplicateKey | Hostile::NulInText | Hostile::HeaderNoText)
            }
            _ => true,
        };
        let payload = self.record(index).value.filter(|_| passes)?;
        serde_json::from_slice(&payload).ok()
    }

    /// The alerts that event `index` must raise whatever came before it.
    pub(super) fn alerts(&self, index: u64) -> Vec<ExpectedAlert> {
        let Some(event) = self.alerted(index) else { return Vec::new() };
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let mut alerts = Vec::new();
        if team_of(text("service")) == "money" && event["status"].as_u64().is_some_and(|status| status >= 500) {
            let summary = format!("{} answered {}", text("service"), event["status"]);
            alerts.push(ExpectedAlert { rule: 0, key: text("service").to_owned(), summary });
        }
        if text("severity") == "CRITICAL" && text("user") == "root" {
            let host = event["source"]["host"].as_str().unwrap_or_default();
            let message = text("message").replace(char::is_control, " ");
            alerts.push(ExpectedAlert { rule: 1, key: host.to_owned(), summary: format!("{host}: {message}") });
        }
        alerts
    }

    fn nature(&self, index: u64) -> Nature {
        if let Some(hostile) = self.made.hostile(index) {
            return Nature::Spoiled(hostile);
        }
        let roll = self.dice(index).u64(..1_000);
        usize::try_from(roll / OWN_PER_MILLE).ok().and_then(|kind| OWN.get(kind).copied()).unwrap_or(Nature::Good)
    }

    /// The good event, earlier in the partition, that an event which comes twice repeats.
    fn first_of(&self, index: u64) -> Option<u64> {
        let mut dice = self.dice(index);
        let _kind = dice.u64(..1_000);
        let mut first = index.checked_sub(PARTITIONS * dice.u64(1..=TWICE_BACK_MAX))?;
        while self.nature(first) != Nature::Good {
            first = first.checked_sub(PARTITIONS)?;
        }
        Some(first)
    }

    fn dice(&self, index: u64) -> Rng {
        Rng::with_seed(self.seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// What `enrich-env` writes to `team`.
pub(super) fn team_of(service: &str) -> &'static str {
    if service == "payments-api" { "money" } else { "platform" }
}

/// What `enrich-rdns` writes to `source.domain`.
pub(super) fn domain_of(address: &str) -> String {
    format!("host-{}.local", address.rsplit('.').next().unwrap_or_default())
}

fn fate_of(hostile: Hostile) -> Fate {
    Fate::Letter(match hostile {
        Hostile::DuplicateKey => return Fate::Row,
        Hostile::NotJson | Hostile::GarbageAfter => "not_json",
        Hostile::Truncated => "truncated",
        Hostile::Empty => "empty",
        Hostile::Tombstone => "tombstone",
        Hostile::NotAnObject => "not_an_object",
        Hostile::InvalidUtf8 => "bad_utf8",
        Hostile::LoneSurrogate => "lone_surrogate",
        Hostile::NulInText => "nul_in_text",
        Hostile::HugeNumber | Hostile::FractionForInteger | Hostile::WrongType => "wrong_type",
        Hostile::DeepNesting => "too_deep",
        Hostile::TimeTooLate | Hostile::OddOffset | Hostile::NoTime => "bad_timestamp",
        Hostile::TimeBefore1970 => "too_old",
        Hostile::LongText => "too_long",
        Hostile::FieldMissing => "missing_field",
        Hostile::UnknownSeverity => "bad_severity",
        Hostile::HeaderNoText => "bad_header",
    })
}

/// The payload with another value between `before` and the next `after`.
fn with(payload: &[u8], before: &str, after: char, new: &str) -> Vec<u8> {
    let text = std::str::from_utf8(payload).expect("a good event is text");
    let (head, rest) = text.split_once(before).expect("a good event has every field");
    let (_, tail) = rest.split_once(after).expect("and its field ends");
    format!("{head}{before}{new}{after}{tail}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_in_a_hundred_is_hostile_and_some_only_to_the_database() {
        let stream = Stream::new(7);
        let fates: Vec<Fate> = (0..100_000).map(|index| stream.fate(index, Kind::Timescale)).collect();
        let letters = fates.iter().filter(|fate| **fate != Fate::Row).count();
        let late = fates.iter().filter(|fate| **fate == Fate::Letter("refused_by_database")).count();
        assert!((800..1_200).contains(&letters), "{letters}");
        assert!((200..400).contains(&late), "{late}");
    }

    #[test]
    fn an_event_that_comes_twice_repeats_an_earlier_row_of_its_partition() {
        let stream = Stream::new(7);
        let twice: Vec<u64> = (0..50_000).filter(|index| stream.nature(*index) == Nature::Twice).collect();
        assert!(!twice.is_empty());
        for index in twice {
            let Some(first) = stream.first_of(index) else { continue };
            assert!(first < index && first % PARTITIONS == index % PARTITIONS);
            assert_eq!(stream.record(first).value, stream.record(index).value);
            assert_eq!(stream.fate(first, Kind::Timescale), Fate::Row);
        }
    }

    #[test]
    fn alerts_are_raised_by_rows_and_by_what_only_the_table_refuses() {
        let stream = Stream::new(7);
        let raised = |fate: Fate| {
            (0..100_000)
                .filter(move |index| stream.fate(*index, Kind::Timescale) == fate)
                .flat_map(|index| stream.alerts(index))
                .count()
        };
        assert!(raised(Fate::Row) > 2_000);
        assert!(raised(Fate::Letter("refused_by_database")) > 0);
        assert_eq!(raised(Fate::Letter("bad_timestamp")), 0);
    }
}
