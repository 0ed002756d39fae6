//! What one plugin may use. Every limit is for one call, whatever the number of events in it: a call that passes a limit
//! is split, and an event that passes it alone is rejected. So no limit makes a result depend on where a batch was cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most elements that the tables of one instance may be allowed, whatever [`Limits::table_elements`] says.
pub const TABLE_ELEMENTS_CEILING: usize = 65_536;
/// The most bytes that the memories of one instance may be allowed, whatever [`Limits::memory_bytes`] says.
pub const MEMORY_BYTES_CEILING: usize = 4 << 30;

/// The limits of one plugin. A setting that is absent has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Fuel (about one WebAssembly instruction each) that one event may burn. Also what one call gets: events share a call as
    /// long as they need no more together. Default 20 000 000, some 10 ms.
    pub fuel_per_event: u64,
    /// Fuel that `configure` may burn. Default 2 000 000 000, some seconds.
    pub fuel_configure: u64,
    /// Bytes of all linear memories of an instance together. Default 64 MiB, at most 4 GiB.
    pub memory_bytes: usize,
    /// Elements of all tables of an instance together. Default 20 000, at most 65 536.
    pub table_elements: usize,
    /// Bytes that one answer, or one log line, may make the host copy. Default 16 MiB.
    pub output_bytes: usize,
    /// Bytes of one written value, or of one text of an alert. Default 64 KiB.
    pub field_bytes: usize,
    /// Bytes of a rejection's reason; what is longer is cut. Default 1 KiB.
    pub reason_bytes: usize,
    /// Alerts about one event. Default 16.
    pub alerts_per_event: usize,
    /// Labels of one alert. Default 16.
    pub labels_per_alert: usize,
    /// Log lines of one batch; what is more is counted only. Default 20.
    pub log_lines: u32,
    /// Log lines of a second, over all batches; what is more is counted only. Default 100.
    pub log_lines_per_second: u32,
    /// Bytes of one log line; what is longer is cut. Default 1 KiB.
    pub log_line_bytes: usize,
    /// Handles that an instance may hold at once, such as streams. Default 256.
    pub resources: usize,
    /// Bytes of a plugin's state in one partition: its keys, its values and 64 for each key. When it is full the keys that were written
    /// longest ago go, a sixteenth of all at once. Default 16 MiB.
    pub state_bytes: usize,
    /// Bytes of one value of the state. Default 64 KiB.
    pub state_value_bytes: usize,
    /// Bytes of one key of the state. Default 1 KiB.
    pub state_key_bytes: usize,
    /// Bytes of the plugin's file. Default 16 MiB.
    pub component_bytes: usize,
    /// Milliseconds after which a batch in this plugin counts as slow: it is reported, and rejects nothing.
    /// Default 1 000.
    pub slow_batch_ms: u64,
    /// Milliseconds after which a batch in this plugin counts as stuck: its lane pauses and says so, nothing of the batch is stored,
    /// and no event is rejected. Default 120 000.
    pub stuck_batch_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_per_event: 20_000_000,
            fuel_configure: 2_000_000_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            output_bytes: 16 << 20,
            field_bytes: 64 << 10,
            reason_bytes: 1 << 10,
            alerts_per_event: 16,
            labels_per_alert: 16,
            log_lines: 20,
            log_lines_per_second: 100,
            log_line_bytes: 1 << 10,
            resources: 256,
            state_bytes: 16 << 20,
            state_value_bytes: 64 << 10,
            state_key_bytes: 1 << 10,
            component_bytes: 16 << 20,
            slow_batch_ms: 1_000,
            stuck_batch_ms: 120_000,
        }
    }
}

impl Limits {
    /// These limits with the default wherever a setting has no part in compiling and configuring: what compiled code may be shared
    /// by.
    pub(crate) fn of_preparing(&self) -> Self {
        let Self { fuel_per_event, field_bytes, reason_bytes, alerts_per_event, labels_per_alert, .. } =
            Self::default();
        let Self { state_bytes, state_value_bytes, state_key_bytes, .. } = Self::default();
        let Self { log_lines_per_second, component_bytes, slow_batch_ms, stuck_batch_ms, .. } = Self::default();
        Self {
            fuel_per_event,
            field_bytes,
            reason_bytes,
            alerts_per_event,
            labels_per_alert,
            state_bytes,
            state_value_bytes,
            state_key_bytes,
            log_lines_per_second,
            component_bytes,
            slow_batch_ms,
            stuck_batch_ms,
            ..self.clone()
        }
    }

