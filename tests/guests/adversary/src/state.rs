//! Calls of the state that are made of text: whatever the host's fuzzing thinks of.

use crate::bindings::wasmill::plugin::state;

/// Makes calls, one for each part between semicolons: a letter, then lists of numbers, which stand between slashes.
pub(crate) fn call(text: &str) {
    for part in text.split(';') {
        let mut lists = part.get(1..).unwrap_or("").split('/').map(numbers);
        let mut list = || lists.next().unwrap_or_default();
        let bytes = |list: Vec<i64>| list.into_iter().map(|number| number as u8).collect::<Vec<_>>();
        let words = |list: Vec<i64>| list.into_iter().map(|number| number as u32).collect::<Vec<_>>();
        match part.as_bytes().first() {
            Some(b'c') => drop(state::clocks()),
            Some(b'f') => drop(state::fetch(&bytes(list()), &words(list()))),
            Some(b'd') => {
                drop(state::due(list().first().copied().unwrap_or(0), list().first().copied().unwrap_or(0) as u32))
            }
            Some(b's') => state::store(
                &words(list()),
                &words(list()),
                &bytes(list()),
                &words(list()),
                &list(),
                &list(),
                &words(list()),
            ),
            _ => {}
        }
    }
}

fn numbers(text: &str) -> Vec<i64> {
    text.split(',').filter_map(|number| number.trim().parse().ok()).collect()
}
