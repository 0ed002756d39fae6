//! What is done to dead letters by hand, in whichever database they are.

use super::{Store, StoreError};
use crate::letters::{Letter, LetterFilter, LetterGroup, LettersLock, Page, Replay, Replayed, Standing};

impl Store {
    /// The letters of this pipeline that are meant, a page of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn letters(&self, filter: &LetterFilter, page: Page) -> Result<Vec<Letter>, StoreError> {
        match self {
            Self::Postgres(store) => store.letters(filter, page).await,
            Self::Sqlite(store) => store.letters(filter, page).await,
        }
    }

    /// How many letters are meant, by how they were rejected; the largest group first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn letter_groups(&self, filter: &LetterFilter) -> Result<Vec<LetterGroup>, StoreError> {
        match self {
            Self::Postgres(store) => store.letter_groups(filter).await,
            Self::Sqlite(store) => store.letter_groups(filter).await,
        }
    }

    /// Writes down what became of a letter; `false`: it is no longer as it was read, and nothing was written.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn settle_letter(&self, letter: &Letter, standing: &Standing) -> Result<bool, StoreError> {
        match self {
            Self::Postgres(store) => store.settle_letter(letter, standing).await,
            Self::Sqlite(store) => store.settle_letter(letter, standing).await,
        }
    }

    /// Whether a replay has stored what the letter of this identity has for this database.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn was_replayed(&self, identity: &str) -> Result<bool, StoreError> {
        match self {
            Self::Postgres(store) => store.was_replayed(identity).await,
            Self::Sqlite(store) => store.was_replayed(identity).await,
        }
    }

    /// Stores the rows of a replay, unless an earlier one did, with what became of the letter where this database keeps it, in one
    /// transaction. `None`: the letter is no longer as it was read, and nothing was stored. May be repeated after an error.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn replay(&self, replay: Replay<'_>) -> Result<Option<Replayed>, StoreError> {
        match self {
            Self::Postgres(store) => store.replay(replay).await,
            Self::Sqlite(store) => store.replay(replay).await,
        }
    }

    /// Waits until no other process works on the letters of this pipeline, and keeps others from it until the answer is dropped, or
    /// the process ends.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn lock_letters(&self) -> Result<LettersLock, StoreError> {
        match self {
            Self::Postgres(store) => store.lock_letters().await,
            Self::Sqlite(store) => store.lock_letters().await,
        }
    }
}
