//! The status line in the log, and the live line on a terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::Report;
use crate::status::Status;

/// How often the live line is drawn.
const LIVE_INTERVAL: Duration = Duration::from_millis(250);

/// Shows how a run goes.
#[derive(Debug)]
pub struct Progress {
    status: Arc<Status>,
    bar: Option<ProgressBar>,
    last: (Instant, u64),
}

impl Progress {
    /// A live line (a bar where the input's size is known) only on a terminal.
    pub fn new(status: Arc<Status>, live: bool) -> Self {
        let bar = live.then(|| {
            let bar = match status.progress() {
                Some((_, total)) => ProgressBar::new(total).with_style(bar_style()),
                None => ProgressBar::no_length().with_style(line_style()),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar
        });
        Self { status, bar, last: (Instant::now(), 0) }
    }

    /// Shows until the future is dropped; a status line every `interval`.
    pub async fn run(mut self, interval: Duration) {
        let mut next_line = Instant::now() + interval;
        loop {
            tokio::time::sleep(LIVE_INTERVAL.min(interval)).await;
            if Instant::now() >= next_line {
                next_line += interval;
                let report = self.status.tally.report();
                let rate = self.rate(report.received);
                self.log(&report, rate);
            }
            self.draw();
        }
    }

    fn rate(&mut self, received: u64) -> f64 {
        let now = Instant::now();
        let rate = (received - self.last.1) as f64 / (now - self.last.0).as_secs_f64().max(1e-3);
        self.last = (now, received);
        rate
    }

    fn log(&self, report: &Report, rate: f64) {
        let delivered: u64 = report.delivered.values().sum();
        let (received, rejected, alerts) = (report.received, report.rejected, report.alerts);
        let lag = self.status.lag();
        tracing::info!(received, delivered, rejected, alerts, lag, rate = rate.round(), "status");
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        if let Some((read, _)) = self.status.progress() {
            bar.set_position(read);
        }
        let report = self.status.tally.report();
        let rate = report.received as f64 / report.seconds.max(1e-3);
        bar.set_message(format!(
            "{} events, {:.0}/s, {} dead letters, {} alerts, lag {}",
            report.received,
            rate,
            report.dead_letters,
            report.alerts,
            self.status.lag()
        ));
        bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:30} {percent}% {bytes}/{total_bytes} {eta} {msg}");
    style.expect("the template is constant and valid")
}

fn line_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is constant and valid")
}
