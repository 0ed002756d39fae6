//! `wasmill plugin bench`: what an event costs in a plugin, beside one that does nothing, and how near that is to the limits.
//!
//! Processor time is measured, in turns with the other plugin, and the median of the rounds told: what else the machine does moves it little.
//! Fuel, memory and bytes are counted.

mod host_calls;
mod idle;

use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use wasmill_core::EventTime;
use wasmill_engine::{Cost, Plugin};

use crate::cli::{Output, SubjectArgs};
use crate::commands::engine::engine;
use crate::commands::plugin::subject::{RECORD_NS, Subject, lines_of};
use crate::commands::{Exit, print};
use crate::lookups::ReverseDns;
use crate::pipeline::plugins::load;
use crate::solo::{Given, Solo};
use crate::terminal::{self, Color, TextLines, aligned};
use crate::torture;

/// Events of a batch.
const BATCH_EVENTS: usize = 1_000;
/// Rounds of each plugin, at least and at most.
const ROUNDS_MIN: usize = 3;
const ROUNDS_MAX: usize = 21;
/// Most batches of a round: some milliseconds of work.
const BATCHES_MAX: usize = 20;
/// Processor time that the rounds of a plugin may take together, nanoseconds, unless that is less than the fewest of them.
const BUDGET_NS: f64 = 20e9;
/// Shares of a limit from which on a figure is told to be near it, and very near.
const NEAR: f64 = 0.5;
const VERY_NEAR: f64 = 0.8;

/// What an event costs.
#[derive(Debug, Serialize)]
struct Figures {
    /// Processor time, from the batch to the applied answer.
    ns_per_event: f64,
    fuel_per_event: f64,
    /// Of the largest instance.
    memory_bytes: u64,
    bytes_in_per_event: f64,
    bytes_out_per_event: f64,
    /// Instances that a batch took.
    instances_per_batch: f64,
    /// Calls that failed.
    failed_calls: u64,
}

/// How much is run of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Effort {
    rounds: usize,
    /// Of a round.
    batches: usize,
}

/// A figure beside its limit.
#[derive(Debug, Serialize)]
struct Used {
    limit: &'static str,
    used: f64,
    allowed: f64,
}

