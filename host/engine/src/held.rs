//! Which limits held, and how often.

/// Makes [`Limit`] from the settings that can hold while a plugin runs.
macro_rules! limits {
    ($($limit:ident = $setting:ident: $what:literal),* $(,)?) => {
        /// A limit that can hold while a plugin runs; those of its load refuse it instead.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit {
            $(#[doc = concat!("`limits.", stringify!($setting), "`: ", $what, ".")] $limit,)*
        }

        impl Limit {
            /// Every one.
            pub const ALL: [Self; [$(Self::$limit),*].len()] = [$(Self::$limit),*];

            /// The name of its setting.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$limit => stringify!($setting),)*
                }
            }
        }
    };
}

limits! {
    FuelPerEvent = fuel_per_event: "calls that burned all their fuel",
    MemoryBytes = memory_bytes: "calls in which a memory could not grow",
    TableElements = table_elements: "calls in which a table could not grow",
    OutputBytes = output_bytes: "calls that handed over too much",
    FieldBytes = field_bytes: "calls that wrote too long a value or text",
    ReasonBytes = reason_bytes: "reasons that were cut",
    AlertsPerEvent = alerts_per_event: "calls that raised too many alerts about an event",
    LabelsPerAlert = labels_per_alert: "calls that put too many labels on an alert",
    LogLines = log_lines: "lines that a batch had no room for",
    LogLinesPerSecond = log_lines_per_second: "lines that a second had no room for",
    LogLineBytes = log_line_bytes: "lines that were cut",
    Resources = resources: "calls that held too many handles",
    StateBytes = state_bytes: "keys that had to go because the state was full",
    StateValueBytes = state_value_bytes: "calls that stored too long a value",
    StateKeyBytes = state_key_bytes: "calls that asked for too long a key",
    SlowBatchMs = slow_batch_ms: "batches that were slow",
    StuckBatchMs = stuck_batch_ms: "batches that were stuck, for which the lane paused",
}

/// How often each limit held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held([u64; Limit::ALL.len()]);

impl Held {
    /// How often `limit` held.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Those that held, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().zip(self.0).filter(|(_, times)| *times > 0)
    }

    /// Counts `limit` so many times.
    pub(crate) fn count(&mut self, limit: Limit, times: u64) {
        self.0[limit as usize] += times;
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(times, more)| *times += more);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::limits::Limits;

    #[test]
    fn every_setting_holds_while_a_plugin_runs_or_is_known_not_to() {
        // The load is refused: `Reason::cause` names them.
        let others = ["fuel_configure", "component_bytes"];
        let Value::Object(settings) = serde_json::to_value(Limits::default()).unwrap() else { panic!("an object") };
        let mut names: Vec<&str> = Limit::ALL.iter().map(|limit| limit.name()).chain(others).collect();
        let mut expected: Vec<&str> = settings.keys().map(String::as_str).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn counts_go_by_limit() {
        let (mut held, mut more) = (Held::default(), Held::default());
        held.count(Limit::LogLines, 2);
        more.count(Limit::LogLines, 3);
        more.count(Limit::SlowBatchMs, 1);
        held.add(&more);
        assert_eq!(held.iter().collect::<Vec<_>>(), [(Limit::LogLines, 5), (Limit::SlowBatchMs, 1)]);
        assert_eq!(held.of(Limit::MemoryBytes), 0);
    }
}
