//! What the functions of the plugin interface cost in the host, by function, for who measures a plugin. Whether it is measured is decided when
//! the functions are linked: an engine without a meter has nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};

use crate::guest::Guest;

/// A function that the host has for plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCall {
    /// `log.log`.
    Log,
    /// `state.clocks`.
    Clocks,
    /// `state.fetch`.
    Fetch,
    /// `state.due`.
    Due,
    /// `state.store`.
    Store,
}

impl HostCall {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Log, Self::Clocks, Self::Fetch, Self::Due, Self::Store];

    /// As the interface names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log.log",
            Self::Clocks => "state.clocks",
            Self::Fetch => "state.fetch",
            Self::Due => "state.due",
            Self::Store => "state.store",
        }
    }

    /// Its name within its interface.
    fn function(self) -> &'static str {
        self.name().split('.').next_back().unwrap_or_default()
    }
}

/// What calls of one function came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCallCost {
    /// Calls.
    pub calls: u64,
    /// Time in the host's function, nanoseconds. The lists of a call are copied before and after it.
    pub nanos: u64,
    /// Bytes that plugins handed over.
    pub bytes_in: u64,
    /// Bytes that they got.
    pub bytes_out: u64,
}

/// Counts the calls of all plugins of an engine.
#[derive(Debug, Default)]
pub struct Meter {
    /// By the order of [`HostCall::ALL`].
    counts: [Counts; HostCall::ALL.len()],
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    nanos: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Meter {
    /// What was counted since the last time, by function.
    pub fn take(&self) -> [(HostCall, HostCallCost); HostCall::ALL.len()] {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        HostCall::ALL.map(|call| {
            let Counts { calls, nanos, bytes_in, bytes_out } = &self.counts[call as usize];
            let (calls, nanos) = (take(calls), take(nanos));
            (call, HostCallCost { calls, nanos, bytes_in: take(bytes_in), bytes_out: take(bytes_out) })
        })
    }

    fn add(&self, call: HostCall, nanos: u64, bytes_in: usize, bytes_out: usize) {
        let counts = &self.counts[call as usize];
        counts.calls.fetch_add(1, Ordering::Relaxed);
        counts.nanos.fetch_add(nanos, Ordering::Relaxed);
        counts.bytes_in.fetch_add(bytes_in as u64, Ordering::Relaxed);
        counts.bytes_out.fetch_add(bytes_out as u64, Ordering::Relaxed);
    }
}

/// What crosses in a call.
pub(crate) trait Crossing {
    /// Its bytes.
    fn bytes(&self) -> usize;
}

/// Functions of one interface, measured where there is a meter.
pub(crate) struct Functions<'l> {
    pub(crate) instance: LinkerInstance<'l, Guest>,
    pub(crate) meter: Option<&'l Arc<Meter>>,
}

impl Functions<'_> {
    /// Defines a function.
    ///
    /// # Errors
    /// None that a plugin can cause: a name defined twice.
    pub(crate) fn define<P, R>(
        &mut self,
        call: HostCall,
        function: impl Fn(&mut StoreContextMut<'_, Guest>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Crossing + 'static,
        R: ComponentNamedList + Lower + Crossing + 'static,
    {
        let Some(meter) = self.meter.cloned() else {
            return self.instance.func_wrap(call.function(), move |mut store, handed: P| function(&mut store, handed));
        };
        self.instance.func_wrap(call.function(), move |mut store, handed: P| {
            let bytes = handed.bytes();
            let begun = Instant::now();
            let given = function(&mut store, handed)?;
            let nanos = begun.elapsed().as_nanos() as u64;
            meter.add(call, nanos, bytes, given.bytes());
            Ok(given)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_taken_once() {
        let meter = Meter::default();
        meter.add(HostCall::Fetch, 5, 10, 20);
        meter.add(HostCall::Fetch, 6, 1, 2);
        let expected = HostCallCost { calls: 2, nanos: 11, bytes_in: 11, bytes_out: 22 };
        assert_eq!(meter.take()[HostCall::Fetch as usize], (HostCall::Fetch, expected));
        assert!(meter.take().iter().all(|(_, cost)| *cost == HostCallCost::default()));
    }

    #[test]
    fn functions_have_the_names_of_the_interface() {
        let names = HostCall::ALL.map(HostCall::function);
        assert_eq!(names, ["log", "clocks", "fetch", "due", "store"]);
        assert!(HostCall::ALL.iter().enumerate().all(|(index, call)| *call as usize == index));
    }
}