/// Runs the benchmark.
///
/// # Errors
/// When the plugin that does nothing cannot be made.
pub(super) fn run(args: &SubjectArgs) -> anyhow::Result<Exit> {
    let subject = match Subject::read(&args.file, args.config.as_deref()) {
        Ok(subject) => subject,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let plugin = match subject.load() {
        Ok(plugin) => plugin,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let lines = match args.events.as_deref().map(lines_of).transpose() {
        Ok(lines) => lines.unwrap_or_else(|| vec![torture::sample(plugin.reads()).to_string().into_bytes()]),
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    let idle = idle(&subject, &plugin)?;
    let events: Vec<Given<'_>> = lines
        .iter()
        .cycle()
        .take(BATCH_EVENTS)
        .map(|line| Given { payload: Some(line), timestamp_ns: RECORD_NS })
        .collect();
    let measured = measure([plugin, idle], &events);
    let measured = measured.and_then(|figures| {
        let calls = host_calls::measure(&subject, &events, figures.effort)?;
        Ok((figures, calls))
    });
    let (Measured { own, other, effort }, calls) = match measured {
        Ok(figures) => figures,
        Err(reason) => return Ok(Exit::failed(reason)),
    };
    let used = used(&subject, &own);
    print(&match args.format {
        Output::Json => {
            format!(
                "{}\n",
                json!({ "plugin": own, "idle": other, "host_calls": calls, "limits": used, "effort": effort })
            )
        }
        Output::Text => shown((&own, &other), effort, &host_calls::shown(&calls), &used, TextLines::of_stdout()),
    });
    Ok(Exit::success())
}

/// The plugin that does nothing, under the same limits.
fn idle(subject: &Subject, plugin: &Plugin) -> anyhow::Result<Arc<Plugin>> {
    let component = idle::component(plugin.reads()).context("the plugin to compare with cannot be made")?;
    let mut file = subject.file.clone();
    (file.path, file.sidecar.config) = ("idle.wasm".into(), json!({}));
    load(&engine(None, None).map_err(anyhow::Error::msg)?, &file, &component.into()).map_err(anyhow::Error::msg)
}

/// What both came to.
struct Measured {
    own: Figures,
    other: Figures,
    effort: Effort,
}

/// Runs the plugin and the idle one in turns.
///
/// # Errors
/// When one is broken.
fn measure(plugins: [Arc<Plugin>; 2], events: &[Given<'_>]) -> Result<Measured, String> {
    let mut lanes = plugins.map(lane);
    let begun = thread_ns();
    lanes[0].run(events).map_err(|broken| broken.to_string())?;
    let effort = Effort::of(thread_ns() - begun);
    let mut rounds: [Vec<f64>; 2] = Default::default();
    let mut costs = [Cost::default(); 2];
    // The first one warms up and is not counted.
    for round in 0..=effort.rounds {
        for (n, lane) in lanes.iter_mut().enumerate() {
            let begun = thread_ns();
            for _ in 0..effort.batches {
                costs[n] = lane.run(events).map_err(|broken| broken.to_string())?.cost;
            }
            if round > 0 {
                rounds[n].push((thread_ns() - begun) / (effort.batches * BATCH_EVENTS) as f64);
            }
        }
    }
    let [own, other] = rounds;
    Ok(Measured { own: figures(own, &costs[0]), other: figures(other, &costs[1]), effort })
}

impl Effort {
    /// For a plugin of which a batch takes so long.
    fn of(batch_ns: f64) -> Self {
        let affordable = (BUDGET_NS / batch_ns.max(1.0)) as usize;
        let batches = (affordable / ROUNDS_MAX).clamp(1, BATCHES_MAX);
        Self { rounds: (affordable / batches).clamp(ROUNDS_MIN, ROUNDS_MAX), batches }
    }
}

/// A lane for one plugin, in which no address has a name.
fn lane(plugin: Arc<Plugin>) -> Solo {
    Solo::new(plugin, EventTime::Record, Arc::new(ReverseDns::of_table(Default::default())))
}

fn figures(mut rounds: Vec<f64>, cost: &Cost) -> Figures {
    rounds.sort_by(f64::total_cmp);
    let each = |total: u64| total as f64 / BATCH_EVENTS as f64;
    Figures {
        ns_per_event: rounds[rounds.len() / 2],
        fuel_per_event: each(cost.fuel),
        memory_bytes: cost.memory_bytes,
        bytes_in_per_event: each(cost.bytes_in),
        bytes_out_per_event: each(cost.bytes_out),
        instances_per_batch: cost.instances as f64,
        failed_calls: cost.faults.total(),
    }
}

/// Processor time of this thread so far, nanoseconds.
fn thread_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn used(subject: &Subject, own: &Figures) -> Vec<Used> {
    let limits = &subject.file.sidecar.limits;
    vec![
        Used { limit: "fuel_per_event", used: own.fuel_per_event, allowed: limits.fuel_per_event as f64 },
        Used { limit: "memory_bytes", used: own.memory_bytes as f64, allowed: limits.memory_bytes as f64 },
        Used {
            limit: "output_bytes",
            used: own.bytes_out_per_event * BATCH_EVENTS as f64,
            allowed: limits.output_bytes as f64,
        },
        Used { limit: "component_bytes", used: subject.bytes.len() as f64, allowed: limits.component_bytes as f64 },
    ]
}

fn shown((own, idle): (&Figures, &Figures), effort: Effort, calls: &str, used: &[Used], lines: TextLines) -> String {
    let row = |what: &str, figure: &dyn Fn(&Figures) -> String| vec![what.to_owned(), figure(own), figure(idle)];
    let whole = |number: f64| format!("{number:.0}");
    let mut rows = vec![
        vec!["an event costs".to_owned(), "this plugin".to_owned(), "one that does nothing".to_owned()],
        row("ns of processor time", &|figures| whole(figures.ns_per_event)),
        row("fuel", &|figures| whole(figures.fuel_per_event)),
        row("bytes in", &|figures| whole(figures.bytes_in_per_event)),
        row("bytes out", &|figures| format!("{:.1}", figures.bytes_out_per_event)),
        row("instances for a batch", &|figures| whole(figures.instances_per_batch)),
        row("bytes of memory for a batch", &|figures| figures.memory_bytes.to_string()),
    ];
    if own.failed_calls > 0 {
        rows.push(row("calls that failed", &|figures| figures.failed_calls.to_string()));
    }
    let host = 100.0 * idle.ns_per_event / own.ns_per_event.max(1.0);
    let mut text = aligned(&rows);
    text.push_str(&format!(
        "{host:.0} % of the time are the host's own; batches of {BATCH_EVENTS}, median of {} rounds in turns\n\n{calls}\nof limits\n",
        effort.rounds
    ));
    for Used { limit, used, allowed } in used {
        let share = used / allowed.max(1.0);
        let share_shown = format!("{:>6.2} %", 100.0 * share);
        text.push_str(&format!(
            "{}  limits.{limit}: {used:.0} of {allowed:.0}\n",
            lines.colored(&share_shown, color(share))
        ));
    }
    text
}

fn color(share: f64) -> Color {
    match share {
        share if share >= VERY_NEAR => terminal::WRONG,
        share if share >= NEAR => terminal::DOUBTFUL,
        _ => terminal::GOOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_tells_how_near_a_limit_is() {
        let colors = [0.0, 0.49, 0.5, 0.79, 0.8, 3.0].map(color);
        use terminal::{DOUBTFUL, GOOD, WRONG};
        assert_eq!(colors, [GOOD, GOOD, DOUBTFUL, DOUBTFUL, WRONG, WRONG]);
    }

    #[test]
    fn slow_plugin_is_run_less_often_and_a_fast_one_no_oftener_than_it_takes() {
        let effort = |seconds: f64| Effort::of(seconds * 1e9);
        assert_eq!(effort(1e-4), Effort { rounds: 21, batches: 20 });
        assert_eq!(effort(0.25), Effort { rounds: 21, batches: 3 });
        assert_eq!(effort(2.0), Effort { rounds: 10, batches: 1 });
        assert_eq!(effort(100.0), Effort { rounds: 3, batches: 1 });
    }

    #[test]
    fn figure_is_the_median_of_its_rounds() {
        let cost = Cost { fuel: 5_000, ..Cost::default() };
        let figures = figures(vec![9.0, 1.0, 2.0], &cost);
        assert_eq!((figures.ns_per_event, figures.fuel_per_event), (2.0, 5.0));
    }
}
