//! From a file to a pipeline: read → check → resolve, with all mistakes at once.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use wasmill_core::Digest;

use super::mistake::{Collector, Position};
use super::place::Place;
use super::raw::RawPipeline;
use super::resolve::{Surroundings, resolve};
use super::tree::{FILE_BYTES_MAX, Node, Value, parse};
use super::{Config, Environment, Mistakes, check, read, schema};

impl Config {
    /// Reads a pipeline's file; variables come from this process, relative paths begin at the file's folder.
    ///
    /// # Errors
    /// All mistakes of the file, or the one that it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Self::load_with(path, &Environment::of_process())
    }

    /// The same with other variables.
    ///
    /// # Errors
    /// The same.
    pub fn load_with(path: &Path, environment: &Environment) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        let bytes = contents(path).map_err(|message| Mistakes::of_file(name.clone(), message))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&bytes, &name, folder, environment)
    }

    /// Reads the contents of a pipeline's file that is called `name` and stands in `folder`.
    ///
    /// # Errors
    /// All its mistakes, by place.
    pub fn parse(bytes: &[u8], name: &str, folder: &Path, environment: &Environment) -> Result<Self, Mistakes> {
        let mut mistakes = Collector::new(name);
        let surroundings = Surroundings { folder, environment };
        let config = parse(bytes, environment, folder, &mut mistakes)
            .and_then(|root| from_tree(root, &surroundings, &mut mistakes));
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes::new(mistakes.finish())),
        }
    }
}

fn from_tree(mut root: Node, surroundings: &Surroundings<'_>, mistakes: &mut Collector) -> Option<Config> {
    check::check(schema::json_schema(), &mut root, mistakes);
    match read::read::<RawPipeline>(&root) {
        Ok(raw) => resolve(&raw, Place(&root), surroundings, digest(&root), mistakes),
        Err(error) => {
            mistakes.add(Position::START, format!("the file cannot be read: {error}"));
            None
        }
    }
}

/// A file's bytes, and one more than allowed where it is too large.
pub(super) fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    Ok(bytes)
}

/// SHA-256 of what the file says after filling in, in the file's order; comments, layout and secrets have no part in it.
fn digest(root: &Node) -> Digest {
    let mut text = String::new();
    canonical(root, &mut text);
    Digest::of(text.as_bytes())
}

fn canonical(node: &Node, text: &mut String) {
    let quote = |word: &str| serde_json::Value::from(word).to_string();
    match &node.value {
        _ if node.secret => text.push_str("***"),
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(&value.to_string()),
        Value::Integer(value) => text.push_str(&value.to_string()),
        Value::Float(value) => text.push_str(&value.to_string()),
        Value::Text(word) => text.push_str(&quote(word)),
        Value::List(nodes) => {
            text.push('[');
            for node in nodes {
                canonical(node, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            for entry in entries {
                text.push_str(&quote(&entry.key));
                text.push(':');
                canonical(&entry.node, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}
