//! Dead letters as operators handle them: what was rejected, what became of it since, and which letters are meant.
//!
//! A letter itself never changes. What somebody does to it (a replay, a discard) stands beside it: its state, how often the event was
//! tried, and the newest rejection. What that comes to is decided here; the stores only write it down, and only where a letter is
//! still as it was read.

pub mod feed;
mod filter;

use std::sync::Arc;

use wasmill_core::{Digest, PluginRef, Stage};

use crate::delivery::{DeadLetter, Delivery};
use crate::origin::{Origin, letter_id};
use crate::store::StoredDeadLetter;

pub use filter::{LetterFilter, LetterGroup, Page};

/// The code of an event without a payload.
const TOMBSTONE: &str = "tombstone";
/// The code of an event that is larger than the source takes.
const TOO_LARGE: &str = "too_large";

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterState {
    /// Nothing yet, or its last replay was rejected.
    Waiting,
    /// It was rejected too often: a replay takes it only where it is asked for.
    Parked,
    /// A replay stored it, or a validator dropped it.
    Replayed,
    /// Somebody gave it up.
    Discarded,
}

impl LetterState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Parked, Self::Replayed, Self::Discarded];

    /// Its name, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why, where and by whom an event was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where.
    pub stage: Stage,
    /// By which plugin.
    pub plugin: Option<Arc<PluginRef>>,
    /// A short stable word.
    pub code: String,
    /// A sentence for people.
    pub reason: String,
}

impl Rejected {
    /// What a dead letter says of it.
    pub fn of(letter: &DeadLetter) -> Self {
        let DeadLetter { stage, plugin, code, reason, .. } = letter;
        Self { stage: *stage, plugin: plugin.clone(), code: code.clone(), reason: reason.clone() }
    }
}

/// What stands beside a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What became of it.
    pub state: LetterState,
    /// How often its event was tried; the first time by the pipeline.
    pub attempts: i32,
    /// The rejection by the newest replay; `None`: none was rejected.
    pub again: Option<Rejected>,
    /// The generation that the newest replay ran in.
    pub generation: Option<Digest>,
    /// Why it was discarded or parked, in somebody's words.
    pub note: Option<String>,
}

/// A dead letter with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// As it was written.
    pub stored: StoredDeadLetter,
    /// What became of it.
    pub standing: Standing,
    /// When that changed last, microseconds since 1970; `None`: never.
    pub changed_at_us: Option<i64>,
}

/// What a replay makes of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What stands beside it from now on.
    pub standing: Standing,
    /// Dead letters of sinks that it had not reached before.
    pub new: Vec<DeadLetter>,
}

impl Letter {
    /// The newest rejection.
    pub fn rejected(&self) -> Rejected {
        self.standing.again.clone().unwrap_or_else(|| Rejected::of(&self.stored.letter))
    }

    /// The sink that alone refused it, to which alone it goes again; `None`: to all.
    pub fn sink(&self) -> Option<&Arc<str>> {
        self.stored.letter.sink.as_ref()
    }

    /// The same for the same rejection of the same event, wherever its letter is kept: `wasmill-dead-letter-id`.
    pub fn identity(&self) -> String {
        letter_id(Origin::of(&self.stored.partition).at(self.stored.letter.offset), &self.stored.letter)
    }

    /// Why it cannot be replayed, if it cannot: the event itself is not all there.
    pub fn not_replayable(&self) -> Option<&'static str> {
        let StoredDeadLetter { partition, letter, .. } = &self.stored;
        if letter.payload.is_none() && letter.code != TOMBSTONE {
            return Some(
                "its value was left out where it is kept, since its topic takes no message that large; write the event into the \
                 source again, or discard the letter",
            );
        }
        let is_cut = partition.source != "kafka" && letter.stage == Stage::Parse && letter.code == TOO_LARGE;
        is_cut.then_some(
            "only the beginning of the line was kept; put the line into the source again, or discard the letter",
        )
    }

    /// Whether this dead letter, which a replay made, says that the letter itself is rejected again.
    pub fn is_rejected_by(&self, made: &DeadLetter) -> bool {
        made.sink.is_none() || made.sink.as_ref() == self.sink()
    }

    /// What becomes of it by a replay in `generation` that made these dead letters. After `attempts_max` attempts it is parked.
    pub fn settle(&self, made: &[DeadLetter], generation: Digest, attempts_max: i32) -> Settled {
        let attempts = self.standing.attempts.saturating_add(1);
        let standing = |state, again, note| Standing { state, attempts, again, generation: Some(generation), note };
        let Some(rejected) = made.iter().find(|made| self.is_rejected_by(made)) else {
            // What goes to one sink again has reached the others before.
            let new = if self.sink().is_none() { made.to_vec() } else { Vec::new() };
            return Settled { standing: standing(LetterState::Replayed, self.standing.again.clone(), None), new };
        };
        let is_last = attempts >= attempts_max;
        let state = if is_last { LetterState::Parked } else { LetterState::Waiting };
        let note = is_last.then(|| format!("rejected {attempts} times"));
        Settled { standing: standing(state, Some(Rejected::of(rejected)), note), new: Vec::new() }
    }

    /// What becomes of it when somebody gives it up.
    pub fn discarded(&self, reason: &str) -> Standing {
        Standing { state: LetterState::Discarded, note: Some(reason.to_owned()), ..self.standing.clone() }
    }
}

/// What one store is to write of a replay, in one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'r> {
    /// Whose replay it is.
    pub letter: &'r Letter,
    /// [`Letter::identity`].
    pub identity: &'r str,
    /// The rows, by sink, and the dead letters that were made so far.
    pub delivery: &'r Delivery,
    /// Where the letter itself is kept: after how many attempts it is parked.
    pub attempts_max: Option<i32>,
}

