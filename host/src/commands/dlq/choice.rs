//! Which letters a command works on, one after the other.

use std::collections::VecDeque;

use crate::cli::FilterArgs;
use crate::letters::{Letter, LetterFilter, LetterState, Page};
use crate::store::{Store, StoreError};

/// Letters read at a time: each is at most as large as an event.
const PAGE: i64 = 100;

/// Letters by their ids, or those that a filter means, the oldest first.
pub(super) enum Choice {
    Ids(VecDeque<i64>),
    Meant {
        filter: LetterFilter,
        /// Of the ids that are still to come.
        page: Page,
        read: VecDeque<Letter>,
    },
}

/// What a choice yields.
pub(super) enum Chosen {
    Letter(Box<Letter>),
    /// There is no letter with this id.
    Absent(i64),
}

impl Choice {
    /// What somebody typed: ids, or a filter (of these states unless it names others), or all.
    ///
    /// # Errors
    /// A sentence: both, or nothing.
    pub(super) fn new(ids: &[i64], filter: &FilterArgs, all: bool, states: &[LetterState]) -> Result<Self, String> {
        match (ids.is_empty(), filter.is_none() && !all) {
            (true, true) => Err("say which letters are meant: their ids, a filter such as --code, or --all".to_owned()),
            (false, false) => Err("name letters by their ids or by a filter, not by both".to_owned()),
            (false, true) => Ok(Self::Ids(ids.iter().copied().collect())),
            (true, false) => {
                let page = Page { after: 0, before: i64::MAX, is_newest_first: false, limit: PAGE };
                Ok(Self::Meant { filter: filter.filter(states), page, read: VecDeque::new() })
            }
        }
    }

    /// Leaves out what is added from now on: a replay may make letters itself.
    pub(super) async fn end_here(&mut self, letters: &Store) -> Result<(), StoreError> {
        if let Self::Meant { page, .. } = self {
            let last = Page { is_newest_first: true, limit: 1, ..*page };
            let newest = letters.letters(&LetterFilter::default(), last).await?;
            page.before = newest.first().map_or(1, |newest| newest.stored.id + 1);
        }
        Ok(())
    }

    /// The next letter; `None`: that was all.
    pub(super) async fn next(&mut self, letters: &Store) -> Result<Option<Chosen>, StoreError> {
        match self {
            Self::Ids(ids) => {
                let Some(id) = ids.pop_front() else { return Ok(None) };
                let found = letters.letters(&LetterFilter::default(), Page::of(id)).await?.pop();
                Ok(Some(found.map_or(Chosen::Absent(id), |letter| Chosen::Letter(Box::new(letter)))))
            }
            Self::Meant { filter, page, read } => {
                if read.is_empty() {
                    read.extend(letters.letters(filter, *page).await?);
                    page.after = read.back().map_or(page.after, |last| last.stored.id);
                }
                Ok(read.pop_front().map(|letter| Chosen::Letter(Box::new(letter))))
            }
        }
    }
}

/// That there is no such letter.
pub(super) fn absent(id: i64) -> String {
    format!("there is no dead letter {id}; `wasmill dlq list --state all` prints those that are there")
}
