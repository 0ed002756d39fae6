//! `wasmill doctor`: asks every system of a pipeline whether it could run, and changes nothing.

use serde::Serialize;
use serde_json::json;

use super::validate::{self, Validation};
use crate::cli::{DoctorArgs, Output};
use crate::commands::{Exit, print};
use crate::config::{Config, Environment};
use crate::doctor::{Finding, State, examine};

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    could_run: bool,
    findings: &'a [Finding],
}

/// Runs the command.
pub async fn run(args: &DoctorArgs) -> Exit {
    let environment = Environment::of_process();
    let config = match Config::load_with(&args.config, &environment) {
        Ok(config) => config,
        Err(mistakes) => return mistaken(args, &Validation::wrong(mistakes.to_vec())),
    };
    // Compiling plugins takes its time, and WASI's calls must not meet the async runtime.
    let validated = tokio::task::spawn_blocking(move || {
        let validation = validate::validate_loaded(&config, &environment, validate::load_plugins);
        (config, validation)
    });
    let (config, validation) = match validated.await {
        Ok(validated) => validated,
        Err(error) => return Exit::failed(format!("loading plugins failed inside the host: {error}")),
    };
    if !validation.mistakes.is_empty() {
        return mistaken(args, &validation);
    }
    let mut findings: Vec<Finding> = validation.plugins.iter().map(Finding::of_plugin).collect();
    findings.extend(examine(&config).await);
    let could_run = findings.iter().all(|finding| finding.state != State::Wrong);
    print(&match args.format {
        Output::Json => format!("{:#}\n", json!(Answer { could_run, findings: &findings })),
        Output::Text => text(&findings),
    });
    if could_run { Exit::success() } else { Exit::failed("the pipeline could not run") }
}

fn mistaken(args: &DoctorArgs, validation: &Validation) -> Exit {
    print(&validation.render(args.format));
    Exit::bad_setup("the pipeline's files have mistakes; nothing was asked")
}

fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.part.chars().count()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let Finding { part, state, text } = finding;
        format!("{:8}  {part:width$}  {text}\n", state.as_str())
    };
    findings.iter().map(line).collect()
}
