//! `wasmill plugin list`: what a pipeline's plugin directory would serve, loaded as a run loads it; and what home says serves.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use wasmill_engine::{Engine, OnOpen, Plugin};

use crate::cli::{ListPluginsArgs, Output};
use crate::commands::{Exit, home_of, in_runtime, load, print};
use crate::config::plugins::{PluginFile, discover_with};
use crate::config::{Config, Environment};
use crate::history::ServedPlugin;
use crate::pipeline::plugins;
use crate::terminal::{aligned, plain};

/// Hexadecimal digits of a digest that people are shown.
const SHOWN: usize = 12;

/// A plugin of the directory, or of what serves.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    plugin: ServedPlugin,
    kinds: Option<String>,
    on_open: Option<OnOpen>,
    /// Whether home says that it serves; `null` where home was not asked.
    serves: Option<bool>,
    /// Whether the directory has it.
    is_there: bool,
}

/// Prints the plugins.
///
/// # Errors
/// When home does not answer.
pub(super) fn run(args: &ListPluginsArgs) -> anyhow::Result<Exit> {
    let config = match load(&args.config) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let mut listed = match directory(&config) {
        Ok(listed) => listed,
        Err(reason) => return Ok(Exit::bad_setup(reason)),
    };
    if args.served {
        let mut served = None;
        let exit = in_runtime(async {
            match home_of(&config, "this pipeline has no home, which is what knows what serves").await {
                Ok(home) => served = home.generations().await?.pop(),
                Err(exit) => return Ok(exit),
            }
            Ok(Exit::success())
        })?;
        if exit != Exit::success() {
            return Ok(exit);
        }
        mark(&mut listed, served.map(|served| served.plugins).unwrap_or_default());
    }
    print(&match args.format {
        Output::Json => format!("{}\n", json!(listed)),
        Output::Text if listed.is_empty() => "no plugins: events pass through unchanged\n".to_owned(),
        Output::Text => shown(&listed),
    });
    Ok(Exit::success())
}

/// The plugins in the order in which they run.
fn directory(config: &Config) -> Result<Vec<Listed>, String> {
    let Some(folder) = &config.plugins else {
        return Err("this pipeline has no plugins; name their directory under `plugins`".to_owned());
    };
    let files = discover_with(folder, folder, &Environment::of_process(), &config.engine.ceilings)
        .map_err(|mistakes| mistakes.to_string())?;
    let engine = plugins::engine((1, files.len()), Some(config.engine.cache_dir.clone()), config.engine.compile)?;
    let loaded = files.iter().map(|file| load_one(&engine, file)).collect::<Result<Vec<_>, _>>()?;
    let names = loaded.iter().map(|plugin| plugin.reference().name.as_str());
    if let Some(name) = plugins::missing(&config.required_plugins, names) {
        return Err(plugins::is_missing(name, folder));
    }
    let mut listed: Vec<(u8, Listed)> = loaded.iter().map(|plugin| (stage(plugin), Listed::of(plugin))).collect();
    listed.sort_by_key(|(stage, _)| *stage);
    Ok(listed.into_iter().map(|(_, listed)| listed).collect())
}

fn load_one(engine: &Engine, file: &PluginFile) -> Result<Arc<Plugin>, String> {
    Ok(plugins::load(engine, file, &plugins::bytes_of(file)?)?)
}

/// What of a plugin runs first: validators before enrichers before alerters.
fn stage(plugin: &Plugin) -> u8 {
    let kinds = plugin.kinds();
    match (kinds.validator, kinds.enricher) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

impl Listed {
    fn of(plugin: &Arc<Plugin>) -> Self {
        Self {
            plugin: ServedPlugin::of(plugin),
            kinds: Some(plugin.kinds().to_string()),
            on_open: Some(plugin.on_open()),
            serves: None,
            is_there: true,
        }
    }
}

/// Says of each plugin whether it serves, and adds those that serve and are in the directory no more.
fn mark(listed: &mut Vec<Listed>, served: Vec<ServedPlugin>) {
    for one in listed.iter_mut() {
        one.serves = Some(served.contains(&one.plugin));
    }
    let gone: Vec<ServedPlugin> =
        served.into_iter().filter(|plugin| listed.iter().all(|one| one.plugin != *plugin)).collect();
    listed.extend(gone.into_iter().map(|plugin| Listed {
        plugin,
        kinds: None,
        on_open: None,
        serves: Some(true),
        is_there: false,
    }));
}

fn shown(listed: &[Listed]) -> String {
    let row = |Listed { plugin, kinds, serves, is_there, .. }: &Listed| {
        let ServedPlugin { file, name, version, digest, config_digest } = plugin;
        let serves = match (serves, is_there) {
            (None, _) => "",
            (Some(true), true) => "serves",
            (Some(true), false) => "serves, and is no longer there as it was",
            (Some(false), _) => "does not serve",
        };
        let short = |digest: &str| digest.get(..SHOWN).unwrap_or(digest).to_owned();
        vec![
            plain(file),
            format!("{} {}", plain(name), plain(version)),
            kinds.clone().unwrap_or_default(),
            short(digest),
            format!("config {}", short(config_digest)),
            serves.to_owned(),
        ]
    };
    aligned(&listed.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(file: &str, digest: &str) -> ServedPlugin {
        let [name, version, config_digest] = ["p", "1.0.0", "c"].map(str::to_owned);
        ServedPlugin { file: file.to_owned(), name, version, digest: digest.to_owned(), config_digest }
    }

    #[test]
    fn plugin_serves_if_its_file_and_settings_are_those_that_home_knows() {
        let there = |file, digest| Listed {
            plugin: plugin(file, digest),
            kinds: None,
            on_open: None,
            serves: None,
            is_there: true,
        };
        let mut listed = vec![there("10-a.wasm", "aa"), there("20-b.wasm", "new")];
        mark(&mut listed, vec![plugin("10-a.wasm", "aa"), plugin("20-b.wasm", "old")]);
        let told: Vec<_> = listed.iter().map(|one| (one.plugin.digest.as_str(), one.serves, one.is_there)).collect();
        assert_eq!(told, [("aa", Some(true), true), ("new", Some(false), true), ("old", Some(true), false)]);
    }
}
