//! How wasmtime is set up. The compiler and the runtime must agree on everything in [`common`]; wasmtime checks that they do
//! when it takes compiled code.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm,
    WasmBacktraceDetails,
};

use crate::limits::TABLE_ELEMENTS_CEILING;

/// Bytes of address space kept for a linear memory: with all that 32 bits can reach, no access needs a bounds check.
const MEMORY_RESERVATION: u64 = 4 << 30;
/// Dirty bytes of a linear memory that are reset in place and stay mapped for the next instance. Measured: with less, page
/// faults cost ten times as much as the instance.
const KEEP_RESIDENT: usize = 2 << 20;
/// Slots that keep what an instance touched, for the next of the same plugin: one in so many. Plugins that were swapped out keep theirs
/// until they are needed.
const WARM_ONE_IN: u32 = 4;
const WARM_MIN: u32 = 16;
/// What one component may have: several core modules are normal, hundreds are not. The pool holds as much for every
/// instance, so that no plugin can use up what the others need.
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 8;
/// Python comes as 38, which share a memory and a table. It is only counted: unlike memories and tables, modules have no slots.
const MODULES_PER_COMPONENT: u32 = 64;

/// The engine that runs plugins, with room for `instances` at once.
///
/// # Errors
/// Where the machine cannot give what wasmtime asks for.
pub(crate) fn runtime(instances: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * MODULES_PER_COMPONENT)
        .total_memories(instances * MEMORIES_PER_COMPONENT)
        .total_tables(instances * TABLES_PER_COMPONENT)
        // Calls run on the thread's own stack, and a stack of the pool costs two system calls, used or not.
        .total_stacks(0)
        .max_core_instances_per_component(MODULES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS_CEILING)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(WARM_MIN.max(instances / WARM_ONE_IN));
    let mut config = common(OptLevel::Speed);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The engine that compiles for [`runtime`], and tries out what it compiled.
///
/// # Errors
/// As [`runtime`].
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&common(OptLevel::Speed))
}

/// The engine for code that runs once, for `configure`: compiled as quickly as can be.
///
/// # Errors
/// As [`runtime`].
pub(crate) fn once() -> wasmtime::Result<Engine> {
    let mut config = common(OptLevel::None);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    Engine::new(&config)
}

/// What tells compiled code of one set-up from that of another: wasmtime's version, its settings and the processor.
pub(crate) fn fingerprint(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn common(level: OptLevel) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Without it a call costs a third.
        .concurrency_support(false)
        // Fuel alone: it is deterministic, and with epochs beside it metering costs half as much again.
        .consume_fuel(true)
        // The same bits for the same event, whatever the machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        // Else a variable of the environment would decide, which the compile child does not have.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .cranelift_opt_level(level)
        .memory_reservation(MEMORY_RESERVATION);
    config
}

#[cfg(test)]
mod tests {
    #[test]
    fn wizer_and_wasmtime_are_of_one_version_so_that_one_stands_for_both_in_cache_keys() {
        let lock = include_str!("../../../Cargo.lock");
        let version = |name: &str| {
            let at = lock.find(&format!("name = \"{name}\"\n")).unwrap();
            lock[at..].lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(version("wasmtime"), version("wasmtime-wizer"));
    }
}
