//! Where the dead letters of a pipeline are, for whoever works on them by hand.

use std::path::PathBuf;

use super::SetupError;
use super::stores::{self, OpenStore};
use crate::config::{Config, HomeConfig};
use crate::letters::feed::{Feed, feeds};
use crate::sqlite::SqliteStore;
use crate::store::Store;

/// That a place is none of the pipeline's databases.
pub(super) const NOWHERE: &str = "no database of the pipeline has these letters";

/// What somebody said of where letters are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceOptions {
    /// The name of the place, where there are several.
    pub from: Option<String>,
    /// Where the ledger is of letters that no home keeps.
    pub ledger: Option<PathBuf>,
}

/// Where letters are.
#[derive(Clone, Debug)]
pub enum LettersPlace<'c> {
    /// In home.
    Home,
    /// In the database of this sink (its index), which is not home: rows that only it refused.
    Sink(usize),
    /// In a ledger that takes them in from elsewhere.
    Ledger {
        /// Where they come from.
        feed: Feed<'c>,
        /// The ledger's file.
        path: PathBuf,
    },
}

impl<'c> LettersPlace<'c> {
    /// Where they are.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn find(config: &'c Config, options: &PlaceOptions) -> Result<Self, String> {
        if config.home == HomeConfig::None {
            return Self::without_home(config, options);
        }
        if options.ledger.is_some() {
            return Err("this pipeline has a home, which keeps its dead letters: leave --ledger out".to_owned());
        }
        let Some(name) = options.from.as_deref().filter(|name| *name != "home") else { return Ok(Self::Home) };
        let databases = stores::databases(config);
        let sinks = databases.iter().flat_map(|database| &database.sinks);
        let names: Vec<String> = sinks.clone().map(|sink| sink.name.to_string()).collect();
        let sink = sinks.into_iter().find(|sink| &*sink.name == name);
        sink.map(|sink| Self::Sink(sink.index)).ok_or_else(|| {
            format!(
                "home has every dead letter of this pipeline, but for rows that another database refuses; --from takes home or one of \
                 the sinks {}",
                names.join(", ")
            )
        })
    }

    fn without_home(config: &'c Config, options: &PlaceOptions) -> Result<Self, String> {
        let feeds = feeds(config);
        let names: Vec<&str> = feeds.iter().map(|(name, _)| *name).collect();
        let feed = match (&options.from, feeds.as_slice()) {
            (None, []) => {
                return Err(
                    "this pipeline keeps no dead letters that can be read again; add dead_letters: { file: { path: dead.jsonl } }, or a \
                     home: { sqlite: { path: home.db } }"
                        .to_owned(),
                );
            }
            (None, [(_, feed)]) => *feed,
            (None, _) => {
                return Err(format!("dead letters go to several places; choose one by --from: {}", names.join(", ")));
            }
            (Some(name), _) => {
                let found = feeds.iter().find(|(found, _)| found == name).map(|(_, feed)| *feed);
                let places = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                found.ok_or_else(|| {
                    format!("no dead letters that can be read again go to \"{name}\"; there is {places}")
                })?
            }
        };
        let path = options.ledger.clone().or_else(|| feed.ledger());
        let path = path.ok_or(
            "what became of letters in a topic is kept in a file of this machine: name one that stays, by --ledger letters.db",
        )?;
        Ok(Self::Ledger { feed, path })
    }

    /// Takes what was added into the ledger and opens it; `None`: the letters are in a database of the pipeline.
    pub(super) async fn open_ledger(&self, config: &Config) -> Result<Option<SqliteStore>, SetupError> {
        let Self::Ledger { feed, path } = self else { return Ok(None) };
        let ledger = stores::open_ledger(config, path).await?;
        // One that takes letters in at a time, or they would be there twice.
        let _locked = ledger.lock_letters().await?;
        feed.take_in(config, &ledger).await.map_err(SetupError::Wrong)?;
        Ok(Some(ledger))
    }

    /// Whether a database with these sinks has the letters.
    pub(super) fn is_in(&self, is_home: bool, sinks: &[usize]) -> bool {
        match self {
            Self::Home => is_home,
            Self::Sink(sink) => sinks.contains(sink),
            Self::Ledger { .. } => false,
        }
    }
}

/// Opens the database in which the letters are, or are taken in.
///
/// # Errors
/// As for a run, or a sentence that says what to do.
pub async fn open_letters(config: &Config, place: &LettersPlace<'_>) -> Result<Store, SetupError> {
    if let Some(ledger) = place.open_ledger(config).await? {
        return Ok(Store::Sqlite(Box::new(ledger)));
    }
    let stores = stores::open(config).await?;
    let found = stores.into_iter().find(|OpenStore { sinks, is_home, .. }| place.is_in(*is_home, sinks));
    found.map(|found| found.store).ok_or_else(|| SetupError::Wrong(NOWHERE.to_owned()))
}
