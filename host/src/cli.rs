//! The command line: what may be typed. Nothing is done here.

mod dlq;
mod plugin;
mod tap;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use dlq::{
    DiscardArgs, DlqArgs, DlqCommand, FilterArgs, ListArgs, PlaceArgs, ReplayArgs, ShowArgs, SourceArg, StateArg,
    parse_time,
};
pub use plugin::{
    BuildArgs, HistoryArgs, InspectArgs, ListPluginsArgs, NewArgs, PipeArgs, PluginArgs, PluginCommand, PluginKind,
    PluginLanguage, PluginTestArgs, SubjectArgs, TryArgs,
};
pub use tap::TapArgs;

/// Streams events through sandboxed WebAssembly plugins, exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "wasmill",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  wasmill demo                      everything at work, with no server to set up\n  \
                  wasmill validate pipeline.yaml    check a pipeline and see what it guarantees\n  \
                  wasmill doctor pipeline.yaml      ask its brokers and databases whether it could run\n  \
                  wasmill run pipeline.yaml         run it\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.\n\
                  LOG_LEVEL (or RUST_LOG) sets what is logged: error, warn, info, debug, trace."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline
    Run(RunArgs),
    /// Check a pipeline without connecting to anything
    Validate(ValidateArgs),
    /// Ask every system of a pipeline whether it could run
    Doctor(DoctorArgs),
    /// Send fixtures through a pipeline, offline, and compare what comes of them
    Test(TestArgs),
    /// Print the JSON Schema of a pipeline's file
    Schema(SchemaArgs),
    /// Show everything at work: a Kafka broker inside the process, the shipped plugins, SQLite
    Demo(DemoArgs),
    /// Look at the positions of a pipeline, or change them
    Offsets(OffsetsArgs),
    /// Look at dead letters, replay or discard them
    Dlq(DlqArgs),
    /// Show live what happens to events inside of a running pipeline
    Tap(TapArgs),
    /// Write plugins, try them out, and look at those that serve
    Plugin(PluginArgs),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `wasmill run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wasmill run pipeline.yaml\n  \
                        wasmill run pipeline.yaml --until-end --report report.json\n  \
                        LOG_LEVEL=debug wasmill run pipeline.yaml\n\n\
                        Ctrl-C or SIGTERM commits what was received and ends; a second one ends at once, and nothing is lost either way.")]
pub struct RunArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// Stop at the events that are there now, instead of waiting for more
    #[arg(long)]
    pub until_end: bool,
    /// Write the report of the run to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How the report is printed at the end
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill validate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wasmill validate pipeline.yaml\n  \
                        wasmill validate pipeline.yaml --format json | jq .guarantees\n  \
                        wasmill validate pipeline.yaml --sql | psql \"$OWNER_URL\"\n\n\
                        Every mistake is printed with its line; the exit code is then 78.")]
pub struct ValidateArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
    /// Print the SQL that an owner runs, once and for each newer wasmill, so that the pipeline's user needs the fewest rights: tables and GRANTs
    #[arg(long, conflicts_with = "format")]
    pub sql: bool,
}

/// `wasmill doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wasmill doctor pipeline.yaml\n  \
                        wasmill doctor pipeline.yaml --format json | jq '.findings[] | select(.state != \"well\")'\n\n\
                        Nothing is changed anywhere. Exit codes: 0 it could run, 1 something is in the way, 78 the file has mistakes.")]
