//! Which members of an object, or elements of an array, a schema has looked at.

/// Places in an object or array.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<bool>);

impl Seen {
    /// Adds a place; whether it was not there before.
    pub(crate) fn add(&mut self, place: usize) -> bool {
        if place >= self.0.len() {
            self.0.resize(place + 1, false);
        }
        !std::mem::replace(&mut self.0[place], true)
    }

    /// Adds the places of another one, about the same value.
    pub(crate) fn merge(&mut self, other: &Seen) {
        let places = other.0.iter().enumerate().filter(|(_, seen)| **seen);
        places.for_each(|(place, _)| _ = self.add(place));
    }
}
