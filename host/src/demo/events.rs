//! Log events as a security team gets them, a pure function of seed and number; a small share of them is hostile.
//!
//! The same seed gives the same bytes anywhere, so two runs of the demo can be compared row by row, and a test can ask
//! for any event, and whether it is hostile, by its number.

mod hostile;
mod json;

pub use hostile::Hostile;

/// Nesting of the deepest hostile event: a reader that recurses overflows its stack.
pub const NESTING: usize = 50_000;

/// The time of event 0: 2026-01-01T00:00:00Z, milliseconds since 1970.
pub const FIRST_MS: i64 = 1_767_225_600_000;

/// The time between two events, in milliseconds.
pub const STEP_MS: i64 = 7;

const SEVERITIES: [&str; 8] = ["INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR", "CRITICAL"];
const SERVICES: [&str; 6] = ["auth-gateway", "payments-api", "file-server", "mail-relay", "vpn-edge", "build-runner"];
const USERS: [&str; 8] = ["ann", "bo", "chidi", "dana", "emre", "fatou", "root", "svc-backup"];
const TAGS: [&str; 6] = ["linux", "windows", "edge", "pci", "eu-west", "canary"];
const MESSAGES: [&str; 8] = [
    "login succeeded for interactive session",
    "login failed: bad password, 3 attempts left",
    "outbound connection to an address never seen before",
    "privilege escalation through sudo recorded",
    "file checksum differs from the baseline",
    "request served from the upstream cache",
    "token refreshed before its expiry",
    "process started with an unsigned binary",
];
const STATUSES: [u64; 8] = [200, 200, 200, 200, 201, 401, 403, 500];

/// One event, as it goes into Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The key: the tenant.
    pub key: Vec<u8>,
    /// The payload; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The record's time, milliseconds since 1970.
    pub time_ms: i64,
}

/// Makes the events of one seed.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    seed: u64,
    /// Of 2^32.
    hostile_share: u64,
}

impl Events {
    /// Events of a seed, of which `hostile_percent` (0 to 100) are hostile.
    pub fn new(seed: u64, hostile_percent: f64) -> Self {
        let share = (hostile_percent.clamp(0.0, 100.0) / 100.0 * f64::from(u32::MAX)).round() as u64;
        Self { seed, hostile_share: share + u64::from(share == u64::from(u32::MAX)) }
    }

    /// What is wrong with event `index`; `None`: nothing.
    pub fn hostile(&self, index: u64) -> Option<Hostile> {
        let mut dice = Dice::new(self.seed ^ 0xbad_c0de, index);
        (dice.roll() >> 32 < self.hostile_share).then(|| *dice.pick(&Hostile::ALL))
    }

    /// Event `index`.
    pub fn event(&self, index: u64) -> Event {
        let mut event = Event::default();
        self.fill(index, &mut event);
        event
    }

    /// Event `index`, into the memory of an earlier one.
    pub fn fill(&self, index: u64, event: &mut Event) {
        let mut dice = Dice::new(self.seed, index);
        let tenant = dice.below(40);
        event.time_ms = FIRST_MS + STEP_MS * i64::try_from(index).unwrap_or(i64::MAX / STEP_MS / 2);
        event.key.clear();
        event.key.extend_from_slice(b"tenant-");
        json::digits(&mut event.key, tenant);
        event.headers.clear();
        event.headers.push(("collector", b"edge-1".to_vec()));
        let mut payload = event.payload.take().unwrap_or_default();
        payload.clear();
        object(&mut payload, &mut dice, index, tenant, event.time_ms);
        event.payload = Some(payload);
        if let Some(hostile) = self.hostile(index) {
            hostile.spoil(event);
        }
    }
}

