//! What an instance carries on the host's side: its limits, what it said, and WASI once it asks for it.

use wasmill_core::Digest;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

use crate::guest_log::GuestLog;
use crate::held::Limit;
use crate::limits::Limits;
use crate::state::call::StateCall;
use crate::wasi::Wasi;
use crate::work::Work;

/// The data of an instance's store.
pub(crate) struct Guest {
    pub(crate) limiter: Limiter,
    pub(crate) log: GuestLog,
    /// What the host may still do for the guest in the call that goes on.
    pub(crate) work: Work,
    /// Handles to what the host holds for the guest: the three standard streams, and whether they are ready.
    pub(crate) table: ResourceTable,
    /// The plugin's state, while it has a batch.
    pub(crate) state: Option<Box<StateCall>>,
    digest: Digest,
    resources_max: usize,
    /// Made when the guest first asks: plugins that only compute never do.
    wasi: Option<Box<Wasi>>,
}

impl Guest {
    pub(crate) fn new(digest: Digest, limits: &Limits) -> Self {
        Self {
            limiter: Limiter::new(limits),
            log: GuestLog::new(limits),
            work: Work::new(limits.fuel_configure),
            table: ResourceTable::new(),
            state: None,
            digest,
            resources_max: limits.resources,
            wasi: None,
        }
    }

    /// WASI's contexts, and beside them the table and what the host may still do.
    pub(crate) fn wasi(&mut self) -> (&mut Wasi, &mut ResourceTable, &mut Work) {
        if self.wasi.is_none() {
            self.table.set_max_capacity(self.resources_max);
        }
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.digest)));
        (wasi, &mut self.table, &mut self.work)
    }
}

/// Counts what all memories and all tables of an instance hold.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    /// The last growth that was refused. A guest may live with it; if it traps afterwards, this is why.
    pub(crate) denied: Option<Limit>,
}

impl Limiter {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            table_elements: 0,
            table_elements_max: limits.table_elements,
            denied: None,
        }
    }

    /// Bytes of all memories.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Lets the memories grow without limit from now on: for the snapshot, which borrows a page of each.
    pub(crate) fn lift_memory(&mut self) {
        self.memory_bytes_max = usize::MAX;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let granted = total <= self.memory_bytes_max;
        if granted {
            self.memory_bytes = total;
        } else {
            self.denied = Some(Limit::MemoryBytes);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        let granted = total <= self.table_elements_max;
        if granted {
            self.table_elements = total;
        } else {
            self.denied = Some(Limit::TableElements);
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_limited_together_at_the_limit_and_one_above() {
        let limits = Limits { memory_bytes: 100, table_elements: 10, ..Limits::default() };
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert_eq!(limiter.denied, Some(Limit::MemoryBytes));
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
        assert_eq!(limiter.denied, Some(Limit::TableElements));
    }
}
