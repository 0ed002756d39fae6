//! The component's side of the boundary: bindings, and from them to the SDK's own types.

use crate::alert::{Alert, Evaluation, Severity};
use crate::batch::{Batch, Lists};
use crate::field::{Field, Kind, Lookup};
use crate::libc;
use crate::log::Level;
use crate::plugin::{Alerter, Enricher, Loaded, Manifest, Plugin, Validator};
use crate::state::{DueKeys, Values, Writes};
use crate::verdict::Verdicts;
use bindings::shared::wasmill::plugin::{log as host_log, state as host_state, types};

/// What `wit-bindgen` makes of `wit/`: the types once, and the exports of each kind.
#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all, reason = "generated")]
pub mod bindings {
    pub mod shared {
        wit_bindgen::generate!({
            path: "../wit",
            inline: "package wasmill:sdk; world shared { import wasmill:plugin/types@0.1.0; import wasmill:plugin/log@0.1.0; import wasmill:plugin/state@0.1.0; }",
            generate_all,
        });
    }

    // One world per exported interface: the component is their union, whatever its kind.
    macro_rules! export {
        ($module:ident, $world:literal) => {
            pub mod $module {
                wit_bindgen::generate!({
                    path: "../wit",
                    inline: $world,
                    pub_export_macro: true,
                    with: { "wasmill:plugin/types@0.1.0": super::shared::wasmill::plugin::types },
                });
            }
        };
    }

    export!(plugin, "package wasmill:sdk; world exports-plugin { export wasmill:plugin/plugin@0.1.0; }");
    export!(validator, "package wasmill:sdk; world exports-validator { export wasmill:plugin/validator@0.1.0; }");
    export!(enricher, "package wasmill:sdk; world exports-enricher { export wasmill:plugin/enricher@0.1.0; }");
    export!(alerter, "package wasmill:sdk; world exports-alerter { export wasmill:plugin/alerter@0.1.0; }");
}

/// What the exports call: `P`'s functions, behind the boundary's types.
pub struct Exported<P>(std::marker::PhantomData<P>);

impl<P: Plugin> bindings::plugin::exports::wasmill::plugin::plugin::Guest for Exported<P> {
    fn configure(config: String) -> Result<types::Manifest, String> {
        answered(configure::<P>(&config))
    }
}

impl<P: Validator> bindings::validator::exports::wasmill::plugin::validator::Guest for Exported<P> {
    fn validate(batch: types::Batch) -> types::Verdicts {
        let plugin = loaded::<P>();
        answered(verdicts_out(plugin.validate(&batch_in(plugin, batch))))
    }
}

impl<P: Enricher> bindings::enricher::exports::wasmill::plugin::enricher::Guest for Exported<P> {
    fn enrich(batch: types::Batch) -> types::Columns {
        let plugin = loaded::<P>();
        let crate::Columns { text, slots, states } = plugin.enrich(&batch_in(plugin, batch));
        answered(types::Columns { text, slots, states })
    }
}

impl<P: Alerter> bindings::alerter::exports::wasmill::plugin::alerter::Guest for Exported<P> {
    fn evaluate(batch: types::Batch) -> types::Evaluation {
        let plugin = loaded::<P>();
        answered(evaluation_out(plugin.evaluate(&batch_in(plugin, batch))))
    }
}

/// A line to the host's log.
pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Trace => types::Level::Trace,
        Level::Debug => types::Level::Debug,
        Level::Info => types::Level::Info,
        Level::Warn => types::Level::Warn,
        Level::Error => types::Level::Error,
    };
    host_log::log(level, line);
}

/// The host's state. A component whose plugin does not ask it does not import it.
#[derive(Debug, Default)]
pub struct Host;

impl Host {
    pub(crate) fn clocks(&self) -> Vec<i64> {
        host_state::clocks()
    }

    pub(crate) fn fetch(&self, keys: &[u8], ends: &[u32]) -> Values {
        values_in(host_state::fetch(keys, ends))
    }

    pub(crate) fn due(&self, until: i64, limit: u32) -> DueKeys {
        let host_state::DueKeys { keys, ends, values } = host_state::due(until, limit);
        DueKeys { keys, ends, values: values_in(values) }
    }

