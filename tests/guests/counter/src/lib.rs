//! Counts events by key in its state, and does to it what the events say.

use std::io::Write;

use wasmill_sdk::state::{Key, Life, NEVER, State};
use wasmill_sdk::{Alert, Config, Evaluation, Events, Fields, Severity};

const SECOND: i64 = 1_000_000_000;

/// What an event has it do.
#[derive(Fields)]
pub struct Event<'a> {
    key: &'a str,
    /// `trap` once it has counted, `remove` instead of counting, `look` only, `flood` with as many keys as `bytes` says, or `print` the
    /// key, each character as a byte.
    act: Option<&'a str>,
    /// Seconds that the count lives.
    life: Option<i64>,
    /// Seconds until the key is due.
    wake: Option<i64>,
    /// Bytes of the value beside the count.
    bytes: Option<i64>,
}

/// What it says.
#[derive(Config)]
pub struct Settings {
    /// An alert with the count for each of so many counted events of a key; 0 for none.
    #[config(default = 1)]
    every: u64,
}

/// Alerts with the counts, and about each key that is due.
#[wasmill_sdk::alerter(state = 1)]
pub fn count(events: Events<'_, Event<'_>>, state: &mut State<'_>, settings: &Settings) -> Evaluation {
    let keys: Vec<(usize, Event<'_>, Key, Vec<Key>)> = events
        .iter()
        .map(|(index, event)| {
            let key = state.key(event.key.as_bytes());
            let flood = if event.act == Some("flood") { event.bytes.unwrap_or(0) } else { 0 };
            let flood = (0..flood).map(|n| state.key(&n.to_le_bytes())).collect();
            (index, event, key, flood)
        })
        .collect();
    state.fetch();
    state.fetch_due(2);
    let mut evaluation = Evaluation::default();
    for (index, event, key, flood) in keys {
        while let Some(due) = state.next_due(index) {
            let name = String::from_utf8_lossy(state.key_bytes(due.key)).into_owned();
            let summary = format!("{name} had {} at {}", counted(state.get_at(due.wake, due.key)), due.wake / SECOND);
            evaluation.alerts.push((index as u32, Alert::new("due", name, Severity::Warning, summary)));
        }
        let count = counted(state.get(index, key));
        let now = state.clock(index);
        flood.into_iter().for_each(|key| state.put(index, key, &[7; 1000], Life::until(NEVER)));
        let count = match event.act {
            Some("look" | "flood") => count,
            Some("print") => {
                print(event.key);
                count
            }
            Some("remove") => {
                state.remove(index, key);
                0
            }
            _ => {
                let at = |seconds: Option<i64>| seconds.map_or(NEVER, |seconds| now.saturating_add(seconds * SECOND));
                let life = Life::until(at(event.life)).waking(at(event.wake));
                let mut value = (count + 1).to_le_bytes().to_vec();
                value.resize(8 + event.bytes.unwrap_or(0) as usize, 7);
                state.put(index, key, &value, life);
                count + 1
            }
        };
        assert!(event.act != Some("trap"), "as the event says");
        if settings.every > 0 && count.is_multiple_of(settings.every) {
            let summary = format!("{count} at {}", now / SECOND);
            evaluation.alerts.push((index as u32, Alert::new("count", event.key, Severity::Info, summary)));
        }
    }
    evaluation
}

fn print(text: &str) {
    let bytes: Vec<u8> = text.chars().map(|char| char as u8).collect();
    let mut output = std::io::stdout();
    output.write_all(&bytes).and_then(|()| output.flush()).expect("the standard output is there");
}

fn counted(value: Option<&[u8]>) -> u64 {
    value.and_then(|value| value.first_chunk()).map_or(0, |count| u64::from_le_bytes(*count))
}
