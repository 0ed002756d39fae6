//! Replays: dead letters sent through the plugins of the directory as they are now, and to the sinks of the file.
//!
//! A process of its own, beside one that runs: it takes no partition over, moves no position, and writes no state. Each letter is
//! processed alone, so that it does not matter which others are replayed with it.

use std::sync::Arc;

use wasmill_core::RawBatch;
use wasmill_engine::LaneMemory;

use super::SetupError;
use super::build::{Assembled, assemble, start_engine};
use super::letters::{LettersPlace, NOWHERE};
use super::plugins::{LoadedFile, Loader};
use crate::config::{Config, RetryConfig};
use crate::delivery::Delivery;
use crate::engine_threads::EngineThreads;
use crate::health::Health;
use crate::lane;
use crate::letters::{Letter, Replayed, Standing};
use crate::process::{EngineWorker, Processor};
use crate::sinks::{Kept, ReplayLimits, Sinks};
use crate::states;
use crate::store::Store;

/// What replays letters.
pub struct Replayer {
    processor: Arc<Processor>,
    engine: EngineThreads<EngineWorker>,
    sinks: Arc<Sinks>,
    letters: Letters,
    retry: RetryConfig,
}

/// What keeps the letters.
enum Letters {
    /// This one of the pipeline's databases.
    Store(usize),
    Ledger(Store),
}

/// A letter after its plugins.
enum Processed {
    /// Encoded for the sinks that are to have it.
    Ready(Box<Delivery>),
    /// It stays as it is, for this reason.
    Stays(String),
}

/// What became of a letter by its replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// This stands beside it now, or would.
    Settled {
        /// What stands there.
        standing: Standing,
        /// An earlier replay had stored its rows.
        was_there: bool,
    },
    /// It stays as it is, for this reason.
    Skipped(String),
}

impl Replayer {
    /// Loads the plugins and connects the sinks, as for a run. Plugins that a run would not begin with are not replaced by those that
    /// served last: letters would be tried in vain.
    ///
    /// # Errors
    /// As for a run.
    pub async fn open(config: &Config, place: &LettersPlace<'_>) -> Result<Self, SetupError> {
        let files: Vec<LoadedFile> = match Loader::new(config)? {
            Some(loader) => {
                Arc::new(loader).load(Vec::new()).await.map_err(|refusal| SetupError::Wrong(refusal.into()))?
            }
            None => Vec::new(),
        };
        let ledger = place.open_ledger(config).await?;
        let Assembled { processor, sinks, .. } = assemble(config, &files, &Arc::new(Health::default())).await?;
        if let Some(home) = sinks.home() {
            states::prepare(home, &processor.generation, &[]).await?;
        }
        let letters = match ledger {
            Some(ledger) => Letters::Ledger(Store::Sqlite(Box::new(ledger))),
            None => {
                let has_letters = |index: &usize| place.is_in(sinks.home == Some(*index), &sinks.stores[*index].sinks);
                let store = (0..sinks.stores.len()).find(has_letters);
                Letters::Store(store.ok_or_else(|| SetupError::Wrong(NOWHERE.to_owned()))?)
            }
        };
        let engine = start_engine(1)?;
        Ok(Self { processor: Arc::new(processor), engine, sinks, letters, retry: config.retry })
    }

    /// The database in which the letters are.
    pub fn letters(&self) -> &Store {
        match &self.letters {
            Letters::Store(store) => &self.sinks.stores[*store].store,
            Letters::Ledger(ledger) => ledger,
        }
    }

    /// What a replay would make of a letter, as far as that can be known without writing it anywhere.
    ///
    /// # Errors
    /// A sentence: no letter can be replayed.
    pub async fn try_out(&self, letter: &Letter, attempts_max: i32) -> Result<Became, String> {
        match self.process(letter).await? {
            Processed::Stays(why) => Ok(Became::Skipped(why)),
            Processed::Ready(delivery) => {
                let standing = letter.settle(&delivery.dead_letters, delivery.generation, attempts_max).standing;
                Ok(Became::Settled { standing, was_there: false })
            }
        }
    }

    /// Replays a letter. Waits while a destination is away.
    ///
    /// # Errors
    /// A sentence: no letter can be replayed.
    pub async fn replay(&self, letter: &Letter, attempts_max: i32) -> Result<Became, String> {
        let mut delivery = match self.process(letter).await? {
            Processed::Stays(why) => return Ok(Became::Skipped(why)),
            Processed::Ready(delivery) => delivery,
        };
        let kept = match &self.letters {
            Letters::Store(store) => Kept::Store(*store),
            Letters::Ledger(ledger) => Kept::Ledger(ledger),
        };
        let limits = ReplayLimits { attempts_max, retry: self.retry };
        let replayed = self.sinks.replay(letter, &mut delivery, kept, limits).await?;
        Ok(match replayed {
            Some(Replayed { standing: Some(standing), was_there, .. }) => Became::Settled { standing, was_there },
            _ => Became::Skipped("somebody else has worked on it meanwhile".to_owned()),
        })
    }

    async fn process(&self, letter: &Letter) -> Result<Processed, String> {
        if let Some(why) = letter.not_replayable() {
            return Ok(Processed::Stays(why.to_owned()));
        }
        let index = |name| self.sinks.names.iter().position(|sink| sink == name);
        let sink = letter.sink().and_then(index);
        if let (Some(name), None) = (letter.sink(), sink) {
            let why = format!("the pipeline has no sink \"{name}\" any more; discard the letter");
            return Ok(Processed::Stays(why));
        }
        let raw = raw_batch(letter);
        if let Some(sink) = sink.filter(|sink| self.processor.encoders[*sink].takes_alerts()) {
            return Ok(Processed::Ready(Box::new(self.processor.encode_alert(raw, sink))));
        }
        let partition = Arc::clone(raw.partition());
        let memory = match self.sinks.home() {
            Some(home) => states::look(home, &partition, &self.processor.generation).await,
            None => Ok(LaneMemory::new()),
        };
        let memory = memory.map_err(|error| error.to_string())?;
        let processed = lane::process(&self.processor, &self.engine, raw, memory).await;
        let (mut delivery, _) = processed.map_err(|lost| lost.to_string())?;
        if let Some(sink) = sink {
            delivery.keep_only(sink);
        }
        Ok(Processed::Ready(Box::new(delivery)))
    }
}

/// The event of a letter (or its alert), with its own origin.
fn raw_batch(letter: &Letter) -> RawBatch {
    let (partition, event) = (&letter.stored.partition, &letter.stored.letter);
    let mut batch = RawBatch::new(Arc::new(partition.clone()), event.offset);
    let headers = event.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
    batch.push(event.offset, event.timestamp_ns, event.key.as_deref(), event.payload.as_deref(), headers);
    batch
}
