//! One instance of a plugin: made, configured where its code is not already, called, and thrown away.

use std::sync::Arc;

use wasmill_core::Digest;
use wasmtime::Store;
use wasmtime::component::{self, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower};

use crate::abi;
use crate::contract::Contract;
use crate::fault::Fault;
use crate::guest::Guest;
use crate::guest_log::Said;
use crate::held::Limit;
use crate::limits::Limits;
use crate::work::Work;

/// All that it takes to make instances of one plugin.
pub(crate) struct Template {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) contract: Contract,
    pub(crate) digest: Digest,
    pub(crate) limits: Limits,
    /// The configuration for instances that are not pre-initialised.
    pub(crate) configure: Option<Arc<str>>,
}

/// Why there is no instance.
#[derive(Debug)]
pub(crate) enum NoInstance {
    /// The engine has no room, or the machine no memory.
    Host(String),
    /// The plugin does not start, or no longer takes its configuration.
    Plugin(Fault),
}

pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: component::Instance,
}

impl Instance {
    /// A new instance, configured.
    pub(crate) fn new(template: &Template) -> Result<Self, NoInstance> {
        let mut this = Self::bare(template)?;
        if let Some(config) = &template.configure {
            match this.configure(template, config).map_err(NoInstance::Plugin)? {
                Ok(_) => {}
                Err(sentence) => return Err(NoInstance::Plugin(Fault::bad_answer(sentence))),
            }
        }
        Ok(this)
    }

    /// A new instance on which `configure` has not been called.
    pub(crate) fn bare(template: &Template) -> Result<Self, NoInstance> {
        let guest = Guest::new(template.digest, &template.limits);
        let mut store = Store::new(template.pre.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(template.limits.output_bytes);
        store.set_max_component_handles(template.limits.resources);
        store.set_fuel(template.limits.fuel_configure).map_err(|error| NoInstance::Host(error.to_string()))?;
        match template.pre.instantiate(&mut store) {
            Ok(instance) => Ok(Self { store, instance }),
            Err(error) if is_hosts(&error) => Err(NoInstance::Host(error.to_string())),
            Err(error) => {
                let denied = store.data().limiter.denied;
                Err(NoInstance::Plugin(Fault::of(&error, denied, &[], &template.limits)))
            }
        }
    }

    /// Calls `configure`.
    pub(crate) fn configure(
        &mut self,
        template: &Template,
        config: &str,
    ) -> Result<Result<abi::Manifest, String>, Fault> {
        let fuel = template.limits.fuel_configure;
        let called: Result<(Result<abi::Manifest, String>,), _> =
            self.call(template.contract.configure, (config,), fuel);
        called.map(|(answer,)| answer).map_err(|error| self.fault(&error, &template.limits))
    }

    pub(crate) fn validate(
        &mut self,
        template: &Template,
        fuel: u64,
        batch: abi::Batch<'_>,
    ) -> Result<abi::Verdicts, Fault> {
        self.run(template, template.contract.validate, fuel, batch)
    }

    pub(crate) fn enrich(
        &mut self,
        template: &Template,
        fuel: u64,
        batch: abi::Batch<'_>,
    ) -> Result<abi::Columns, Fault> {
        self.run(template, template.contract.enrich, fuel, batch)
    }

    pub(crate) fn evaluate(
        &mut self,
        template: &Template,
        fuel: u64,
        batch: abi::Batch<'_>,
    ) -> Result<abi::Evaluation, Fault> {
        self.run(template, template.contract.evaluate, fuel, batch)
    }

    /// Fuel that the last call, and making the instance before it, left over.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or(0)
    }

    /// Bytes that its memories have.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.store.data().limiter.memory_bytes() as u64
    }

    /// The limit that kept a memory or a table from growing in the last call.
    pub(crate) fn denied(&self) -> Option<Limit> {
        self.store.data().limiter.denied
    }

    /// What the guest said.
    pub(crate) fn said(&mut self) -> Said {
        self.store.data_mut().log.take()
    }

    fn run<A: Lift + Send + Sync + 'static>(
        &mut self,
        template: &Template,
        function: Option<ComponentExportIndex>,
        fuel: u64,
        batch: abi::Batch<'_>,
    ) -> Result<A, Fault>
    where
        (A,): ComponentNamedList + Lift,
    {
        let function = function.expect("a plugin is only called for the kinds that it exports");
        let called: Result<(A,), _> = self.call(function, (batch,), fuel);
        called.map(|(answer,)| answer).map_err(|error| self.fault(&error, &template.limits))
    }

    fn call<P, R>(&mut self, function: ComponentExportIndex, parameters: P, fuel: u64) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.store.set_fuel(fuel)?;
        let guest = self.store.data_mut();
        guest.limiter.denied = None;
        guest.work = Work::new(fuel);
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, function)?;
        function.call(&mut self.store, parameters)
    }

    fn fault(&mut self, error: &wasmtime::Error, limits: &Limits) -> Fault {
        let said = self.said();
        Fault::of(error, self.denied(), &said.lines, limits)
    }
}

/// Whether an instantiation failed for want of something that the host gives.
fn is_hosts(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some()
        || error.downcast_ref::<std::io::Error>().is_some()
}

/// Whether the functions of a plugin have the shape that they must have.
///
/// # Errors
/// The name of the first one that has not.
pub(crate) fn check_signatures(instance: &mut Instance, contract: &Contract) -> Result<(), &'static str> {
    let Instance { store, instance } = instance;
    let configure =
        instance.get_typed_func::<(&str,), (Result<abi::Manifest, String>,)>(&mut *store, contract.configure);
    configure.map_err(|_| "plugin.configure")?;
    if let Some(validate) = contract.validate {
        let function = instance.get_typed_func::<(abi::Batch<'_>,), (abi::Verdicts,)>(&mut *store, validate);
        function.map_err(|_| "validator.validate")?;
    }
    if let Some(enrich) = contract.enrich {
        let function = instance.get_typed_func::<(abi::Batch<'_>,), (abi::Columns,)>(&mut *store, enrich);
        function.map_err(|_| "enricher.enrich")?;
    }
    if let Some(evaluate) = contract.evaluate {
        let function = instance.get_typed_func::<(abi::Batch<'_>,), (abi::Evaluation,)>(&mut *store, evaluate);
        function.map_err(|_| "alerter.evaluate")?;
    }
    Ok(())
}
