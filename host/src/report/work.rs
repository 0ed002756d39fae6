//! What plugins did, of one of them or of all in a lane.

use std::collections::BTreeMap;

use serde::Serialize;
use wasmill_engine::Cost;

/// Codes that are counted by plugin or lane; what has others is counted as [`OTHER_CODES`].
const CODES_MAX: usize = 100;
/// What codes beyond the limit are counted as.
pub const OTHER_CODES: &str = "other";

/// The work of plugins.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Work {
    /// Calls, with those repeated to find a guilty event.
    pub calls: u64,
    /// Fuel: about one per WebAssembly instruction.
    pub fuel: u64,
    /// Time.
    pub seconds: f64,
    /// Calls that failed.
    pub traps: u64,
    /// The same by what went wrong.
    pub faults: BTreeMap<&'static str, u64>,
    /// Instances that were made.
    pub instances: u64,
    /// Bytes that calls were handed.
    pub bytes_in: u64,
    /// Bytes that they answered with.
    pub bytes_out: u64,
}

impl Work {
    pub(super) fn add(&mut self, cost: &Cost) {
        self.calls += cost.calls;
        self.fuel += cost.fuel;
        self.seconds += cost.nanos as f64 / 1e9;
        self.traps += cost.faults.total();
        for (code, count) in cost.faults.by_code() {
            *self.faults.entry(code).or_default() += count;
        }
        self.instances += cost.instances;
        self.bytes_in += cost.bytes_in;
        self.bytes_out += cost.bytes_out;
    }
}

/// Counts a code so many times. There may be any number of codes: a plugin may make them of what it reads.
pub(super) fn count_code(codes: &mut BTreeMap<String, u64>, code: &str, times: u64) {
    let is_known = codes.len() < CODES_MAX || codes.contains_key(code);
    let code = if is_known { code } else { OTHER_CODES };
    match codes.get_mut(code) {
        Some(count) => *count += times,
        None => drop(codes.insert(code.to_owned(), times)),
    }
}
