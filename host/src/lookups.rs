//! Look-ups: what the host finds out for plugins before they run. Names of addresses by reverse DNS, so far.
//!
//! An engine thread fills the columns of answers from what is known (`columns`). Only where something is not, the batch
//! goes back to its lane, which asks for the distinct addresses and waits until a deadline ([`ReverseDns::resolve`]); then it runs with
//! what has been answered. One query is in flight per address, whichever lanes want it, and goes on after a deadline: the
//! next batch finds its answer in the cache. While DNS is silent nobody waits (`patience`).
//!
//! Deliberately absent: look-ups of what enrichers write, and of anything else than the source's payload.

mod answer;
mod client;
mod columns;
mod counts;
mod fake;
mod name;
mod names;
mod patience;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::{PrivateAddresses, ReverseDnsConfig};
use crate::health::Health;
use answer::Cache;
use client::{Client, Found};
use counts::Counts;
use patience::Patience;

pub use answer::{Answer, Answers};
pub use columns::{Asked, Filled, LookedUp, Memo};
pub use counts::LookupReport;
pub use names::Names;

/// How long a query that failed is not repeated (RFC 9520 wants 1 s to 5 min).
const FAILED_FOR: Duration = Duration::from_secs(30);
/// Queries in flight at most while DNS is silent: enough to notice when it speaks again.
const FLIGHTS_WHILE_SILENT: usize = 16;
/// So long an engine thread takes for unknown what it did not find while nobody waits for answers.
const UNKNOWN_FOR: Duration = Duration::from_millis(250);

/// Who is told of an answer.
type Told = UnboundedSender<(IpAddr, Answer)>;

/// Reverse DNS: a cache, and whoever is asked for what is not in it.
#[derive(Debug)]
pub struct ReverseDns {
    source: Source,
    counts: Counts,
}

/// Where names come from.
#[derive(Debug)]
enum Source {
    Dns(Box<Dns>),
    /// Made of the address itself.
    Fake,
    /// A table, for tests of plugins.
    Table(HashMap<IpAddr, Option<Arc<str>>>),
}

#[derive(Debug)]
struct Dns {
    settings: ReverseDnsConfig,
    client: Client,
    cache: Cache,
    patience: Patience,
    // Guards the map for the length of a look-up or an insertion. By address: who waits for its answer.
    flights: Mutex<HashMap<IpAddr, Vec<Told>>>,
    room: Arc<Semaphore>,
    runtime: Handle,
}

/// What is known of a text without asking.
enum Known {
    Answer(Answer),
    /// It is no address, or one that is not asked for.
    Nothing,
    /// Somebody has to be asked.
    Unknown(IpAddr),
}

impl ReverseDns {
    /// What `settings` say. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence, when the system does not say which DNS servers it has.
    pub fn new(settings: &ReverseDnsConfig, health: Arc<Health>) -> Result<Self, String> {
        if settings.fake {
            return Ok(Self { source: Source::Fake, counts: Counts::default() });
        }
        let dns = Dns {
            client: Client::new(settings)?,
            cache: Cache::new(settings.cache_entries),
            patience: Patience::new(settings, health),
            flights: Mutex::default(),
            room: Arc::new(Semaphore::new(settings.concurrency)),
            runtime: Handle::current(),
            settings: settings.clone(),
        };
        Ok(Self { source: Source::Dns(Box::new(dns)), counts: Counts::default() })
    }

    /// Names from a table; `None` for an address without a name.
    pub fn of_table(names: HashMap<IpAddr, Option<Arc<str>>>) -> Self {
        Self { source: Source::Table(names), counts: Counts::default() }
    }

    /// Counts so far.
    pub fn report(&self) -> LookupReport {
        let waits = match &self.source {
            Source::Dns(dns) => dns.patience.waits(),
            Source::Fake | Source::Table(_) => true,
        };
        self.counts.report(waits)
    }

    /// Whether a batch should go back to its lane for what is not known.
    pub fn waits(&self) -> bool {
        matches!(&self.source, Source::Dns(dns) if dns.patience.waits())
    }

    /// Asks for the names of `addresses` and waits for them, but not longer than the deadline. What is not answered by then is left
    /// out.
    pub async fn resolve(self: &Arc<Self>, addresses: Vec<IpAddr>) -> Answers {
        let Source::Dns(dns) = &self.source else { return Answers::default() };
        let addresses: HashSet<IpAddr> = addresses.into_iter().collect();
        let wanted = addresses.len();
        let mut answers = Answers::with_capacity(wanted);
        let answers_before = dns.patience.answers();
        let (tell, mut told) = unbounded_channel();
        let asking = async {
            for address in addresses {
                self.ask(dns, address, &tell).await;
            }
        };
        let deadline = tokio::time::sleep(dns.settings.deadline);
        tokio::pin!(asking, deadline);
        let mut asked = false;
        while answers.len() < wanted {
            tokio::select! {
                biased;
                Some((address, answer)) = told.recv() => drop(answers.insert(address, answer)),
                () = &mut asking, if !asked => asked = true,
                () = &mut deadline => {
                    dns.patience.waited_in_vain(answers_before);
                    break;
                }
            }
        }
        answers
    }

