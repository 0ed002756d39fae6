//! From a plugin's bytes to compiled code that is ready to run: configure it once, freeze what it then holds into the component
//! itself, and prove that the frozen one answers as the configured one does. Where that cannot be done, the code stays as it is
//! and every instance is configured. Runs in the compile child.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmill_core::Digest;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::abi;
use crate::contract::{self, Contract, Kinds};
use crate::error::Reason;
use crate::fault::Fault;
use crate::guest::Guest;
use crate::guest_log::Said;
use crate::instance::{Instance, NoInstance, Template, check_signatures};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::state::call::{self, StateCall};
use crate::{settings, snapshot, wasi};

/// What to prepare, beside the component's bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) digest: Digest,
    pub(crate) config: String,
    pub(crate) limits: Limits,
}

/// What came of it, beside the compiled code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) manifest: abi::Manifest,
    pub(crate) kinds: Kinds,
    /// Why instances are configured one by one; `None` where the code is pre-initialised.
    pub(crate) not_frozen: Option<String>,
    /// What the plugin said in `configure`.
    pub(crate) said: Said,
}

/// A host's functions for every component, measured where there is a meter.
///
/// # Errors
/// None that a plugin can cause.
pub(crate) fn linker(engine: &Engine, meter: Option<&Arc<Meter>>) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    wasi::link_log(&mut linker, &contract::interface("log"), meter)?;
    call::link(&mut linker, &contract::interface("state"), meter)?;
    Ok(linker)
}

/// Makes compiled code of `bytes`, pre-initialised if that can be.
///
/// # Errors
/// Why the plugin is refused.
pub(crate) fn prepare(request: &Request, bytes: &[u8]) -> Result<(Prepared, Vec<u8>), Reason> {
    contract::check_header(bytes)?;
    match frozen(request, bytes) {
        Ok(done) => Ok(done),
        Err(NotFrozen::Refused(reason)) => Err(reason),
        Err(NotFrozen::Because(why)) => as_it_is(request, bytes, why),
    }
}

/// A plugin that `configure` has been called on.
struct Configured {
    template: Template,
    instance: Instance,
    manifest: abi::Manifest,
    said: Said,
}

impl Configured {
    fn prepared(self, not_frozen: Option<String>) -> Prepared {
        Prepared { manifest: self.manifest, kinds: self.template.contract.kinds, not_frozen, said: self.said }
    }
}

fn as_it_is(request: &Request, bytes: &[u8], why: String) -> Result<(Prepared, Vec<u8>), Reason> {
    let engine = settings::compiler().map_err(engine_trouble)?;
    let component = Component::new(&engine, bytes).map_err(|error| Reason::Invalid(sentence(&error)))?;
    let configured = configure(request, &engine, &component)?;
    let code = component.serialize().map_err(engine_trouble)?;
    Ok((configured.prepared(Some(why)), code))
}

/// Why there is no pre-initialised code.
enum NotFrozen {
    /// The plugin is refused.
    Refused(Reason),
    /// It cannot be pre-initialised, and may still run.
    Because(String),
}

