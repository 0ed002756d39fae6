//! Rounds of a subject and its control in turn, so that both meet the same noise.

use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    /// What.
    pub(crate) name: String,
    /// The median.
    pub(crate) value: f64,
    /// The least.
    pub(crate) min: f64,
    /// Of `value`, `min` and `control`.
    pub(crate) unit: &'static str,
    /// The control's median; 0 where there is none.
    pub(crate) control: f64,
    /// The median of value / control, round by round; 0 where there is no control.
    pub(crate) ratio: f64,
    /// Rounds.
    pub(crate) runs: usize,
}

impl Measurement {
    /// From rounds of (subject, control).
    pub(crate) fn new(name: &str, unit: &'static str, rounds: &[(f64, f64)]) -> Self {
        let values: Vec<f64> = rounds.iter().map(|(value, _)| *value).collect();
        let controls: Vec<f64> = rounds.iter().map(|(_, control)| *control).collect();
        let ratios: Vec<f64> =
            rounds.iter().filter(|(_, control)| *control > 0.0).map(|(value, control)| value / control).collect();
        Self {
            name: name.to_owned(),
            value: median(&values),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            unit,
            control: median(&controls),
            ratio: median(&ratios),
            runs: rounds.len(),
        }
    }

    /// One line for people.
    #[allow(clippy::print_stdout, reason = "the program's output")]
    pub(crate) fn print(&self) {
        let Self { name, value, min, unit, control, ratio, runs } = self;
        println!(
            "{name:<22} {value:>10.1} {unit:<14} min {min:>9.1}  control {control:>9.1}  ratio {ratio:>6.3}  {runs} runs"
        );
    }
}

fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Processor time of this thread in nanoseconds.
pub(crate) fn thread_cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Processor time of `work` on this thread, nanoseconds per one of `events`.
pub(crate) fn cpu_ns_per_event(events: usize, work: impl FnOnce()) -> f64 {
    let started = thread_cpu_ns();
    work();
    (thread_cpu_ns() - started) / events as f64
}