/// Some 330 bytes.
fn object(out: &mut Vec<u8>, dice: &mut Dice, index: u64, tenant: u64, time_ms: i64) {
    out.extend_from_slice(b"{\"id\":\"");
    json::hex(out, dice.roll(), 16);
    out.push(b'-');
    json::hex(out, index, 12);
    out.extend_from_slice(b"\",\"timestamp\":\"");
    json::time(out, time_ms);
    out.extend_from_slice(b"\",\"severity\":\"");
    out.extend_from_slice(dice.pick(&SEVERITIES).as_bytes());
    out.extend_from_slice(b"\",\"source\":{\"ip\":\"10.");
    json::digits(out, dice.below(4));
    out.push(b'.');
    json::digits(out, dice.below(256));
    out.push(b'.');
    json::digits(out, 1 + dice.below(254));
    out.extend_from_slice(b"\",\"host\":\"web-");
    json::digits(out, dice.below(64));
    out.extend_from_slice(b"\"},\"service\":\"");
    out.extend_from_slice(dice.pick(&SERVICES).as_bytes());
    out.extend_from_slice(b"\",\"tenant_id\":\"tenant-");
    json::digits(out, tenant);
    out.extend_from_slice(b"\",\"message\":\"");
    out.extend_from_slice(dice.pick(&MESSAGES).as_bytes());
    out.extend_from_slice(b"\",\"status\":");
    json::digits(out, *dice.pick(&STATUSES));
    out.extend_from_slice(b",\"latency_ms\":");
    json::digits(out, dice.below(900));
    out.push(b'.');
    json::digits(out, dice.below(10));
    out.extend_from_slice(b",\"user\":\"");
    out.extend_from_slice(dice.pick(&USERS).as_bytes());
    out.extend_from_slice(b"\",\"tags\":[\"");
    out.extend_from_slice(dice.pick(&TAGS).as_bytes());
    out.extend_from_slice(b"\",\"");
    out.extend_from_slice(dice.pick(&TAGS).as_bytes());
    out.extend_from_slice(b"\"]}");
}

/// Random numbers of one event: splitmix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn new(seed: u64, index: u64) -> Self {
        let mut dice = Self(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((self.roll() >> 32) * limit) >> 32
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn an_event_depends_on_seed_and_number_only() {
        let events = Events::new(7, 1.0);
        let mut reused = Event::default();
        for index in (0..500).rev() {
            events.fill(index, &mut reused);
            assert_eq!(reused, events.event(index));
        }
        assert_ne!(events.event(3), Events::new(8, 1.0).event(3));
        assert_ne!(events.event(3), events.event(4));
    }

    #[test]
    fn harmless_events_are_json_objects_of_some_330_bytes() {
        let events = Events::new(1, 0.0);
        let sizes: Vec<usize> = (0..1_000)
            .map(|index| {
                let payload = events.event(index).payload.expect("no tombstone");
                let value: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
                assert!(value["source"]["ip"].is_string() && value["status"].is_u64() && value["tags"].is_array());
                payload.len()
            })
            .collect();
        assert!(sizes.iter().all(|size| (280..=380).contains(size)), "{:?}", sizes.iter().max());
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((310..=350).contains(&mean), "{mean}");
    }

    #[test]
    fn the_asked_share_is_hostile_and_every_kind_comes() {
        let events = Events::new(7, 1.0);
        let mut kinds: HashMap<Hostile, u32> = HashMap::new();
        for index in 0..200_000 {
            if let Some(kind) = events.hostile(index) {
                *kinds.entry(kind).or_default() += 1;
            }
        }
        let count: u32 = kinds.values().sum();
        assert!((1_800..=2_200).contains(&count), "{count}");
        assert_eq!(kinds.len(), Hostile::ALL.len());
    }

    #[test]
    fn a_share_of_none_and_of_all_is_exact() {
        assert!((0..10_000).all(|index| Events::new(7, 0.0).hostile(index).is_none()));
        assert!((0..10_000).all(|index| Events::new(7, 100.0).hostile(index).is_some()));
    }
}
