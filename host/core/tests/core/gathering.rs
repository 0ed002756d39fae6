//! Cells in the shape that crosses into guests.

use proptest::prelude::*;

use crate::agreement::all_columns;
use crate::support::{any_object, config, projection, raw_batch};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gathered_slots_and_states_are_those_of_the_cells(
        payloads in prop::collection::vec(any_object(), 1..8),
        columns in prop::collection::vec(0..all_columns().len(), 0..12),
        picked in any::<u8>(),
    ) {
        let (batch, _) = projection(&all_columns(), &[]).extract(raw_batch(&payloads));
        let events: Vec<u32> = batch.live.iter().copied().filter(|event| picked >> event & 1 == 1).collect();
        let (mut slots, mut states) = (Vec::new(), Vec::new());
        batch.gather(&columns, &events, &mut slots, &mut states);
        prop_assert_eq!(slots.len(), events.len() * columns.len());
        let cells: Vec<_> = events.iter().flat_map(|&event| columns.iter().map(move |&column| (event, column))).collect();
        let all_present = cells.iter().all(|&(event, column)| batch.cell(event, column).0.bits() == 2);
        prop_assert_eq!(states.len(), if all_present { 0 } else { slots.len().div_ceil(32) });
        for (at, (event, column)) in cells.into_iter().enumerate() {
            let (state, slot) = batch.cell(event, column);
            prop_assert_eq!(slots[at], slot);
            let bits = states.get(at / 32).map_or(2, |word| word >> (2 * (at % 32)) & 3);
            prop_assert_eq!(bits, u64::from(state.bits()));
        }
    }
}