    /// Asks for as much of `addresses` as there is room for, and waits for nothing.
    pub fn ask_meanwhile(self: &Arc<Self>, addresses: &[IpAddr]) {
        let Source::Dns(dns) = &self.source else { return };
        let most = if dns.patience.hears() { dns.settings.concurrency } else { FLIGHTS_WHILE_SILENT };
        for address in addresses {
            if dns.flights().len() >= most {
                return;
            }
            let Ok(permit) = Arc::clone(&dns.room).try_acquire_owned() else { return };
            self.board(dns, *address, None, Some(permit));
        }
    }

    /// What is known of a field's text.
    fn known(&self, text: &str) -> Known {
        let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
        match (&self.source, address) {
            (Source::Fake, Ok(address)) => Known::Answer(Answer::for_ever(Some(fake::name_of_address(address)))),
            (Source::Fake, Err(_)) => match fake::name_of_host(text) {
                Some(name) => Known::Answer(Answer::for_ever(Some(name))),
                None => Known::Nothing,
            },
            (_, Err(_)) => Known::Nothing,
            (Source::Table(names), Ok(address)) => {
                Known::Answer(Answer::for_ever(names.get(&address).cloned().flatten()))
            }
            (Source::Dns(dns), Ok(address)) if dns.skips(address) => {
                self.counts.skipped.add(1);
                Known::Nothing
            }
            (Source::Dns(dns), Ok(address)) => match dns.cache.get(&address) {
                Some(answer) => Known::Answer(answer),
                None => Known::Unknown(address),
            },
        }
    }

    /// Joins or begins the query for an address, once there is room for it.
    async fn ask(self: &Arc<Self>, dns: &Dns, address: IpAddr, tell: &Told) {
        if !self.board(dns, address, Some(tell), None) {
            let permit = Arc::clone(&dns.room).acquire_owned().await.expect("the semaphore is never closed");
            self.board(dns, address, Some(tell), Some(permit));
        }
    }

    /// Sees to it that `tell` hears of the answer: it is there, its query is in flight, or one begins where there is a permit.
    fn board(
        self: &Arc<Self>,
        dns: &Dns,
        address: IpAddr,
        tell: Option<&Told>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> bool {
        let mut flights = dns.flights();
        if let Some(waiting) = flights.get_mut(&address) {
            waiting.extend(tell.cloned());
            return true;
        }
        // An answer is in the cache before its flight ends.
        if let Some(answer) = dns.cache.get(&address) {
            // Fails only when the batch has stopped waiting.
            let _ = tell.map(|tell| tell.send((address, answer)));
            return true;
        }
        let Some(permit) = permit else { return false };
        flights.insert(address, tell.cloned().into_iter().collect());
        drop(flights);
        let this = Arc::clone(self);
        dns.runtime.spawn(async move {
            this.fly(address).await;
            drop(permit);
        });
        true
    }

    async fn fly(&self, address: IpAddr) {
        let Source::Dns(dns) = &self.source else { return };
        let started = Instant::now();
        let found = dns.client.name_of(address).await;
        let answer = dns.answer(&found);
        self.counts.query(&found);
        match found {
            Found::Timeout => dns.patience.timed_out(),
            _ if dns.patience.is_in_time(started.elapsed()) => dns.patience.answered_in_time(),
            _ => dns.patience.answered_late(),
        }
        dns.cache.insert(address, answer.clone());
        let waiting = dns.flights().remove(&address).unwrap_or_default();
        for tell in waiting {
            // Fails only when the batch has stopped waiting.
            let _ = tell.send((address, answer.clone()));
        }
    }
}

impl Dns {
    fn skips(&self, address: IpAddr) -> bool {
        self.settings.private == PrivateAddresses::Skip
            && self.settings.private_ranges.iter().any(|range| range.contains(address))
    }

    /// How long what was found holds.
    fn answer(&self, found: &Found) -> Answer {
        let ReverseDnsConfig { ttl_min, ttl_max, negative_ttl, .. } = self.settings;
        match found {
            Found::Name { name, ttl } => Answer::lasting(Some(Arc::clone(name)), (*ttl).clamp(ttl_min, ttl_max)),
            Found::NoName | Found::Unfit => Answer::lasting(None, negative_ttl),
            Found::Failed | Found::Timeout => Answer::lasting(None, FAILED_FOR.min(negative_ttl)),
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Told>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
