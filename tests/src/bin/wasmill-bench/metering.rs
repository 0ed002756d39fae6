//! What it costs that a guest's time is bounded: the same calls of shipped plugins compiled without metering, with fuel, with epochs
//! and with both, in bare wasmtime. One instance, warm, so that nothing but the guest's own work and its call is measured.

use std::hint::black_box;

use anyhow::Context;
use serde_json::Value;
use wasmill_sdk::{Field, Kind};
use wasmill_tests::events::bench_event;
use wasmill_tests::pipeline::built;
use wasmtime::component::{Component, ComponentNamedList, Func, Instance, Lift, Linker, ResourceTable, Val};
use wasmtime::{Config, Engine, OptLevel, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::boundary::shipped;
use super::measure::{Measurement, cpu_ns_per_event};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 101;
/// More than a batch burns.
const FUEL: u64 = 1 << 40;

/// How a guest's time is bounded.
#[derive(Clone, Copy, Debug, Default)]
struct Metering {
    fuel: bool,
    epochs: bool,
}

/// What the guest's imports are given.
struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lower, Clone, Copy)]
#[component(record)]
struct Batch<'a> {
    events: u32,
    fields: u32,
    text: &'a [u8],
    slots: &'a [u64],
    states: &'a [u64],
    times: &'a [i64],
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(record)]
struct Rejection {
    #[allow(dead_code, reason = "good batches have none")]
    event: u32,
    #[allow(dead_code, reason = "good batches have none")]
    code: String,
    #[allow(dead_code, reason = "good batches have none")]
    reason: String,
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(record)]
struct Verdicts {
    #[allow(dead_code, reason = "only that it is lifted counts")]
    actions: Vec<u8>,
    #[allow(dead_code, reason = "only that it is lifted counts")]
    rejections: Vec<Rejection>,
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(record)]
struct Columns {
    #[allow(dead_code, reason = "only that it is lifted counts")]
    text: Vec<u8>,
    #[allow(dead_code, reason = "only that it is lifted counts")]
    slots: Vec<u64>,
    #[allow(dead_code, reason = "only that it is lifted counts")]
    states: Vec<u64>,
}

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let [(validate, validate_config), (enrich, enrich_config), _] = shipped();
    let failed = |reason: String| anyhow::anyhow!(reason);
    let text = validate_config.to_string();
    let reads = wasmill_sdk::Loaded::<validate_event::validate_event>::configure(&text).map_err(failed)?;
    let mut all = measure::<Verdicts>("validate", validate, "validator", &validate_config, &reads.manifest().reads)?;
    let text = enrich_config.to_string();
    let reads = wasmill_sdk::Loaded::<enrich_env::enrich_env>::configure(&text).map_err(failed)?;
    all.extend(measure::<Columns>("enrich", enrich, "enricher", &enrich_config, &reads.manifest().reads)?);
    Ok(all)
}

/// With fuel, with epochs and with both, each against none.
fn measure<A: Lift + Send + Sync + 'static>(
    function: &str,
    plugin: &str,
    interface: &str,
    config: &Value,
    reads: &[Field],
) -> anyhow::Result<Vec<Measurement>>
where
    (A,): ComponentNamedList,
{
    let lists = Lists::of(reads)?;
    let guest = |metering| told(Guest::new(plugin, (interface, function), config, metering));
    let mut bare = guest(Metering::default())?;
    let ways = [
        ("fuel", Metering { fuel: true, epochs: false }),
        ("epochs", Metering { fuel: false, epochs: true }),
        ("both", Metering { fuel: true, epochs: true }),
    ];
    let mut metered = Vec::new();
    for (name, metering) in ways {
        metered.push((name, guest(metering)?, Vec::with_capacity(ROUNDS)));
    }
    for _ in 0..ROUNDS {
        let control = told(bare.round::<A>(&lists))?;
        for (_, guest, rounds) in &mut metered {
            rounds.push((told(guest.round::<A>(&lists))?, control));
        }
    }
    let named = |(name, _, rounds): &(&str, Guest, Vec<_>)| {
        Measurement::new(&format!("metering.{function}.{name}"), "ns/event", rounds)
    };
    Ok(metered.iter().map(named).collect())
}

