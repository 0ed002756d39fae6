//! The plugin directory: which plugins there are, in which order they run, and what the operator says about each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use wasmill_engine::{Ceilings, Grant, InstanceMode, Limits, OnOpen, OtherState};

use super::load::contents;
use super::mistake::{Collector, Mistake, Mistakes, Position, nearest, quoted};
use super::read::read;
use super::tree::parse;
use super::{Environment, check, schema};

/// Plugins of one directory.
pub const PLUGINS_MAX: usize = 64;
/// Files of a plugin directory that are looked at.
pub const DIRECTORY_ENTRIES_MAX: usize = 10_000;

/// A plugin's file and what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginFile {
    /// The component.
    pub path: PathBuf,
    /// Its file name without `.wasm`, such as `10-validate`.
    pub name: String,
    /// What the file beside it says; defaults where there is none.
    pub sidecar: Sidecar,
    /// That file as it is written, if there is one.
    pub written: Option<Vec<u8>>,
}

/// What an operator says about a plugin, in `NN-name.yaml` beside `NN-name.wasm`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// Its configuration, a JSON object.
    pub config: Json,
    /// What it may use.
    pub limits: Limits,
    /// How long its instances live.
    pub instance: InstanceMode,
    /// Capabilities that it is given.
    pub grants: Vec<Grant>,
    /// What becomes of stored state that it cannot read.
    pub state: OtherState,
    /// What becomes of events while its breaker is open.
    pub on_open: OnOpen,
}

/// What may be written in the file beside a plugin.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "wasmill plugin settings")]
pub(super) struct RawSidecar {
    /// The plugin's own configuration; its README says what it takes. Variables are filled in as in the pipeline's file.
    #[schemars(with = "serde_json::Map<String, Json>")]
    config: serde_json::Map<String, Json>,
    /// What the plugin may use.
    limits: Limits,
    /// How long an instance of the plugin lives.
    instance: InstanceMode,
    /// Capabilities that the plugin is given; it is not loaded without those that it asks for.
    grants: Vec<Grant>,
    /// What becomes of state that was stored in another version of the plugin's schema.
    state: OtherState,
    /// What becomes of events while the plugin's breaker is open: because it failed on more than 5 % of the last 2 000 events (and on
    /// more than 8), or no longer starts.
    on_open: OnOpen,
}

/// The plugins of `directory`, by file name, with this process's variables filled in. Files whose names begin with a dot or
/// end in something else than `.wasm`, `.yaml` or `.yml` are not looked at, so a file may be copied under another name first.
///
/// # Errors
/// All mistakes of all files: an unreadable directory, too many plugins, two files for one name, a settings file without
/// its plugin, and what is wrong inside settings files.
pub fn discover(directory: &Path) -> Result<Vec<PluginFile>, Mistakes> {
    discover_with(directory, directory, &Environment::of_process(), &Ceilings::default())
}

/// The same with other variables, and ceilings of limits; files that are named in settings are looked for from `base` on.
///
/// # Errors
/// The same.
pub fn discover_with(
    directory: &Path,
    base: &Path,
    environment: &Environment,
    ceilings: &Ceilings,
) -> Result<Vec<PluginFile>, Mistakes> {
    let files = file_names(directory).map_err(|message| Mistakes::of_file(directory.display().to_string(), message))?;
    let plugins: BTreeSet<&str> = files.iter().filter_map(|file| file.strip_suffix(".wasm")).collect();
    let mut mistakes = strays(directory, &files, &plugins);
    if plugins.len() > PLUGINS_MAX {
        let message = format!("the folder holds {} plugins, and {PLUGINS_MAX} are allowed", plugins.len());
        mistakes.extend(whole(directory, message));
        return Err(Mistakes::new(mistakes));
    }
    let mut found = Vec::new();
    for name in plugins {
        match sidecar((directory, base), name, &files, (environment, ceilings)) {
            Ok((sidecar, written)) => {
                let (path, name) = (directory.join(format!("{name}.wasm")), name.to_owned());
                found.push(PluginFile { path, name, sidecar, written });
            }
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(Mistakes::new(mistakes)) }
}

/// One plugin by its file, with what stands beside it.
///
/// # Errors
/// All mistakes of the settings file; or that the name does not end in `.wasm`.
pub fn beside(path: &Path) -> Result<PluginFile, Mistakes> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".wasm"));
    let Some(name) = name else {
        return Err(Mistakes::of_file(path.display().to_string(), "a plugin's file ends in .wasm".to_owned()));
    };
    let settings = ["yaml", "yml"].map(|ending| format!("{name}.{ending}"));
    let files = settings.into_iter().filter(|file| directory.join(file).is_file()).collect();
    let (sidecar, written) =
        sidecar((directory, directory), name, &files, (&Environment::of_process(), &Ceilings::default()))
            .map_err(Mistakes::new)?;
    Ok(PluginFile { path: path.to_owned(), name: name.to_owned(), sidecar, written })
}