impl Replay<'_> {
    /// Whether the letter is rejected again, by what was made so far or by one of these.
    pub(crate) fn is_rejected(&self, refused: &[DeadLetter]) -> bool {
        self.delivery.dead_letters.iter().chain(refused).any(|made| self.letter.is_rejected_by(made))
    }

    /// What becomes of the letter where this store keeps it, with these refusals of its own.
    pub(crate) fn settle(&self, refused: &[DeadLetter]) -> Option<Settled> {
        let made: Vec<DeadLetter> = self.delivery.dead_letters.iter().chain(refused).cloned().collect();
        Some(self.letter.settle(&made, self.delivery.generation, self.attempts_max?))
    }
}

/// What a store wrote of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// An earlier replay had stored the rows here.
    pub was_there: bool,
    /// Rows that only the database refuses.
    pub refused: Vec<DeadLetter>,
    /// What stands beside the letter now, where this store keeps it.
    pub standing: Option<Standing>,
}

/// What is told of a lock that another process holds.
pub(crate) const LETTERS_TAKEN: &str = "another process works on these dead letters; waiting until it ends";

/// Held for as long as one process works on the letters of a pipeline.
pub struct LettersLock {
    _held: Box<dyn Send>,
}

impl LettersLock {
    pub(crate) fn holding(held: impl Send + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

#[cfg(test)]
mod tests {
    use wasmill_core::PartitionId;

    use super::*;

    fn dead(sink: Option<&str>, code: &str) -> DeadLetter {
        DeadLetter {
            offset: 7,
            timestamp_ns: 0,
            stage: if sink.is_some() { Stage::Sink } else { Stage::Validate },
            plugin: None,
            sink: sink.map(Arc::from),
            code: code.to_owned(),
            reason: "a sentence".to_owned(),
            key: None,
            payload: None,
            headers: Vec::new(),
        }
    }

    fn letter(sink: Option<&str>) -> Letter {
        let partition = PartitionId {
            source: "kafka".to_owned(),
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
            topic_id: "i".to_owned(),
            partition: 3,
        };
        let stored = StoredDeadLetter { id: 1, partition, rejected_at_us: 0, letter: dead(sink, "first") };
        let standing = Standing { state: LetterState::Waiting, attempts: 1, again: None, generation: None, note: None };
        Letter { stored, standing, changed_at_us: None }
    }

    fn settle(letter: &Letter, made: &[DeadLetter]) -> Settled {
        letter.settle(made, Digest::of(b"g"), 3)
    }

    #[test]
    fn letter_that_nobody_rejects_is_replayed() {
        let settled = settle(&letter(None), &[]);
        assert_eq!((settled.standing.state, settled.standing.attempts), (LetterState::Replayed, 2));
        assert_eq!(settled.standing.generation, Some(Digest::of(b"g")));
    }

    #[test]
    fn letter_that_is_rejected_again_waits_with_the_newest_reason_and_is_parked_by_the_last_attempt() {
        let mut letter = letter(None);
        letter.standing = settle(&letter, &[dead(None, "second")]).standing;
        assert_eq!((letter.standing.state, letter.standing.attempts), (LetterState::Waiting, 2));
        assert_eq!((letter.rejected().code.as_str(), letter.stored.letter.code.as_str()), ("second", "first"));
        letter.standing = settle(&letter, &[dead(None, "third")]).standing;
        assert_eq!((letter.standing.state, letter.standing.attempts), (LetterState::Parked, 3));
        assert_eq!(letter.standing.note.as_deref(), Some("rejected 3 times"));
    }

    #[test]
    fn refusal_by_a_sink_that_the_event_had_not_reached_is_a_letter_of_its_own() {
        let settled = settle(&letter(None), &[dead(Some("rows"), "wrong_type")]);
        assert_eq!((settled.standing.state, settled.new.len()), (LetterState::Replayed, 1));
    }

    #[test]
    fn letter_of_a_sink_heeds_that_sink_and_the_plugins_alone() {
        let letter = letter(Some("rows"));
        let state = |made| settle(&letter, &[made]).standing.state;
        assert_eq!(state(dead(Some("rows"), "wrong_type")), LetterState::Waiting);
        assert_eq!(state(dead(None, "bad")), LetterState::Waiting);
        let other = settle(&letter, &[dead(Some("other"), "wrong_type")]);
        assert_eq!((other.standing.state, other.new), (LetterState::Replayed, Vec::new()));
    }

    #[test]
    fn identity_is_that_of_the_message_and_does_not_change_with_what_became_of_the_letter() {
        let one = letter(None);
        let mut other = letter(None);
        other.standing = settle(&other, &[dead(None, "second")]).standing;
        assert_eq!((one.identity().len(), one.identity()), (32, other.identity()));
        assert_ne!(one.identity(), letter(Some("rows")).identity());
    }

    #[test]
    fn letter_without_all_of_its_event_cannot_be_replayed() {
        let with = |source: &str, stage, code: &str, payload: Option<&[u8]>| {
            let mut letter = letter(None);
            letter.stored.partition.source = source.to_owned();
            letter.stored.letter = DeadLetter { stage, payload: payload.map(<[u8]>::to_vec), ..dead(None, code) };
            letter.not_replayable().is_some()
        };
        assert!(with("kafka", Stage::Validate, "bad", None));
        assert!(!with("kafka", Stage::Parse, "tombstone", None));
        assert!(with("file", Stage::Parse, "too_large", Some(b"{")));
        assert!(!with("kafka", Stage::Parse, "too_large", Some(b"{}")));
        assert!(!with("file", Stage::Validate, "bad", Some(b"{}")));
    }
}