/// The columns of a batch whose fields are all texts, and present.
#[derive(Default)]
struct Lists {
    fields: u32,
    text: Vec<u8>,
    slots: Vec<u64>,
    times: Vec<i64>,
}

impl Lists {
    fn of(reads: &[Field]) -> anyhow::Result<Self> {
        let mut lists = Self { fields: reads.len() as u32, ..Self::default() };
        for n in 0..EVENTS as u64 {
            let event: Value = serde_json::from_str(&bench_event(n))?;
            for field in reads {
                anyhow::ensure!(field.kind == Kind::Text, "{} is no text", field.path);
                let text = event[&*field.path].as_str().with_context(|| format!("no {}", field.path))?;
                lists.slots.push((lists.text.len() as u64) << 32 | text.len() as u64);
                lists.text.extend_from_slice(text.as_bytes());
            }
            lists.times.push(n as i64);
        }
        Ok(lists)
    }

    fn batch(&self) -> Batch<'_> {
        let Self { fields, text, slots, times } = self;
        Batch { events: EVENTS as u32, fields: *fields, text, slots, states: &[], times }
    }
}

/// An instance that is configured.
struct Guest {
    store: Store<Host>,
    function: Func,
    metering: Metering,
}

impl Guest {
    fn new(plugin: &str, kind: (&str, &str), config: &Value, metering: Metering) -> wasmtime::Result<Self> {
        let engine = engine(metering)?;
        let component = Component::from_file(&engine, built(plugin))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&engine, Host { wasi: WasiCtx::builder().build(), table: ResourceTable::new() });
        if metering.fuel {
            store.set_fuel(FUEL)?;
        }
        if metering.epochs {
            store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        }
        let instance = linker.instantiate(&mut store, &component)?;
        let configure = exported(&instance, &mut store, "plugin", "configure")?;
        let mut answer = [Val::Bool(false)];
        configure.call(&mut store, &[Val::String(config.to_string())], &mut answer)?;
        if !matches!(answer, [Val::Result(Ok(_))]) {
            return Err(wasmtime::Error::msg(format!("configure answers {answer:?}")));
        }
        let function = exported(&instance, &mut store, kind.0, kind.1)?;
        Ok(Self { store, function, metering })
    }

    /// Processor time of one call, nanoseconds per event.
    fn round<A: Lift + Send + Sync + 'static>(&mut self, lists: &Lists) -> wasmtime::Result<f64>
    where
        (A,): ComponentNamedList,
    {
        if self.metering.fuel {
            self.store.set_fuel(FUEL)?;
        }
        let function = self.function.typed::<(Batch<'_>,), (A,)>(&self.store)?;
        let mut done = Ok(());
        let took = cpu_ns_per_event(EVENTS, || {
            done = function.call(&mut self.store, (lists.batch(),)).map(|answer| drop(black_box(answer)));
        });
        done?;
        Ok(took)
    }
}

/// As plugins are compiled in production, but for how their time is bounded.
fn engine(metering: Metering) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .consume_fuel(metering.fuel)
        .epoch_interruption(metering.epochs)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_reservation(4 << 30);
    Engine::new(&config)
}

fn exported(instance: &Instance, store: &mut Store<Host>, interface: &str, name: &str) -> wasmtime::Result<Func> {
    let interface = format!("wasmill:plugin/{interface}@0.1.0");
    let outer = instance.get_export_index(&mut *store, None, &interface);
    let index = outer.and_then(|outer| instance.get_export_index(&mut *store, Some(&outer), name));
    let function = index.and_then(|index| instance.get_func(store, index));
    function.ok_or_else(|| wasmtime::Error::msg(format!("there is no {name} in {interface}")))
}

/// wasmtime's errors are of a type of their own.
fn told<T>(result: wasmtime::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error:?}"))
}
