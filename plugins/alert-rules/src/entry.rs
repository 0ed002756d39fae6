//! What a rule remembers of one key, and how it is stored: numbers in little-endian order.
//!
//! | bytes | meaning |
//! |---|---|
//! | 0..8 | the newest pane of the window; of an absence the time when the key was last seen |
//! | 8..16 | until when the rule is quiet about the key |
//! | 16..20 | alerts suppressed since the last one |
//! | 20.. | 32-bit words: a rate's items are pane and count, a distinct rate's pane and two halves of a hash |
//!
//! Most events only add to numbers that are there: that is done where they are stored ([`Stored`]). An [`Entry`] is for the rest.
//!
//! A pane is kept as its number's low 32 bits: items live for a few panes, so these tell their age.

/// A time before all others.
pub(crate) const LONG_AGO: i64 = i64::MIN;

/// What is known about a key. Times are nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) newest: i64,
    pub(crate) quiet_until: i64,
    pub(crate) suppressed: u32,
    words: Vec<u32>,
}

/// Nothing is known.
impl Default for Entry {
    fn default() -> Self {
        Entry { newest: LONG_AGO, quiet_until: LONG_AGO, suppressed: 0, words: Vec::new() }
    }
}

impl Entry {
    /// Becomes what is stored; what is not stored, or not whole, is nothing.
    pub(crate) fn load(&mut self, stored: Option<&[u8]>) {
        self.words.clear();
        let parts = || {
            let (newest, rest) = stored?.split_first_chunk()?;
            let (quiet_until, rest) = rest.split_first_chunk()?;
            let (suppressed, rest) = rest.split_first_chunk()?;
            Some((i64::from_le_bytes(*newest), i64::from_le_bytes(*quiet_until), u32::from_le_bytes(*suppressed), rest))
        };
        let (newest, quiet_until, suppressed, items) = parts().unwrap_or((LONG_AGO, LONG_AGO, 0, &[]));
        (self.newest, self.quiet_until, self.suppressed) = (newest, quiet_until, suppressed);
        self.words.extend(items.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)));
    }

    /// Writes what is to be stored.
    pub(crate) fn save(&self, bytes: &mut Vec<u8>) {
        let mut numbers = [0; 20];
        numbers[..8].copy_from_slice(&self.newest.to_le_bytes());
        numbers[8..16].copy_from_slice(&self.quiet_until.to_le_bytes());
        numbers[16..].copy_from_slice(&self.suppressed.to_le_bytes());
        bytes.clear();
        bytes.extend_from_slice(&numbers);
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }

    /// The items, of which each is `WORDS` words, the first of them its pane.
    pub(crate) fn items<const WORDS: usize>(&mut self) -> &mut [[u32; WORDS]] {
        self.words.as_chunks_mut().0
    }

    /// Adds an item.
    pub(crate) fn push<const WORDS: usize>(&mut self, item: [u32; WORDS]) {
        self.words.extend_from_slice(&item);
    }

    /// Takes away all items.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
    }

    /// Takes away the items that are older than `age_max` panes, seen from the pane `newest`.
    pub(crate) fn retain<const WORDS: usize>(&mut self, newest: u32, age_max: u32) {
        let items = self.items::<WORDS>();
        let mut kept = 0;
        for index in 0..items.len() {
            if newest.wrapping_sub(items[index][0]) <= age_max {
                items[kept] = items[index];
                kept += 1;
            }
        }
        self.words.truncate(kept * WORDS);
    }
}

/// An entry where it is stored. Its numbers can change, but not its length.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    newest: [u8; 8],
    quiet_until: [u8; 8],
    suppressed: &'a mut [u8; 4],
    /// Of a rate: pane and count.
    pub(crate) panes: &'a mut [[u8; 8]],
}

impl<'a> Stored<'a> {
    /// The entry in these bytes, if it is whole.
    #[inline(always)]
    pub(crate) fn of(bytes: &'a mut [u8]) -> Option<Self> {
        let (newest, rest) = bytes.split_first_chunk_mut()?;
        let (quiet_until, rest) = rest.split_first_chunk_mut()?;
        let (suppressed, rest) = rest.split_first_chunk_mut()?;
        Some(Stored { newest: *newest, quiet_until: *quiet_until, suppressed, panes: rest.as_chunks_mut().0 })
    }

    #[inline(always)]
    pub(crate) fn newest(&self) -> i64 {
        i64::from_le_bytes(self.newest)
    }

    #[inline(always)]
    pub(crate) fn quiet_until(&self) -> i64 {
        i64::from_le_bytes(self.quiet_until)
    }

    /// One alert more that was kept back.
    #[inline(always)]
    pub(crate) fn suppress(&mut self) {
        *self.suppressed = u32::from_le_bytes(*self.suppressed).saturating_add(1).to_le_bytes();
    }
}

/// A rate's item as it is stored.
#[inline(always)]
pub(crate) fn item([pane, events]: [u32; 2]) -> [u8; 8] {
    (u64::from(pane) | u64::from(events) << 32).to_le_bytes()
}

/// Pane and count of a rate's item.
#[inline(always)]
pub(crate) fn pane_and_events(item: [u8; 8]) -> [u32; 2] {
    let item = u64::from_le_bytes(item);
    [item as u32, (item >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_stored_and_loaded_as_it_is() {
        let mut entry = Entry { newest: -5, quiet_until: i64::MAX, suppressed: 7, words: Vec::new() };
        entry.push([1, 2]);
        entry.push([u32::MAX, 4]);
        let mut bytes = vec![9];
        entry.save(&mut bytes);
        assert_eq!(bytes.len(), 20 + 16);
        let mut loaded = Entry::default();
        loaded.push([1]);
        loaded.load(Some(&bytes));
        assert_eq!(loaded, entry);
        for nothing in [None, Some(&bytes[..19])] {
            loaded.load(nothing);
            assert_eq!(loaded, Entry::default());
        }
    }

    #[test]
    fn items_are_let_go_of_by_their_age() {
        let mut entry = Entry::default();
        for pane in [u32::MAX - 1, u32::MAX, 0, 3] {
            entry.push([pane, pane]);
        }
        entry.retain::<2>(3, 4);
        assert_eq!(entry.items::<2>(), [[u32::MAX, u32::MAX], [0, 0], [3, 3]]);
        entry.retain::<2>(10, 4);
        assert_eq!(entry.items::<2>(), [[0; 2]; 0]);
    }
}
