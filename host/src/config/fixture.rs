//! Fixtures of `wasmill test`: events, and what is to come of them in the pipeline.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::load::contents;
use super::mistake::{Collector, Position};
use super::read::{Ordered, read};
use super::tree::parse;
use super::{Environment, Mistakes, check, schema};

/// One fixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixture {
    /// The events, in order.
    pub events: Vec<Json>,
    /// What each sink is to get, by its name, and `dead_letters`. What is not named is not looked at.
    pub expect: Vec<(String, Vec<Json>)>,
}

/// What a fixture's file may say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wasmill fixture")]
pub(super) struct RawFixture {
    /// The events: objects, or texts that are taken as they are.
    events: Vec<Json>,
    /// What sinks get, by their names, and `dead_letters`. A row holds the columns that matter.
    #[serde(default)]
    expect: Ordered<Vec<Json>>,
}

impl Fixture {
    /// Reads a file. Variables are not filled in.
    ///
    /// # Errors
    /// All its mistakes, by place.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        let bytes = contents(path).map_err(|message| Mistakes::of_file(name.clone(), message))?;
        let mut mistakes = Collector::new(name);
        let nothing = std::iter::empty::<(&str, String)>().collect::<Environment>();
        let fixture = parse(&bytes, &nothing, Path::new(""), &mut mistakes).and_then(|mut root| {
            check::check(schema::fixture(), &mut root, &mut mistakes);
            match read::<RawFixture>(&root) {
                Ok(RawFixture { events, expect }) => Some(Self { events, expect: expect.0 }),
                Err(error) => {
                    mistakes.add(Position::START, format!("the file cannot be read: {error}"));
                    None
                }
            }
        });
        match fixture {
            Some(fixture) if mistakes.is_empty() => Ok(fixture),
            _ => Err(Mistakes::new(mistakes.finish())),
        }
    }
}
