//! What the host does for a guest, and what that costs: fuel counts the guest's own instructions, of which a single one may have
//! the host copy megabytes.

use crate::fault::Fault;

/// Fuel of a call of the host, of each element of a list in it, and of so many bytes: about what the work is worth in instructions.
const FUEL_PER_CALL: u64 = 500;
const FUEL_PER_ELEMENT: u64 = 100;
const BYTES_PER_FUEL: u64 = 4;

/// The fuel that a call of the host costs in which so many elements and bytes cross.
pub(crate) fn cost(elements: usize, bytes: usize) -> u64 {
    FUEL_PER_CALL + elements as u64 * FUEL_PER_ELEMENT + bytes as u64 / BYTES_PER_FUEL
}

/// What the log and WASI may still cost in one call of a guest: as much as the call has fuel, counted apart from it, since
/// WASI's functions do not reach the fuel itself.
#[derive(Debug)]
pub(crate) struct Work {
    left: u64,
}

impl Work {
    pub(crate) fn new(fuel: u64) -> Self {
        Self { left: fuel }
    }

    /// Takes the cost of one call of the host.
    ///
    /// # Errors
    /// When there is not as much left.
    pub(crate) fn pay(&mut self, elements: usize, bytes: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(cost(elements, bytes)).ok_or_else(|| {
            Fault::of_fuel(
                "has the host log, or do, more than its fuel is worth (see limits.fuel_per_event and limits.fuel_configure)",
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_limited_at_the_limit_and_one_above() {
        let fuel = 2 * cost(0, 0) + cost(3, 4000);
        for (fuel, is_enough) in [(fuel, true), (fuel - 1, false)] {
            let mut work = Work::new(fuel);
            assert!(work.pay(0, 0).is_ok() && work.pay(3, 4000).is_ok());
            assert_eq!(work.pay(0, 0).is_ok(), is_enough);
        }
    }
}
