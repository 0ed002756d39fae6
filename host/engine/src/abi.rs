//! The interface's types as they cross, see `wit/plugin.wit`. Lists of numbers cross as one copy of memory.

use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum FieldKind {
    #[component(name = "text")]
    Text,
    #[component(name = "integer")]
    Integer,
    #[component(name = "float")]
    Float,
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "json")]
    Json,
    #[component(name = "raw")]
    Raw,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Lookup {
    #[component(name = "reverse-dns")]
    ReverseDns,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(record)]
pub(crate) struct Field {
    pub(crate) path: String,
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    pub(crate) lookup: Option<Lookup>,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(record)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) reads: Vec<Field>,
    pub(crate) writes: Vec<Field>,
    pub(crate) state: Option<StateSchema>,
}

#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(record)]
pub(crate) struct StateSchema {
    pub(crate) version: u32,
}

/// A batch as it goes to a guest.
#[derive(ComponentType, Lower, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct Batch<'a> {
    pub(crate) events: u32,
    pub(crate) fields: u32,
    pub(crate) text: &'a [u8],
    pub(crate) slots: &'a [u64],
    pub(crate) states: &'a [u64],
    pub(crate) times: &'a [i64],
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Rejection {
    pub(crate) event: u32,
    pub(crate) code: String,
    pub(crate) reason: String,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Verdicts {
    pub(crate) actions: Vec<u8>,
    pub(crate) rejections: Vec<Rejection>,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Columns {
    pub(crate) text: Vec<u8>,
    pub(crate) slots: Vec<u64>,
    pub(crate) states: Vec<u64>,
}

#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting only")]
pub(crate) enum Severity {
    #[component(name = "info")]
    Info,
    #[component(name = "warning")]
    Warning,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Alert {
    pub(crate) event: u32,
    pub(crate) rule: String,
    pub(crate) key: String,
    pub(crate) severity: Severity,
    pub(crate) summary: String,
    pub(crate) labels: Vec<Label>,
}

#[derive(ComponentType, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Evaluation {
    pub(crate) alerts: Vec<Alert>,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl Batch<'_> {
    /// Bytes that cross.
    pub(crate) fn bytes(&self) -> usize {
        let Self { text, slots, states, times, .. } = *self;
        text.len() + size_of_val(slots) + size_of_val(states) + size_of_val(times)
    }
}

impl Verdicts {
    /// Bytes that crossed.
    pub(crate) fn bytes(&self) -> usize {
        let of_one = |rejection: &Rejection| size_of::<u32>() + rejection.code.len() + rejection.reason.len();
        self.actions.len() + self.rejections.iter().map(of_one).sum::<usize>()
    }
}

impl Columns {
    /// Bytes that crossed.
    pub(crate) fn bytes(&self) -> usize {
        let Self { text, slots, states } = self;
        text.len() + size_of_val(slots.as_slice()) + size_of_val(states.as_slice())
    }
}

impl Evaluation {
    /// Bytes that crossed.
    pub(crate) fn bytes(&self) -> usize {
        let of_label = |label: &Label| label.name.len() + label.value.len();
        let of_one = |alert: &Alert| {
            let Alert { rule, key, summary, labels, .. } = alert;
            let texts = rule.len() + key.len() + summary.len();
            size_of::<u32>() + size_of::<u8>() + texts + labels.iter().map(of_label).sum::<usize>()
        };
        self.alerts.iter().map(of_one).sum()
    }
}
