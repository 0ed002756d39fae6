//! `wasmill validate`: is the pipeline well set up, and what does it guarantee? Nothing is connected.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::{Output, ValidateArgs};
use crate::commands::Exit;
use crate::config::plugins::{self, PluginFile};
use crate::config::{Config, Environment, HomeConfig, Mistake, PrivateAddresses, ReverseDnsConfig, redacted};
use crate::guarantee::{self, SinkGuarantee};
use crate::pipeline::{self, Place};
use crate::postgres;

/// What was found out about a pipeline.
#[derive(Clone, Debug, Serialize)]
pub struct Validation {
    /// Whether it can be run: there is neither a mistake nor a bad plugin.
    pub valid: bool,
    /// What is wrong, by file and place.
    pub mistakes: Vec<Mistake>,
    /// The plugins, in the order in which those of one kind run.
    pub plugins: Vec<PluginCheck>,
    /// What is promised per sink; empty where there are mistakes.
    pub guarantees: Vec<SinkGuarantee>,
    /// What else to know.
    pub notes: Vec<String>,
    /// The pipeline with its defaults and without secrets.
    pub config: Option<Json>,
}

/// What was found out about one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginCheck {
    /// Its file name without `.wasm`.
    pub name: String,
    /// What it calls itself, once it was loaded.
    #[serde(skip)]
    pub plugin: Option<String>,
    /// A line about it, such as its version and kinds, once it was loaded.
    pub about: Option<String>,
    /// Why it cannot be loaded.
    pub problem: Option<String>,
    /// Whether it keeps state.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_state: bool,
    /// Whether it is given what look-ups find.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub looks_up: bool,
}

impl PluginCheck {
    /// A plugin that was found and not loaded.
    pub fn found(file: &PluginFile) -> Self {
        let name = file.name.clone();
        Self { name, plugin: None, about: None, problem: None, keeps_state: false, looks_up: false }
    }
}

/// Checks a pipeline and has its plugins loaded, as a run would.
pub fn run(args: &ValidateArgs) -> Exit {
    if args.sql {
        return print_sql(args);
    }
    let validation = validate(args, load_plugins);
    super::print(&validation.render(args.format));
    if validation.valid { Exit::success() } else { Exit::bad_setup("the pipeline cannot be run") }
}

fn print_sql(args: &ValidateArgs) -> Exit {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return Exit::bad_setup(mistakes.to_string()),
    };
    let mut printed = false;
    for database in pipeline::databases(&config) {
        let Place::Postgres(url) = database.place else { continue };
        match postgres::script(url, &database.sinks) {
            Ok(sql) => super::print(&sql),
            Err(error) => return Exit::bad_setup(error.to_string()),
        }
        printed = true;
    }
    if printed { Exit::success() } else { Exit::failed("no sink of this pipeline is a PostgreSQL database") }
}

pub(super) fn load_plugins(config: &Config, files: &[PluginFile]) -> Vec<PluginCheck> {
    let engine =
        pipeline::plugins::engine((1, files.len()), Some(config.engine.cache_dir.clone()), config.engine.compile);
    let check = |file: &PluginFile| {
        let engine = engine.as_ref().map_err(Clone::clone)?;
        let plugin = pipeline::plugins::load(engine, file, &pipeline::plugins::bytes_of(file)?)?;
        Ok(PluginCheck {
            plugin: Some(plugin.reference().name.clone()),
            about: Some(pipeline::plugins::about(&plugin)),
            keeps_state: plugin.state().is_some(),
            looks_up: plugin.reads().iter().any(|field| field.lookup.is_some()),
            ..PluginCheck::found(file)
        })
    };
    files
        .iter()
        .map(|file| {
            check(file).unwrap_or_else(|problem| PluginCheck { problem: Some(problem), ..PluginCheck::found(file) })
        })
        .collect()
}

/// Checks the pipeline of `args`, with `load` to find out about its plugins (one answer per file, in their order).
pub fn validate(args: &ValidateArgs, load: impl FnOnce(&Config, &[PluginFile]) -> Vec<PluginCheck>) -> Validation {
    validate_with(&args.config, &Environment::of_process(), load)
}

/// The same for any file and variables.
pub fn validate_with(
    file: &Path,
    environment: &Environment,
    load: impl FnOnce(&Config, &[PluginFile]) -> Vec<PluginCheck>,
) -> Validation {
    match Config::load_with(file, environment) {
        Ok(config) => validate_loaded(&config, environment, load),
        Err(mistakes) => Validation::wrong(mistakes.to_vec()),
    }
}

