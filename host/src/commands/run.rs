//! `wasmill run`: a pipeline until its input ends or somebody stops it.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{Output, RunArgs};
use crate::commands::{Exit, load};
use crate::config::{Config, SinkConfig, SinkKind};
use crate::pipeline::{self, RunEnd, RunOptions, SetupError};
use crate::progress::Progress;
use crate::report::Report;
use crate::status::Status;
use crate::summary;

/// How often the status line is logged.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);

/// How often a run up to a number of events looks at it.
const LOOK: Duration = Duration::from_millis(10);

/// Runs the pipeline of a configuration file.
///
/// # Errors
/// When the report cannot be written.
pub async fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let config = match load(&args.config) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let until = if args.until_end { Until::End } else { Until::Stopped };
    let (exit, report) = run_config(config, until, args.format, |_| ()).await?;
    if let Some(report) = report {
        publish(&report, args.report.as_deref(), args.format)?;
    }
    Ok(exit)
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until somebody stops it.
    Stopped,
    /// To the end of the source as it is when the run begins.
    End,
    /// Until so many events are committed.
    Received(u64),
}

/// Runs a pipeline with signals, status line and live line; `began` is called once everything is connected. The report is `None`
/// when it never began.
///
/// # Errors
/// When the system refuses to tell of signals.
pub async fn run_config(
    config: Config,
    until: Until,
    format: Output,
    began: impl FnOnce(Arc<Status>),
) -> anyhow::Result<(Exit, Option<Report>)> {
    let (stop, stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    stop_on_signals(Arc::clone(&stop))?;
    let options = RunOptions { until_end: until == Until::End };
    let (shown, mut status) = watch::channel(None);
    let live = format == Output::Text && std::io::stderr().is_terminal() && !prints_on_terminal(&config);
    let display = tokio::spawn(async move {
        if let Ok(status) = status.wait_for(Option::is_some).await.map(|status| status.clone())
            && let Some(status) = status
        {
            Progress::new(status, live).run(STATUS_INTERVAL).await;
        }
    });
    let started = move |status: Arc<Status>| {
        if let Until::Received(events) = until {
            tokio::spawn(stop_when_received(Arc::clone(&status), events, stop));
        }
        began(Arc::clone(&status));
        // Fails only when the display has ended, which then shows nothing.
        let _ = shown.send(Some(Arc::clone(&status)));
    };
    let ended = pipeline::run(config, options, stopped, started).await;
    display.abort();
    Ok(match ended {
        Ok((RunEnd::Clean, report)) => (Exit::success(), Some(report)),
        Ok((RunEnd::Abandoned, report)) => {
            tracing::warn!(
                "the stop took longer than shutdown_timeout; what was in flight is done again after the next start"
            );
            (Exit::success(), Some(report))
        }
        Ok((RunEnd::Stuck(reason), report)) => (Exit::failed(reason), Some(report)),
        Err(SetupError::Interrupted) => (Exit::success(), None),
        Err(SetupError::Wrong(reason)) => (Exit::bad_setup(reason), None),
    })
}

/// Whether lines of a sink would be written over the live line.
fn prints_on_terminal(config: &Config) -> bool {
    let is_stdout = |sink: &SinkConfig| matches!(sink.kind, SinkKind::Stdout { .. });
    std::io::stdout().is_terminal() && config.sinks.iter().any(is_stdout)
}

async fn stop_when_received(status: Arc<Status>, events: u64, stop: Arc<watch::Sender<bool>>) {
    while status.tally.received() < events {
        tokio::time::sleep(LOOK).await;
    }
    // Fails only when the pipeline has ended already.
    let _ = stop.send(true);
}

/// The first SIGTERM or SIGINT asks for a stop, the second ends the process at once: nothing is lost either way.
fn stop_on_signals(stop: Arc<watch::Sender<bool>>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                tracing::warn!("stopped at once; what was in flight is done again after the next start");
                std::process::exit(130);
            }
            tracing::info!("stopping: what was received is being committed; a second signal ends at once");
            // Fails only when the pipeline has ended already.
            let _ = stop.send(true);
        }
    });
    Ok(())
}

/// Prints the report, and writes it to `file`.
///
/// # Errors
/// When the file cannot be written.
pub fn publish(report: &Report, file: Option<&Path>, format: Output) -> anyhow::Result<()> {
    let json = serde_json::to_string(report).context("the report cannot be rendered")?;
    if let Some(file) = file {
        std::fs::write(file, format!("{json}\n"))
            .with_context(|| format!("cannot write the report to {}", file.display()))?;
    }
    match format {
        Output::Json => crate::commands::print(&format!("{json}\n")),
        Output::Text => crate::commands::say(&summary::render(report)),
    }
    Ok(())
}