/// The names that matter; symbolic links are followed, folders are left out.
fn file_names(directory: &Path) -> Result<BTreeSet<String>, String> {
    let unreadable = |error: std::io::Error| {
        format!(
            "the plugin directory cannot be read: {error}; make it, or remove the key plugins to pass events through"
        )
    };
    let mut names = BTreeSet::new();
    for (n, entry) in std::fs::read_dir(directory).map_err(unreadable)?.enumerate() {
        if n == DIRECTORY_ENTRIES_MAX {
            return Err(format!(
                "the plugin directory holds over {DIRECTORY_ENTRIES_MAX} files; give plugins a folder of their own"
            ));
        }
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if matters(name) && !path.is_dir() {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether a file of this name is looked at.
pub fn matters(name: &str) -> bool {
    [".wasm", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending)) && !name.starts_with('.')
}

/// Settings files that no plugin has.
fn strays(directory: &Path, files: &BTreeSet<String>, plugins: &BTreeSet<&str>) -> Vec<Mistake> {
    let settings = files.iter().filter(|file| !file.ends_with(".wasm"));
    settings
        .filter_map(|file| {
            let name = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"))?;
            if plugins.contains(name) {
                return None;
            }
            let meant = match nearest(name, plugins.iter().copied()) {
                Some(plugin) => format!("did you mean {}?", quoted(&format!("{plugin}.yaml"))),
                None => "copy the plugin there, or remove this file".to_owned(),
            };
            whole(&directory.join(file), format!("there is no {} beside it; {meant}", quoted(&format!("{name}.wasm"))))
        })
        .collect()
}

fn whole(path: &Path, message: String) -> Option<Mistake> {
    Some(Mistake { file: path.display().to_string(), line: 1, column: 1, message })
}

fn sidecar(
    (directory, base): (&Path, &Path),
    name: &str,
    files: &BTreeSet<String>,
    (environment, ceilings): (&Environment, &Ceilings),
) -> Result<(Sidecar, Option<Vec<u8>>), Vec<Mistake>> {
    let candidates = [format!("{name}.yaml"), format!("{name}.yml")];
    let mut given = candidates.iter().filter(|file| files.contains(*file));
    let Some(file) = given.next() else { return Ok((RawSidecar::default().within(ceilings), None)) };
    let path = directory.join(file);
    let mut mistakes = Collector::new(path.display().to_string());
    if let Some(second) = given.next() {
        mistakes.add(Position::START, format!("{} is there too; keep one of the two", quoted(second)));
    }
    let sidecar = match contents(&path) {
        Ok(bytes) => {
            parse_sidecar(&bytes, base, (environment, ceilings), &mut mistakes).map(|sidecar| (sidecar, Some(bytes)))
        }
        Err(message) => {
            mistakes.add(Position::START, message);
            None
        }
    };
    match sidecar {
        Some(sidecar) if mistakes.is_empty() => Ok(sidecar),
        _ => Err(mistakes.finish()),
    }
}

fn parse_sidecar(
    bytes: &[u8],
    folder: &Path,
    (environment, ceilings): (&Environment, &Ceilings),
    mistakes: &mut Collector,
) -> Option<Sidecar> {
    let mut root = parse(bytes, environment, folder, mistakes)?;
    check::check(schema::sidecar(), &mut root, mistakes);
    if !mistakes.is_empty() {
        return None;
    }
    let raw: RawSidecar =
        read(&root).map_err(|error| mistakes.add(Position::START, format!("the file cannot be read: {error}"))).ok()?;
    if let Err(message) = raw.limits.check() {
        mistakes.add(root.entry("limits").map_or(Position::START, |entry| entry.at), message);
    }
    let given = root.entry("limits").map(|limits| &limits.node);
    for (limit, asked, most) in ceilings.passed(&raw.limits) {
        if let Some(entry) = given.and_then(|limits| limits.entry(limit)) {
            let message = format!(
                "{limit} is {asked}, and this pipeline allows at most {most} (engine.ceilings.{limit}); lower one or raise the other"
            );
            mistakes.add(entry.at, message);
        }
    }
    Some(raw.within(ceilings))
}

impl RawSidecar {
    fn within(self, ceilings: &Ceilings) -> Sidecar {
        let Self { config, limits, instance, grants, state, on_open } = self;
        let limits = ceilings.lower(limits);
        Sidecar { config: Json::Object(config), limits, instance, grants, state, on_open }
    }
}
