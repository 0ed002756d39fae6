//! State: bytes by key that the host keeps for a plugin, one map per plugin and partition, from batch to batch and over restarts.
//!
//! This is the form nearest to the host: one [`State`] per batch. A plugin names the keys of its events, fetches them all at
//! once, and then goes through the events in order with [`State::get`] and [`State::put`]. What it put is stored if the batch
//! succeeds, in the transaction of its rows.
//!
//! ```
//! use wasmill_sdk::state::{Life, State};
//! use wasmill_sdk::{Alert, Evaluation, Events, Fields, Severity};
//!
//! #[derive(Fields)]
//! struct Login<'a> { user: &'a str }
//!
//! /// Alerts on the third login of a user. `1` is the version of what is stored: another one when it changes.
//! #[wasmill_sdk::alerter(state = 1)]
//! fn third_login(logins: Events<'_, Login<'_>>, state: &mut State<'_>) -> Evaluation {
//!     let keys: Vec<_> = logins.iter().map(|(event, login)| (event, login.user, state.key(login.user.as_bytes()))).collect();
//!     state.fetch();
//!     let mut evaluation = Evaluation::default();
//!     for (event, user, key) in keys {
//!         let seen = state.get(event, key).map_or(0, |value| value[0]) + 1;
//!         state.put(event, key, &[seen], Life::until(state.clock(event).saturating_add(3_600_000_000_000)));
//!         if seen == 3 {
//!             evaluation.alerts.push((event as u32, Alert::new("third-login", user, Severity::Info, "logged in again")));
//!         }
//!     }
//!     evaluation
//! }
//!
//! // A native test has a state of its own, which lasts from batch to batch.
//! let plugin = wasmill_sdk::Loaded::<third_login>::configure("{}").unwrap();
//! assert!(plugin.evaluate_json(&[r#"{"user":"eve"}"#, r#"{"user":"eve"}"#]).is_empty());
//! assert_eq!(plugin.evaluate_json(&[r#"{"user":"eve"}"#]).len(), 1);
//! ```
//!
//! **Time is the clock**: with each event, the highest time of the events up to that one ([`State::clock`]). It never goes back,
//! and an event that is far ahead does not take it along: see `wit/plugin.wit`. A value is gone once the clock reaches its
//! [`Life::expires`]; a key is [due](State::next_due) once it reaches its [`Life::wake`].
//!
//! [`Counter`], [`Tumbling`], [`Sliding`], [`Distinct`], [`LastSeen`], [`Change`] and [`Dedup`] are what is mostly kept under a key, ready made.
//!
//! A result must not depend on where a batch was cut, and does not as long as what is put for an event depends on it and on what
//! was got before alone.

mod due;
mod entries;
mod hash;
mod keys;
mod measures;
#[cfg(not(target_arch = "wasm32"))]
mod memory;
mod windows;

use std::cell::OnceCell;
use std::fmt;

use crate::words;
use due::Due;
use entries::Entries;
use keys::Keys;

pub use hash::hash;
pub use keys::Key;
pub use measures::{Change, Changed, Dedup, Distinct};
pub use windows::{Counter, LastSeen, Sliding, Tumbling};

#[cfg(target_arch = "wasm32")]
pub use crate::guest::Host;
#[cfg(not(target_arch = "wasm32"))]
pub use memory::Host;

/// The clock that is never reached: of a value that stays, of a key that does not wake.
pub const NEVER: i64 = i64::MAX;
/// When a value expires that is not there.
const GONE: i64 = i64::MIN;

/// How long a value lives, and when its key is due. Both are times of the clock, nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The value is gone from then on.
    pub expires: i64,
    /// The key is due from then on, if the value still lives then.
    pub wake: i64,
}

impl Life {
    /// It stays, and its key is never due.
    pub const FOREVER: Life = Life { expires: NEVER, wake: NEVER };

    /// It lives until `expires`, and its key is never due.
    pub fn until(expires: i64) -> Self {
        Life { expires, wake: NEVER }
    }

    /// The same, and the key is due at `wake`.
    #[must_use]
    pub fn waking(self, wake: i64) -> Self {
        Life { wake, ..self }
    }
}

