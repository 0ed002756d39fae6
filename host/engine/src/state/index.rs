//! Where in a map a key is: slots by the hashes of their keys.

/// The slot of a place that has none.
const FREE: u32 = u32::MAX;
const PLACES_MIN: usize = 16;

/// Open addressing: a power of two of places, at most half of them taken, each with the hash beside the slot, so that other keys are
/// told apart without a look at them.
#[derive(Debug, Default)]
pub(super) struct Index {
    places: Vec<Place>,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    slot: u32,
}

impl Index {
    /// The slot of this hash that is the one looked for.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let place = self.places[at];
            if place.slot == FREE {
                return None;
            }
            if place.hash == hash && is_it(place.slot) {
                return Some(place.slot);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not there.
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        if self.taken * 2 >= self.places.len() {
            self.grow();
        }
        self.taken += 1;
        self.add(Place { hash, slot });
    }

    /// Takes a slot away that is there.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let mask = self.places.len() - 1;
        let mut hole = hash as usize & mask;
        while self.places[hole].slot != slot {
            hole = (hole + 1) & mask;
        }
        self.taken -= 1;
        // What follows moves up, unless that would be before the place where its search begins.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let place = self.places[at];
            if place.slot == FREE {
                break;
            }
            let begins = place.hash as usize & mask;
            if at.wrapping_sub(begins) & mask >= at.wrapping_sub(hole) & mask {
                self.places[hole] = place;
                hole = at;
            }
        }
        self.places[hole].slot = FREE;
    }

    /// All slots, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.places.iter().map(|place| place.slot).filter(|slot| *slot != FREE)
    }

    fn add(&mut self, place: Place) {
        let mask = self.places.len() - 1;
        let mut at = place.hash as usize & mask;
        while self.places[at].slot != FREE {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }

    #[cold]
    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(PLACES_MIN);
        let before = std::mem::replace(&mut self.places, vec![Place { hash: 0, slot: FREE }; places]);
        before.into_iter().filter(|place| place.slot != FREE).for_each(|place| self.add(place));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_inserted_and_not_removed_is_found(steps in vec((0..60u32, any::<bool>()), 1..400)) {
            // Few hashes, the last places among them, so that searches collide and go round the end.
            let hash = |slot: u32| (slot % 7).wrapping_sub(3);
            let (mut index, mut expected) = (Index::default(), BTreeMap::new());
            for (slot, inserts) in steps {
                if inserts && expected.insert(slot, ()).is_none() {
                    index.insert(hash(slot), slot);
                } else if !inserts && expected.remove(&slot).is_some() {
                    index.remove(hash(slot), slot);
                }
                for slot in 0..60 {
                    let found = index.find(hash(slot), |found| found == slot);
                    prop_assert_eq!(found, expected.get(&slot).map(|()| slot));
                }
                let mut slots: Vec<u32> = index.slots().collect();
                slots.sort_unstable();
                prop_assert!(slots.iter().eq(expected.keys()));
            }
        }
    }
}