/// The same for a file that was read.
pub(super) fn validate_loaded(
    config: &Config,
    environment: &Environment,
    load: impl FnOnce(&Config, &[PluginFile]) -> Vec<PluginCheck>,
) -> Validation {
    let mut notes = guarantee::notes(config);
    let discovered = config
        .plugins
        .as_deref()
        .map(|folder| plugins::discover_with(folder, folder, environment, &config.engine.ceilings));
    let (files, mut mistakes) = match discovered {
        None => (Vec::new(), Vec::new()),
        Some(Ok(files)) => (files, Vec::new()),
        Some(Err(mistakes)) => (Vec::new(), mistakes.to_vec()),
    };
    if let (Some(folder), true, true) = (&config.plugins, files.is_empty(), mistakes.is_empty()) {
        notes.push(format!("the plugin directory {} is empty: events pass through unchanged", folder.display()));
    }
    let plugins = load(config, &files);
    if let (Some(folder), true) = (&config.plugins, plugins.iter().all(|plugin| plugin.problem.is_none())) {
        let names = plugins.iter().filter_map(|plugin| plugin.plugin.as_deref());
        let missing = pipeline::plugins::missing(&config.required_plugins, names);
        mistakes.extend(missing.map(|name| pipeline::plugins::is_missing(name, folder)).map(|message| Mistake {
            file: folder.display().to_string(),
            line: 1,
            column: 1,
            message,
        }));
    }
    if config.home == HomeConfig::None {
        notes.extend(plugins.iter().filter(|plugin| plugin.keeps_state).map(in_memory_only));
    }
    notes.extend(plugins.iter().filter(|plugin| plugin.looks_up).map(|plugin| who_tells_names(plugin, config)));
    Validation {
        valid: mistakes.is_empty() && plugins.iter().all(|plugin| plugin.problem.is_none()),
        mistakes,
        plugins,
        guarantees: guarantee::derive(config),
        notes,
        config: Some(redacted(config)),
    }
}

impl Validation {
    pub(super) fn wrong(mistakes: Vec<Mistake>) -> Self {
        Self { valid: false, mistakes, plugins: Vec::new(), guarantees: Vec::new(), notes: Vec::new(), config: None }
    }

    /// As it is to be printed.
    pub fn render(&self, format: Output) -> String {
        match format {
            Output::Json => format!("{:#}\n", serde_json::json!(self)),
            Output::Text => self.text(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for mistake in &self.mistakes {
            let _ = writeln!(text, "{mistake}");
        }
        if let Some(config) = &self.config {
            let sinks: Vec<&str> = self.guarantees.iter().map(|sink| sink.sink.as_str()).collect();
            let _ = writeln!(text, "pipeline {}: {} → {}", word(config, "name"), source(config), sinks.join(", "));
        }
        if !self.plugins.is_empty() {
            text.push_str("\nplugins\n");
        }
        let width = self.plugins.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0);
        for plugin in &self.plugins {
            let about = plugin.problem.as_deref().or(plugin.about.as_deref()).unwrap_or("found");
            let _ = writeln!(text, "  {:width$}  {about}", plugin.name);
        }
        if !self.guarantees.is_empty() {
            text.push_str("\nguarantees\n");
        }
        let width = self.guarantees.iter().map(|sink| sink.sink.len()).max().unwrap_or(0);
        for sink in &self.guarantees {
            let _ = writeln!(text, "  {:width$}  {:13}  {}", sink.sink, sink.guarantee.as_str(), sink.reason);
        }
        if !self.notes.is_empty() {
            text.push_str("\nto know\n");
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {note}");
        }
        let _ = match (self.valid, self.mistakes.len()) {
            (true, _) => writeln!(text, "\nvalid"),
            (false, 1) => writeln!(text, "\nnot valid: 1 mistake"),
            (false, count) if count > 0 => writeln!(text, "\nnot valid: {count} mistakes"),
            (false, _) => writeln!(text, "\nnot valid: a plugin cannot be loaded"),
        };
        text
    }
}

fn in_memory_only(plugin: &PluginCheck) -> String {
    format!(
        "{} keeps state, and without a home that is in memory only: it begins empty at each start; add an SQL sink, or \
         `home: {{ sqlite: {{ path: home.db }} }}`",
        plugin.name
    )
}

fn who_tells_names(plugin: &PluginCheck, config: &Config) -> String {
    let ReverseDnsConfig { resolvers, deadline, private, fake, .. } = &config.reverse_dns;
    let name = &plugin.name;
    if *fake {
        return format!("{name} is given names that are made up of the addresses (lookups.reverse_dns.fake)");
    }
    let servers = match &resolvers[..] {
        [] => "the system's DNS servers".to_owned(),
        servers => servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let private = match private {
        PrivateAddresses::Skip => "private addresses are not asked for",
        PrivateAddresses::Resolve => "private addresses are asked for too",
    };
    format!(
        "{name} is given the names that reverse DNS knows, asked of {servers}; {private}, and a batch waits up to {} ms, \
         after which names are left out",
        deadline.as_millis()
    )
}

fn word<'c>(config: &'c Json, key: &str) -> &'c str {
    config[key].as_str().unwrap_or_default()
}

fn source(config: &Json) -> String {
    let keys = config["source"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.filter(|key| !matches!(*key, "event_time" | "format")).collect()
}