pub struct DoctorArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill test`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wasmill test pipeline.yaml\n  wasmill test pipeline.yaml tests/logins.yaml --update\n  \
                        wasmill test pipeline.yaml --junit report.xml\n\n\
                        A fixture is a YAML file: `events:`, objects or lines as texts, and `expect:`, by the name of a sink the rows that it gets,\n\
                        each with the columns that matter, and `dead_letters`. Nothing is connected: tables are SQLite's in a temporary folder.\n\
                        Exit codes: 0 all as expected, 1 something is not, 78 the pipeline or a fixture has mistakes."
)]
pub struct TestArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// Fixtures; all of the folder `tests` beside the pipeline's file if none is named
    pub fixtures: Vec<PathBuf>,
    /// Write into the fixtures what comes of them, instead of comparing
    #[arg(long)]
    pub update: bool,
    /// Write a report for CI systems to this file, in JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What `wasmill schema` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// JSON Schema, for editors.
    #[default]
    Json,
    /// A reference of all keys, for people.
    Markdown,
}

/// `wasmill schema`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wasmill schema > wasmill.schema.json\n  wasmill schema --format markdown > docs/configuration.md\n\n\
                        Editors with a YAML language server check and complete a file that begins with\n  \
                        # yaml-language-server: $schema=wasmill.schema.json"
)]
pub struct SchemaArgs {
    /// JSON Schema, or the reference in Markdown
    #[arg(long, value_enum, default_value_t)]
    pub format: SchemaFormat,
}

/// `wasmill demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wasmill demo\n  wasmill demo --events 200000 --seed 7 --format json\n  wasmill demo --keep demo-out\n\n\
                        The broker is librdkafka's mock one, reached through the real client; everything else is as in production."
)]
pub struct DemoArgs {
    /// How many events to make; about 1 in 100 is hostile
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub events: u64,
    /// Seed of the events: the same seed makes the same rows
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How the report is printed at the end
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
    /// Keep the database, the pipeline's file and the plugins in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// `wasmill offsets`.
#[derive(Debug, Args)]
pub struct OffsetsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: OffsetsCommand,
}

/// What is done with positions.
#[derive(Debug, Subcommand)]
pub enum OffsetsCommand {
    /// Print where each partition is: the ledger of the pipeline's home
    #[command(
        after_help = "Examples:\n  wasmill offsets show pipeline.yaml\n  wasmill offsets show pipeline.yaml --format json"
    )]
    Show(OffsetsShowArgs),
    /// Continue a partition at another offset, while the pipeline is stopped
    #[command(
        after_help = "Examples:\n  wasmill offsets set pipeline.yaml --topic raw-events --partition 3 --offset 120000\n\n\
                            Going back stores events again; going forward leaves some out."
    )]
    Set(OffsetsSetArgs),
    /// Accept that events are gone (retention passed the ledger), and continue at the oldest one that is there
    #[command(
        after_help = "Examples:\n  wasmill offsets accept-gap pipeline.yaml --topic raw-events --partition 3\n\n\
                            The gap is recorded in the pipeline's home."
    )]
    AcceptGap(OffsetsAcceptGapArgs),
}

/// `wasmill offsets show`.
#[derive(Debug, Args)]
pub struct OffsetsShowArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// How positions are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
}

/// `wasmill offsets set`.
#[derive(Debug, Args)]
pub struct OffsetsSetArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// The topic
    #[arg(long)]
    pub topic: String,
    /// The partition
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: i32,
    /// The next offset to process
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: i64,
}

/// `wasmill offsets accept-gap`.
#[derive(Debug, Args)]
pub struct OffsetsAcceptGapArgs {
    /// The pipeline's YAML file
    pub config: PathBuf,
    /// The topic
    #[arg(long)]
    pub topic: String,
    /// The partition
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: i32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        fn check(command: &mut clap::Command) {
            let leaf = command.get_subcommands().next().is_none();
            let help = command.render_long_help().to_string();
            assert!(!leaf || command.is_hide_set() || help.contains("Examples:"), "{help}");
            command.get_subcommands_mut().filter(|c| c.get_name() != "help").for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&mut command);
    }

    #[test]
    fn defaults_are_those_of_the_documents() {
        let Command::Demo(demo) = Cli::parse_from(["wasmill", "demo"]).command else { panic!("no demo") };
        assert_eq!((demo.events, demo.seed, demo.format, demo.keep), (300_000, 1, Output::Text, None));
        let Command::Run(run) = Cli::parse_from(["wasmill", "run", "p.yaml"]).command else { panic!("no run") };
        assert_eq!((run.until_end, run.report, run.format), (false, None, Output::Text));
    }
}