    /// Fuel of a call that only tries the plugin out: no more than its load may burn.
    pub(crate) fn fuel_on_trial(&self) -> u64 {
        self.fuel_per_event.min(self.fuel_configure)
    }

    /// Whether the engine can hold to these limits.
    ///
    /// # Errors
    /// A sentence that names the setting which asks for more than the engine can give.
    pub fn check(&self) -> Result<(), String> {
        if self.memory_bytes > MEMORY_BYTES_CEILING {
            return Err(format!("limits.memory_bytes is {}; set at most {MEMORY_BYTES_CEILING}", self.memory_bytes));
        }
        if self.table_elements > TABLE_ELEMENTS_CEILING {
            return Err(format!(
                "limits.table_elements is {}; set at most {TABLE_ELEMENTS_CEILING}",
                self.table_elements
            ));
        }
        Ok(())
    }
}

/// Makes [`Ceilings`], which has the keys of [`Limits`].
macro_rules! ceilings {
    ($($limit:ident: $number:ty),* $(,)?) => {
        /// The most that limits of plugins may be, as the operator of a pipeline says. One that is absent has no ceiling but that of
        /// the engine.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Ceilings {
            $(
                #[doc = concat!("The most that `limits.", stringify!($limit), "` of a plugin may be.")]
                pub $limit: Option<$number>,
            )*
        }

        impl Ceilings {
            /// The limits that are above their ceilings: name, limit and ceiling.
            pub fn passed(&self, limits: &Limits) -> Vec<(&'static str, u64, u64)> {
                let mut passed = Vec::new();
                $(
                    if let Some(most) = self.$limit.filter(|most| limits.$limit > *most) {
                        passed.push((stringify!($limit), limits.$limit as u64, most as u64));
                    }
                )*
                passed
            }

            /// The limits, none above its ceiling.
            pub fn lower(&self, limits: Limits) -> Limits {
                Limits { $($limit: self.$limit.map_or(limits.$limit, |most| limits.$limit.min(most)),)* }
            }
        }
    };
}

ceilings! {
    fuel_per_event: u64,
    fuel_configure: u64,
    memory_bytes: usize,
    table_elements: usize,
    output_bytes: usize,
    field_bytes: usize,
    reason_bytes: usize,
    alerts_per_event: usize,
    labels_per_alert: usize,
    log_lines: u32,
    log_lines_per_second: u32,
    log_line_bytes: usize,
    resources: usize,
    state_bytes: usize,
    state_value_bytes: usize,
    state_key_bytes: usize,
    component_bytes: usize,
    slow_batch_ms: u64,
    stuck_batch_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_held_at_the_limit_and_one_above() {
        let at =
            Limits { memory_bytes: MEMORY_BYTES_CEILING, table_elements: TABLE_ELEMENTS_CEILING, ..Limits::default() };
        assert_eq!(at.check(), Ok(()));
        let memory = Limits { memory_bytes: MEMORY_BYTES_CEILING + 1, ..Limits::default() };
        assert!(memory.check().unwrap_err().contains("memory_bytes"));
        let tables = Limits { table_elements: TABLE_ELEMENTS_CEILING + 1, ..Limits::default() };
        assert!(tables.check().unwrap_err().contains("table_elements"));
    }

    #[test]
    fn ceiling_of_an_operator_holds_at_the_limit_and_one_above() {
        let ceilings: Ceilings = serde_json::from_str(r#"{"memory_bytes": 1000, "log_lines": 5}"#).unwrap();
        let limits = |memory_bytes, log_lines| Limits { memory_bytes, log_lines, ..Limits::default() };
        assert_eq!(ceilings.passed(&limits(1_000, 5)), []);
        assert_eq!(ceilings.passed(&limits(1_001, 6)), [("memory_bytes", 1_001, 1_000), ("log_lines", 6, 5)]);
        assert_eq!(ceilings.lower(limits(1_001, 4)), limits(1_000, 4));
        assert_eq!(Ceilings::default().lower(limits(1_001, 4)), limits(1_001, 4));
        assert!(serde_json::from_str::<Ceilings>(r#"{"fuel": 1}"#).is_err());
    }

    #[test]
    fn unknown_limits_are_refused_and_absent_ones_have_defaults() {
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::default());
        assert!(serde_json::from_str::<Limits>(r#"{"fuel": 1}"#).is_err());
    }
}
