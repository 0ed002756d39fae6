//! Freezes what an instance holds in its memories and globals into the component itself, with wasmtime-wizer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{ComponentNamedList, Lift, WasmList};
use wasmtime_wizer::Wizer;
use wasmtime_wizer::{ComponentContext, ComponentInstanceState};

use crate::instance::Instance;

/// A component with functions that read its inside.
pub(crate) struct Probe<'a> {
    wizer: Wizer,
    context: ComponentContext<'a>,
    code: Vec<u8>,
}

impl<'a> Probe<'a> {
    /// Adds the functions to a component.
    ///
    /// # Errors
    /// Where wizer cannot: composed components, changed tables and the like.
    pub(crate) fn new(component: &'a [u8]) -> wasmtime::Result<Self> {
        let wizer = Wizer::new();
        let (context, code) = wizer.instrument_component(component)?;
        Ok(Self { wizer, context, code })
    }

    /// The component with the functions.
    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    /// The component as it is now in `instance`, which was made of [`Self::code`].
    ///
    /// # Errors
    /// Why its inside cannot be read or written down.
    pub(crate) fn snapshot(&self, instance: &mut Instance) -> Result<Vec<u8>, String> {
        // Reading a memory borrows a page of it and copies the whole.
        instance.store.data_mut().limiter.lift_memory();
        instance.store.set_hostcall_fuel(usize::MAX);
        instance.store.set_fuel(u64::MAX).map_err(|error| error.to_string())?;
        let mut reader = Reader { instance, problem: None };
        // Wizer asserts what it takes for granted; a component for which it does not hold must not end the load.
        let written = catch_unwind(AssertUnwindSafe(|| now(self.wizer.snapshot_component(&self.context, &mut reader))));
        match (written, reader.problem) {
            (_, Some(problem)) => Err(format!("its memory cannot be read: {problem}")),
            (Ok(Ok(code)), None) => Ok(code),
            (Ok(Err(error)), None) => Err(format!("it cannot be written down: {error:#}")),
            (Err(_), None) => Err("wizer does not understand it".into()),
        }
    }
}

/// Runs a future that never waits: [`Reader`] answers at once.
fn now<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(wasmtime::Error::msg("wizer waits for something")),
    }
}

/// Calls the functions. They cannot fail as wizer sees it, so a problem is kept for afterwards.
struct Reader<'a> {
    instance: &'a mut Instance,
    problem: Option<String>,
}

impl Reader<'_> {
    fn call<R: Lift + Send + Sync + 'static>(&mut self, interface: &str, function: &str) -> Option<R>
    where
        (R,): ComponentNamedList + Lift,
    {
        let Instance { store, instance } = &mut *self.instance;
        let result = (|| {
            let missing = || wasmtime::Error::msg(format!("{interface}.{function} is missing"));
            let (_, interface_index) = instance.get_export(&mut *store, None, interface).ok_or_else(missing)?;
            let (_, index) = instance.get_export(&mut *store, Some(&interface_index), function).ok_or_else(missing)?;
            let function = instance.get_typed_func::<(), (R,)>(&mut *store, index)?;
            function.call(&mut *store, ()).map(|(value,)| value)
        })();
        result.map_err(|error| self.problem = Some(format!("{error:#}"))).ok()
    }
}

impl ComponentInstanceState for Reader<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.call::<WasmList<u8>>(instance, func) {
            Some(list) => contents(list.as_le_slice(&self.instance.store)),
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).unwrap_or_default().to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).unwrap_or_default().to_bits()
    }
}
