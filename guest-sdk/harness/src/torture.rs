//! Every hostile event that the host can think of.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::assertions::{assert_same, settled};
use crate::outcome::Run;
use crate::report::Report;
use crate::running::first_fault;
use crate::state::bytes;
use crate::{Event, Events, Harness};

/// Events of a batch, the second time.
const BATCH: usize = 7;

/// A hostile event, as the binary tells it.
#[derive(Deserialize)]
struct Hostile {
    what: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    time_ns: i64,
    code: Option<String>,
}

impl Harness {
    /// Runs every hostile event that the host can think of for the fields that the plugin reads: broken, huge, deep and empty payloads, each
    /// field absent, null, of each other type, at the ends of its range and in odd spellings, and times that no clock shows. Gives what
    /// came of them.
    ///
    /// # Panics
    /// When the plugin traps or passes a limit on any, leaves one without an answer, lets one pass that is no event, or answers otherwise
    /// the second time or in other batches.
    #[track_caller]
    pub fn torture(&self) -> Run {
        self.torture_by(&json!(true))
    }

    /// The same with the events made by spoiling one that the plugin takes. Better, where most values are refused at a glance.
    ///
    /// # Panics
    /// As [`Harness::torture`], and when the event is no JSON object.
    #[track_caller]
    pub fn torture_like(&self, event: &impl Serialize) -> Run {
        let event = serde_json::to_value(event).expect("the event can be written as JSON");
        assert!(event.is_object(), "{event} is no object, so it is no event");
        self.torture_by(&event)
    }

    #[track_caller]
    fn torture_by(&self, sample: &Value) -> Run {
        let (hostile, events) = settled(self.hostile(sample), "the hostile events", &Events::default());
        let run = match self.run(&events) {
            Ok(run) => run,
            Err(error) => self.fail_on_first(&hostile, &events, &error),
        };
        assert_eq!(run.events.len(), events.list.len(), "each event is answered for");
        for (n, (hostile, outcome)) in hostile.iter().zip(&run.events).enumerate() {
            match &hostile.code {
                Some(code) if outcome.code() != Some(code) => {
                    let report = Report::of_event(&run, n).line("hostile", &hostile.what);
                    report.line("expected", format_args!("the host rejects it ({code})")).outcome(outcome).fail();
                }
                _ if outcome.is_fault() => guilty(&run, n, &hostile.what).fail(),
                _ => {}
            }
        }
        let how = format!("in batches of {BATCH}");
        let cut = settled(self.run_cut(&events, BATCH), &how, &events);
        assert_same(&run, &cut, &format!("{how} it is another"), &events);
        run
    }

    fn hostile(&self, sample: &Value) -> anyhow::Result<(Vec<Hostile>, Events)> {
        let mut answer = self.start()?.ask(&json!({ "torture": sample }))?;
        let hostile: Vec<Hostile> =
            serde_json::from_value(answer["torture"].take()).context("the engine's answer cannot be read")?;
        let event = |hostile: &Hostile| {
            let payload = bytes(hostile.payload.clone(), hostile.payload_base64.clone())?;
            Ok(Event { payload, time_ns: hostile.time_ns })
        };
        let list = hostile.iter().map(event).collect::<anyhow::Result<_>>()?;
        Ok((hostile, Events { list, seed: None }))
    }

    /// The plugin fails on so many that nobody is blamed: tells the first.
    #[track_caller]
    fn fail_on_first(&self, hostile: &[Hostile], events: &Events, error: &anyhow::Error) -> ! {
        match first_fault(self, &events.list) {
            Ok(Some(run)) => {
                let what = events.iter().position(|event| Some(event) == run.inputs.first()).map(|n| &hostile[n].what);
                guilty(&run, 0, what.map_or("", String::as_str)).line("and more", format_args!("{error:#}")).fail()
            }
            _ => panic!("{error:#}"),
        }
    }
}

/// The plugin failed on an event.
fn guilty(run: &Run, n: usize, what: &str) -> Report {
    let report = Report::of_event(run, n).line("hostile", what);
    report.line("expected", "the plugin passes, drops or rejects it").outcome(&run.events[n])
}
