//! What home would hold of one plugin's state in one partition.

use std::collections::BTreeMap;

use wasmill_engine::{Clock, StateDelta};

/// A key's value, with the times from which on it is gone and it is due.
pub(crate) type Stored = BTreeMap<Vec<u8>, (Vec<u8>, i64, i64)>;

#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) stored: Stored,
    pub(crate) clock: Clock,
}

impl Home {
    /// Takes over what one batch changed.
    pub(crate) fn take(&mut self, delta: &StateDelta) {
        self.clock = delta.clock;
        for row in delta.rows.iter() {
            match row.value {
                Some(value) => self.stored.insert(row.key.to_vec(), (value.to_vec(), row.expires, row.wake)),
                None => self.stored.remove(row.key),
            };
        }
    }

    /// What has not expired, or was due before.
    pub(crate) fn living(&self) -> Stored {
        let now = self.clock.now.unwrap_or(i64::MIN);
        let lives = |(_, (_, expires, wake)): &(&Vec<u8>, &(Vec<u8>, i64, i64))| *expires > now || wake < expires;
        self.stored.iter().filter(lives).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}