    pub(crate) fn store(&self, writes: &Writes) {
        let Writes { keys, events, values, peaks } = writes;
        host_state::store(keys, events, &values.bytes, &values.ends, &values.expires, &values.wakes, peaks);
    }
}

fn values_in(values: host_state::Values) -> Values {
    let host_state::Values { bytes, ends, expires, wakes } = values;
    Values { bytes, ends, expires, wakes }
}

/// Memory that a large batch takes, with its answer.
const BATCH_BYTES: usize = 1 << 20;

fn configure<P: Plugin>(config: &str) -> Result<types::Manifest, String> {
    libc::reserve(BATCH_BYTES);
    // A trap carries no text: the message and its place go to the log before it.
    std::panic::set_hook(Box::new(|panic| {
        libc::end_line();
        log(Level::Error, &panic.to_string());
    }));
    let loaded = Loaded::<P>::configure(config)?;
    let manifest = manifest_out(loaded.manifest());
    match P::place().set(loaded) {
        true => Ok(manifest),
        false => Err("the plugin is configured already; a new config takes a new instance".to_owned()),
    }
}

/// The end of a call: nothing that was printed waits for another, which is in another instance.
fn answered<T>(answer: T) -> T {
    libc::end_line();
    answer
}

fn loaded<P: Plugin>() -> &'static Loaded<P> {
    P::place().get().expect("the host calls `configure` before it sends a batch")
}

fn batch_in<P: Plugin>(plugin: &Loaded<P>, batch: types::Batch) -> Batch {
    let types::Batch { events, fields, text, slots, states, times } = batch;
    assert!(events as usize == times.len() && fields as usize == plugin.read_kinds().len(), "a malformed batch");
    Batch::from_host(plugin.read_kinds().to_vec(), Lists { text, slots, states, times })
}

fn verdicts_out(verdicts: Verdicts) -> types::Verdicts {
    let rejections = verdicts.rejections.into_iter().map(|(event, rejection)| types::Rejection {
        event,
        code: rejection.code.into_owned(),
        reason: rejection.reason.into_owned(),
    });
    types::Verdicts { actions: verdicts.actions, rejections: rejections.collect() }
}

fn evaluation_out(evaluation: Evaluation) -> types::Evaluation {
    types::Evaluation { alerts: evaluation.alerts.into_iter().map(alert_out).collect() }
}

fn alert_out((event, alert): (u32, Alert)) -> types::Alert {
    let Alert { rule, key, severity, summary, labels } = alert;
    let severity = match severity {
        Severity::Info => types::Severity::Info,
        Severity::Warning => types::Severity::Warning,
        Severity::Error => types::Severity::Error,
        Severity::Critical => types::Severity::Critical,
    };
    let labels = labels.into_iter().map(|(name, value)| types::Label { name, value }).collect();
    types::Alert { event, rule, key, severity, summary, labels }
}

fn manifest_out(manifest: &Manifest) -> types::Manifest {
    types::Manifest {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        reads: fields_out(&manifest.reads),
        writes: fields_out(&manifest.writes),
        state: manifest.state.map(|version| types::StateSchema { version }),
    }
}

/// One by one: `collect` makes a function of its own, with a name of 300 bytes.
fn fields_out(fields: &[Field]) -> Vec<types::Field> {
    let mut out = Vec::new();
    for field in fields {
        out.push(field_out(field));
    }
    out
}

fn field_out(field: &Field) -> types::Field {
    let kind = match field.kind {
        Kind::Text => types::FieldKind::Text,
        Kind::Integer => types::FieldKind::Integer,
        Kind::Float => types::FieldKind::Float,
        Kind::Boolean => types::FieldKind::Boolean,
        Kind::Json => types::FieldKind::Json,
        Kind::Raw => types::FieldKind::Raw,
    };
    let lookup = field.lookup.map(|lookup| match lookup {
        Lookup::ReverseDns => types::Lookup::ReverseDns,
    });
    types::Field { path: field.path.to_string(), kind, required: field.required, lookup }
}