impl From<Reason> for NotFrozen {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

fn frozen(request: &Request, bytes: &[u8]) -> Result<(Prepared, Vec<u8>), NotFrozen> {
    let because = |error: wasmtime::Error| NotFrozen::Because(sentence(&error));
    let probe = snapshot::Probe::new(bytes).map_err(because)?;
    let once = settings::once().map_err(engine_trouble)?;
    let component = Component::new(&once, probe.code()).map_err(because)?;
    let mut configured = configure(request, &once, &component)?;
    if !configured.instance.store.data().table.is_empty() {
        return Err(NotFrozen::Because("its configure keeps a stream open, as println! does".into()));
    }
    let code = probe.snapshot(&mut configured.instance).map_err(NotFrozen::Because)?;

    let engine = settings::compiler().map_err(engine_trouble)?;
    let component = Component::new(&engine, &code).map_err(because)?;
    let template = template(request, &engine, &component)?;
    try_out(&mut configured, &template).map_err(NotFrozen::Because)?;
    let code = component.serialize().map_err(engine_trouble)?;
    Ok((configured.prepared(None), code))
}

fn template(request: &Request, engine: &Engine, component: &Component) -> Result<Template, Reason> {
    let contract: Contract = contract::read(engine, component)?;
    let pre = linker(engine, None).map_err(engine_trouble)?.instantiate_pre(component);
    let pre = pre.map_err(|error| Reason::Invalid(sentence(&error)))?;
    Ok(Template { pre, contract, digest: request.digest, limits: request.limits.clone(), configure: None })
}

fn configure(request: &Request, engine: &Engine, component: &Component) -> Result<Configured, Reason> {
    let template = template(request, engine, component)?;
    let mut instance = Instance::bare(&template).map_err(|problem| match problem {
        NoInstance::Host(text) => Reason::Engine(text),
        NoInstance::Plugin(fault) => trapped(fault),
    })?;
    check_signatures(&mut instance, &template.contract).map_err(|name| Reason::OtherSignature(name.into()))?;
    let manifest = instance.configure(&template, &request.config).map_err(trapped)?;
    let manifest = manifest.map_err(|text| Reason::Configure(crate::guest_log::clean_lines(&text, 1000, 8)))?;
    let said = instance.said();
    Ok(Configured { template, instance, manifest, said })
}

/// Whether an instance of the frozen code answers two small batches as the configured instance does.
fn try_out(configured: &mut Configured, frozen: &Template) -> Result<(), String> {
    for events in [0, 2] {
        let batch = Sample::new(&configured.manifest, events);
        let expected = answers(&mut configured.instance, &configured.template, &batch);
        let mut instance = match Instance::new(frozen) {
            Ok(instance) => instance,
            Err(NoInstance::Host(text)) => return Err(text),
            Err(NoInstance::Plugin(fault)) => {
                return Err(format!("its pre-initialised code does not start: {}", fault.text));
            }
        };
        if answers(&mut instance, frozen, &batch) != expected {
            return Err("its pre-initialised code answers otherwise than after configure".into());
        }
    }
    Ok(())
}

type Answers = (
    Option<Result<abi::Verdicts, &'static str>>,
    Option<Result<abi::Columns, &'static str>>,
    Option<Result<abi::Evaluation, &'static str>>,
);

/// What each kind says to the batch; of a fault its code. After a fault an instance cannot be called again, so the first fault
/// ends the comparison, on both sides alike.
fn answers(instance: &mut Instance, template: &Template, sample: &Sample) -> Answers {
    let kinds = template.contract.kinds;
    // Of a plugin with state this is its only call; what another one asks for is refused on both sides alike.
    let times = sample.times.iter().map(|time| (*time, 0));
    let state = StateCall::new(Box::default(), times, &template.limits);
    instance.store.data_mut().state = sample.has_state.then(|| Box::new(state));
    let code = |fault: Fault| fault.code;
    let mut answers: Answers = (None, None, None);
    if kinds.validator {
        answers.0 = Some(instance.validate(template, template.limits.fuel_per_event, sample.batch()).map_err(code));
    }
    if kinds.enricher && !matches!(answers.0, Some(Err(_))) {
        answers.1 = Some(instance.enrich(template, template.limits.fuel_per_event, sample.batch()).map_err(code));
    }
    if kinds.alerter && !matches!(answers.0, Some(Err(_))) && !matches!(answers.1, Some(Err(_))) {
        answers.2 = Some(instance.evaluate(template, template.limits.fuel_per_event, sample.batch()).map_err(code));
    }
    answers
}

/// A batch that fits a manifest, with a plausible value in every slot.
struct Sample {
    events: u32,
    fields: u32,
    slots: Vec<u64>,
    times: Vec<i64>,
    has_state: bool,
}

impl Sample {
    /// A letter for texts, a number for JSON, and an object for the payload.
    const TEXT: &'static [u8] = b"a1{}";

    fn new(manifest: &abi::Manifest, events: u32) -> Self {
        let row = manifest.reads.iter().map(|field| match field.kind {
            abi::FieldKind::Text => 1,
            abi::FieldKind::Json => 1 << 32 | 1,
            abi::FieldKind::Raw => 2 << 32 | 2,
            abi::FieldKind::Integer | abi::FieldKind::Boolean => 1,
            abi::FieldKind::Float => 1.0f64.to_bits(),
        });
        let row: Vec<u64> = row.collect();
        Self {
            events,
            fields: row.len() as u32,
            slots: row.repeat(events as usize),
            times: (0..i64::from(events)).map(|event| event * 1_000_000_000).collect(),
            has_state: manifest.state.is_some(),
        }
    }

    fn batch(&self) -> abi::Batch<'_> {
        abi::Batch {
            events: self.events,
            fields: self.fields,
            text: Self::TEXT,
            slots: &self.slots,
            states: &[],
            times: &self.times,
        }
    }
}

fn trapped(fault: Fault) -> Reason {
    Reason::ConfigureTrapped { code: fault.code.into(), text: fault.text }
}

fn engine_trouble(error: wasmtime::Error) -> Reason {
    Reason::Engine(format!("the WebAssembly engine fails: {}", sentence(&error)))
}

/// An error and its causes on one line.
fn sentence(error: &wasmtime::Error) -> String {
    crate::guest_log::clean(&format!("{error:#}"), 500)
}

/// The configuration as an instance that is not pre-initialised needs it.
pub(crate) fn per_instance(prepared: &Prepared, config: &str) -> Option<Arc<str>> {
    prepared.not_frozen.as_ref().map(|_| config.into())
}