/// A key whose time has come.
///
/// ```
/// use wasmill_sdk::state::{DueKey, Key, Life, NEVER, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> { host: &'a str }
///
/// /// Tells of hosts that are silent for a minute.
/// #[wasmill_sdk::alerter(state = 1)]
/// fn silent(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<(usize, Key)> = logs.iter().map(|(event, log)| (event, state.key(log.host.as_bytes()))).collect();
///     state.fetch();
///     state.fetch_due(8);
///     let mut evaluation = Evaluation::default();
///     for (event, key) in keyed {
///         while let Some(DueKey { key, .. }) = state.next_due(event) {
///             let host = String::from_utf8_lossy(state.key_bytes(key)).into_owned();
///             evaluation.alerts.push((event as u32, Alert::new("silent", host, Severity::Warning, "silent for a minute")));
///             state.remove(event, key);
///         }
///         let life = Life { expires: NEVER, wake: state.clock(event) + 60_000_000_000 };
///         state.put(event, key, b"seen", life);
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<silent>::configure("{}").unwrap();
/// assert_eq!(plugin.evaluate_json(&[r#"{"host":"a"}"#]).len(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueKey {
    /// The key. Its value at that time is [`State::get_at`] of `wake`.
    pub key: Key,
    /// When it was due: at or before the clock.
    pub wake: i64,
}

/// The state of a plugin in one partition, while it has a batch. See the [module](self). It costs nothing until it is used.
pub struct State<'h> {
    host: &'h Host,
    times: &'h [i64],
    clocks: OnceCell<Vec<i64>>,
    keys: Keys,
    entries: Entries,
    due: Due,
}

impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("keys", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<'h> State<'h> {
    pub(crate) fn open(host: &'h Host, times: &'h [i64]) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        host.begin(times);
        State {
            host,
            times,
            clocks: OnceCell::new(),
            keys: Keys::for_events(times.len()),
            entries: Entries::default(),
            due: Due::default(),
        }
    }

    /// The clock at an event, that event included: nanoseconds since 1970.
    ///
    /// # Panics
    /// When the batch has no such event.
    #[inline]
    pub fn clock(&self, event: usize) -> i64 {
        self.clocks()[event]
    }

    /// The clock at each event.
    #[inline]
    pub fn clocks(&self) -> &[i64] {
        match self.clocks.get() {
            Some(clocks) => clocks,
            None => self.ask_clocks(),
        }
    }

    #[cold]
    #[inline(never)]
    fn ask_clocks(&self) -> &[i64] {
        let clocks = self.host.clocks();
        assert!(clocks.len() == self.times.len(), "the host sends a clock for each event");
        // There are none yet. (`get_or_init` would bring a message for the case that there are.)
        let _set = self.clocks.set(clocks);
        self.clocks.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The key of these bytes, at most 1024 unless the operator allows more. The same bytes are the same key.
    #[inline]
    pub fn key(&mut self, bytes: &[u8]) -> Key {
        self.keys.intern(|key| words::append(key, bytes))
    }

    /// The key of the bytes that `append` appends to those that it is given. This spares making them elsewhere first.
    #[inline]
    pub fn key_of(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> Key {
        self.keys.intern(append)
    }

    /// A key's bytes.
    pub fn key_bytes(&self, key: Key) -> &[u8] {
        self.keys.bytes(key)
    }

    /// Asks the host for all keys that were named since the last time, in one call.
    pub fn fetch(&mut self) {
        let known = self.entries.len();
        if known == self.keys.len() {
            return;
        }
        let (keys, ends) = self.keys.since(known);
        let fetched = self.host.fetch(keys, &ends);
        self.entries.extend(fetched);
        assert!(self.entries.len() == self.keys.len(), "the host answers for each key");
    }

    /// The value of a key when an event is handled; `None` when there is none or it is gone by then.
    ///
    /// # Panics
    /// When the key was not fetched, as do all functions that take one; and when the batch has no such event.
    #[inline]
    pub fn get(&self, event: usize, key: Key) -> Option<&[u8]> {
        self.get_at(self.clock(event), key)
    }

    /// The value of a key at a time of the clock.
    #[inline]
    pub fn get_at(&self, clock: i64, key: Key) -> Option<&[u8]> {
        self.entries.get(key.index(), clock)
    }

    /// How long the value of a key lives; [`State::get`] says whether it still does.
    pub fn life(&self, key: Key) -> Life {
        self.entries.life(key.index())
    }

    /// Puts a value under a key when an event is handled.
    #[inline]
    pub fn put(&mut self, event: usize, key: Key, value: &[u8], life: Life) {
        self.entries.put(key.index(), value);
        self.entries.note(key.index(), event, life);
        if life.wake < NEVER {
            self.note_wake(key, life.wake);
        }
    }

    /// Changes the value of a key where it stands when an event is handled, which costs less than to get and put it. `change` is
    /// handed the clock and the value, if there is one, and says how long it lives from now on; or `None`: it has not changed
    /// it. Whether it has.
    #[inline]
    pub fn update(&mut self, event: usize, key: Key, change: impl FnOnce(i64, &mut [u8]) -> Option<Life>) -> bool {
        let clock = self.clock(event);
        let value = self.entries.get_mut(key.index(), clock);
        let Some(life) = value.and_then(|value| change(clock, value)) else { return false };
        self.entries.note(key.index(), event, life);
        if life.wake < NEVER {
            self.note_wake(key, life.wake);
        }
        true
    }

    /// Takes the value of a key away.
    pub fn remove(&mut self, event: usize, key: Key) {
        self.put(event, key, &[], Life { expires: GONE, wake: NEVER });
    }

    /// Asks the host for the keys that become due during this batch, of which [`State::next_due`] gives at most `most` per event: what
    /// is more becomes due at the next ones. To be called once, before the first event is handled, and with the same number in
    /// each batch.
    pub fn fetch_due(&mut self, most: usize) {
        let Some(until) = self.clocks().last().copied() else { return };
        // Those that the batch puts anew are passed over, and must not use up what is asked for.
        let limit = most.saturating_mul(self.times.len()).saturating_add(self.keys.len());
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        // Keys that were named come before those that are named here.
        self.fetch();
        let due = self.host.due(until, limit);
        let mut start = 0;
        for (nth, end) in due.ends.iter().enumerate() {
            let key = self.keys.intern(|key| words::append(key, &due.keys[start..*end as usize]));
            start = *end as usize;
            self.entries.push_due(&due, nth, key.index() < self.entries.len());
            self.due.expect(due.values.wakes[nth], key);
        }
        self.due.most = most;
    }

    /// The next key that is due when an event is handled, in the order of wakes, then of keys; `None` when no other is. It is given
    /// once, unless it is put with another [`Life::wake`]. Only after [`State::fetch_due`].
    pub fn next_due(&mut self, event: usize) -> Option<DueKey> {
        let clock = self.clock(event);
        let (entries, keys) = (&self.entries, &self.keys);
        // Put anew, taken away, or gone before it was due.
        let is_due = |wake: i64, key: Key| {
            let life = entries.life(key.index());
            life.wake == wake && life.expires > wake
        };
        let (wake, key) = self.due.next(event, clock, keys, is_due)?;
        self.entries.note_given(key.index(), event);
        Some(DueKey { key, wake })
    }

    /// Hands what was put to the host.
    pub(crate) fn finish(self) {
        let writes = self.entries.into_writes();
        if !writes.keys.is_empty() {
            self.host.store(&writes);
        }
    }

    /// Notes that a key wakes, which may be within the batch.
    fn note_wake(&mut self, key: Key, wake: i64) {
        if self.clocks().last().is_some_and(|last| wake <= *last) {
            self.due.add(wake, key, self.keys.bytes(key));
        }
    }
}

/// Values as they cross, see `wit/plugin.wit`.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
    pub(crate) expires: Vec<i64>,
    pub(crate) wakes: Vec<i64>,
}

impl Values {
    pub(crate) fn value(&self, nth: usize) -> &[u8] {
        let start = nth.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[nth] as usize]
    }
}

// The host of native tests makes them, and keeps each by itself.
#[cfg(not(target_arch = "wasm32"))]
impl Values {
    pub(crate) fn push(&mut self, value: &[u8], life: Life) {
        words::append(&mut self.bytes, value);
        self.ends.push(self.bytes.len() as u32);
        self.expires.push(life.expires);
        self.wakes.push(life.wake);
    }

    pub(crate) fn life(&self, nth: usize) -> Life {
        Life { expires: self.expires[nth], wake: self.wakes[nth] }
    }
}

/// Due keys as they cross.
#[derive(Debug, Default)]
pub(crate) struct DueKeys {
    pub(crate) keys: Vec<u8>,
    pub(crate) ends: Vec<u32>,
    pub(crate) values: Values,
}

/// Writes as they cross.
#[derive(Debug, Default)]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the host of native tests is never full"))]
pub(crate) struct Writes {
    pub(crate) keys: Vec<u32>,
    pub(crate) events: Vec<u32>,
    pub(crate) values: Values,
    pub(crate) peaks: Vec<u32>,
}
