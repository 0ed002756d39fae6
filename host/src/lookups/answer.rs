//! Answers with the time that they hold for, and the cache of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;

/// The name of an address, or that it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name.
    pub name: Option<Arc<str>>,
    /// Until when it holds; `None`: for ever.
    pub until: Option<Instant>,
}

/// What a batch was told, by address.
pub type Answers = HashMap<IpAddr, Answer>;

impl Answer {
    /// An answer that depends on nothing.
    pub(super) fn for_ever(name: Option<Arc<str>>) -> Self {
        Self { name, until: None }
    }

    /// An answer that holds for a time from now on.
    pub(super) fn lasting(name: Option<Arc<str>>, time: Duration) -> Self {
        Self { name, until: Instant::now().checked_add(time) }
    }
}

/// Answers by address: a bounded number, each for its own time.
#[derive(Debug)]
pub(super) struct Cache(moka::sync::Cache<IpAddr, Answer>);

impl Cache {
    pub(super) fn new(entries: u64) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(entries).expire_after(OwnTime).build())
    }

    pub(super) fn get(&self, address: &IpAddr) -> Option<Answer> {
        self.0.get(address)
    }

    pub(super) fn insert(&self, address: IpAddr, answer: Answer) {
        self.0.insert(address, answer);
    }
}

struct OwnTime;

impl Expiry<IpAddr, Answer> for OwnTime {
    fn expire_after_create(&self, _: &IpAddr, answer: &Answer, created: Instant) -> Option<Duration> {
        answer.until.map(|until| until.saturating_duration_since(created))
    }

    fn expire_after_update(
        &self,
        address: &IpAddr,
        answer: &Answer,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(address, answer, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_its_own_time() {
        let cache = Cache::new(10);
        let [short, long] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        cache.insert(short, Answer::lasting(None, Duration::ZERO));
        cache.insert(long, Answer::lasting(Some("a".into()), Duration::from_secs(60)));
        assert_eq!(cache.get(&short), None);
        assert_eq!(cache.get(&long).unwrap().name.as_deref(), Some("a"));
    }
}
