//! `wasmill plugin`: what may be typed.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

/// `wasmill plugin`.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// What is done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Make the folder of a new plugin: it builds, tests and runs at once
    #[command(after_help = "Examples:\n  wasmill plugin new known-severities --kind validator\n  \
                            wasmill plugin new plugins/mask-emails --kind enricher\n  \
                            wasmill plugin new office-hours --kind validator --lang python\n\n\
                            The SDK is put into the folder by this program. To build it, Rust (https://rustup.rs) is needed, or Node.js, or Python.")]
    New(NewArgs),
    /// Build the plugin in a folder, and print what it is and asks for
    #[command(
        after_help = "Examples:\n  wasmill plugin build\n  wasmill plugin build plugins/mask-emails --format json\n\n\
                            The component goes to target/plugins/NAME.wasm of the folder, with NAME.yaml beside it."
    )]
    Build(BuildArgs),
    /// Run the unit tests of the plugin in a folder, and its tests in the engine of production, which is this program
    #[command(after_help = "Examples:\n  wasmill plugin test\n  wasmill plugin test plugins/mask-emails --watch")]
    Test(PluginTestArgs),
    /// Run a plugin over events on standard input, one a line, and print what becomes of each
    #[command(after_help = "Examples:\n  wasmill plugin run target/plugins/mask-emails.wasm < events.jsonl\n  \
                      wasmill plugin run mask-emails.wasm --diff --config '{\"fields\": [\"mail\"]}' < events.jsonl\n  \
                      tail -f app.log | wasmill plugin run mask-emails.wasm --format json | jq -c .payload\n\n\
                      The plugin is configured as the YAML file beside it says. Exit codes: 0 done, 1 it broke, 78 it is refused.")]
    Run(TryArgs),
    /// Find out what is wrong with a plugin before it serves: one line for each check
    #[command(
        after_help = "Examples:\n  wasmill plugin check target/plugins/mask-emails.wasm --events events.jsonl\n  \
                            wasmill plugin check mask-emails.wasm --format json | jq '.checks[] | select(.state == \"failed\")'\n\n\
                            Events like those that it will meet make the checks sharper. Exit codes: 0 nothing failed, 1 something did."
    )]
    Check(SubjectArgs),
    /// Measure what an event costs in a plugin, beside one that does nothing, and how near that is to its limits
    #[command(
        after_help = "Examples:\n  wasmill plugin bench target/plugins/mask-emails.wasm --events events.jsonl\n  \
                            wasmill plugin bench mask-emails.wasm --format json | jq .plugin.ns_per_event\n\n\
                            Processor time of this machine, the median of rounds that take turns; fuel and memory are the same everywhere."
    )]
    Bench(SubjectArgs),
    /// Print what a pipeline's plugin directory would serve, in the order in which plugins run
    #[command(
        after_help = "Examples:\n  wasmill plugin list --config pipeline.yaml\n  wasmill plugin list --config pipeline.yaml --served\n  \
                      wasmill plugin list --config pipeline.yaml --format json | jq '.[].digest'\n\n\
                      Exit codes: 0 it could serve, 78 something is wrong with it."
    )]
    List(ListPluginsArgs),
    /// Print which plugins served when: by digest, with the offsets that each set of them began at
    #[command(
        after_help = "Examples:\n  wasmill plugin history pipeline.yaml\n  wasmill plugin history pipeline.yaml --format json\n\n\
                            A row's generation is what a column with $digest has; wasmill_plugins in the pipeline's home has the files."
    )]
    History(HistoryArgs),
    /// Print what a plugin is and asks for, before it gets it: digest, fields, state, look-ups, grants
    #[command(after_help = "Examples:\n  wasmill plugin inspect plugins.d/20-enrich-rdns.wasm\n  \
                            wasmill plugin inspect enrich.wasm --config '{\"env\": \"prod\"}' --format json\n\n\
                            The plugin is configured as the YAML file beside it says, in the sandbox, and sees no event. Exit codes: 0 it\n\
                            could be loaded once it has its grants, 78 it is refused.")]
    Inspect(InspectArgs),
    /// Run one plugin over events on standard input; the test harness speaks to it
    #[command(hide = true)]
    Pipe(PipeArgs),
}

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PluginKind {
    /// Passes, drops or rejects events.
    Validator,
    /// Writes fields of events.
    Enricher,
    /// Raises alerts about events.
    Alerter,
}

impl fmt::Display for PluginKind {
    /// As it is typed, and as the interface calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validator => "validator",
            Self::Enricher => "enricher",
            Self::Alerter => "alerter",
        })
    }
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PluginLanguage {
    /// Rust: small, and the fastest by far.
    #[default]
    Rust,
    /// JavaScript, built by componentize-js with Node.js.
    Js,
    /// Python, built by componentize-py.
    Python,
}

/// `wasmill plugin new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to make; its last part is the plugin's name
    #[arg(value_name = "NAME")]
    pub path: PathBuf,
    /// What the plugin is to do
    #[arg(long, value_enum)]
    pub kind: PluginKind,
    /// What it is written in
    #[arg(long, value_enum, default_value_t)]
    pub lang: PluginLanguage,
}

/// `wasmill plugin build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The folder of the plugin's project
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin test`.
#[derive(Debug, Args)]
pub struct PluginTestArgs {
    /// The folder of the plugin's project
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Run them again whenever a file of the folder changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `wasmill plugin run`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The plugin's file
    pub file: PathBuf,
    /// Its configuration, a JSON object, in place of that in the YAML file beside it
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    /// The field with an event's time: RFC 3339, or milliseconds since 1970. Events without one have the time at which they are read
    #[arg(long, value_name = "PATH", default_value = "timestamp")]
    pub event_time: String,
    /// The names of addresses, for a plugin that looks them up: a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub reverse_dns: String,
    /// Print what changed in each event, instead of the event
    #[arg(long, conflicts_with = "format")]
    pub diff: bool,
    /// Keep compiled code in this folder, in place of the user's cache folder
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// How events are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin check` and `wasmill plugin bench`.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// The plugin's file
    pub file: PathBuf,
    /// Its configuration, a JSON object, in place of that in the YAML file beside it
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    /// Events like those that it will meet, one a line; without it they are made up from the fields that it reads
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin list`.
#[derive(Debug, Args)]
pub struct ListPluginsArgs {
    /// The pipeline's YAML file
    #[arg(long, value_name = "CONFIG")]
    pub config: PathBuf,
    /// Ask the pipeline's home which of them serve: the last set that it knows of
    #[arg(long)]
    pub served: bool,
    /// How the plugins are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// How the history is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The plugin's file
    pub file: PathBuf,
    /// Its configuration, a JSON object, in place of that in the YAML file beside it
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    /// Print the interface of the component, as WIT, and nothing else
    #[arg(long, conflicts_with = "format")]
    pub wit: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill plugin pipe`.
#[derive(Debug, Args)]
pub struct PipeArgs {
    /// The plugin's file
    pub file: PathBuf,
    /// Its configuration, a JSON object
    #[arg(long, default_value = "{}")]
    pub config: String,
    /// Its limits, a JSON object as under `limits:` in its YAML file
    #[arg(long, default_value = "{}")]
    pub limits: String,
    /// Grants it reverse DNS, with these answers: a JSON object of addresses and their names, null, or {"name","delay_ms","fails"}
    #[arg(long, value_name = "JSON")]
    pub reverse_dns: Option<String>,
    /// Keep compiled code in this folder, in place of the user's cache folder
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}
