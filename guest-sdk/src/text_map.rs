//! A map whose keys are texts, made of the config once and looked into for each event.

use crate::words::first_and_last;

/// Values by text, for tables and sets that the config names. A look-up compares whole words of eight bytes and mostly calls
/// nothing, since in a sandbox every instruction and every call is metered.
///
/// ```
/// use wasmill_sdk::TextMap;
///
/// let teams: TextMap<u32> = [("checkout", 1), ("mail-relay", 2)].into_iter().collect();
/// assert_eq!(teams.get("mail-relay"), Some(&2));
/// assert_eq!(teams.get("mail"), None);
/// ```
///
/// The keys are the operator's and events only look up, so nobody can make collisions.
#[derive(Clone, Debug)]
pub struct TextMap<V> {
    /// Open addressing: a power of two of places, at most half of them taken, so that every search ends.
    places: Vec<Option<Entry<V>>>,
    /// Takes as many of a hash's upper bits as there are places.
    shift: u32,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    digest: Digest,
    text: Box<str>,
    value: V,
}

impl<V> TextMap<V> {
    /// The value of a text.
    #[inline(always)]
    pub fn get(&self, text: &str) -> Option<&V> {
        let digest = Digest::of(text.as_bytes());
        let mut place = digest.place(self.shift);
        loop {
            // Every place that is computed exists; were it not so, nothing would be found.
            let entry = self.places.get(place)?.as_ref()?;
            if entry.digest == digest && entry.text.len() == text.len() && (digest.tells(text) || *entry.text == *text)
            {
                return Some(&entry.value);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }

    /// Whether the text has a value.
    #[inline(always)]
    pub fn contains(&self, text: &str) -> bool {
        self.get(text).is_some()
    }

    fn insert(&mut self, entry: Entry<V>) {
        let mut place = entry.digest.place(self.shift);
        while self.places[place].as_ref().is_some_and(|other| other.text != entry.text) {
            place = (place + 1) & (self.places.len() - 1);
        }
        self.places[place] = Some(entry);
    }
}

/// Of texts that come twice the last one counts.
impl<K: AsRef<str>, V> FromIterator<(K, V)> for TextMap<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let entry = |(text, value): (K, V)| {
            let text: Box<str> = text.as_ref().into();
            Entry { digest: Digest::of(text.as_bytes()), text, value }
        };
        let entries: Vec<Entry<V>> = pairs.into_iter().map(entry).collect();
        let places = (2 * entries.len()).next_power_of_two().max(2);
        let mut map = TextMap { places: Vec::new(), shift: 64 - places.trailing_zeros() };
        map.places.resize_with(places, || None);
        entries.into_iter().for_each(|entry| map.insert(entry));
        map
    }
}

/// A text's first and last bytes. Together with the length they tell a text of up to 16 bytes from every other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest {
    first: u64,
    last: u64,
}

impl Digest {
    #[inline(always)]
    fn of(text: &[u8]) -> Self {
        let (first, last) = first_and_last(text);
        Digest { first, last }
    }

    #[inline(always)]
    fn tells(self, text: &str) -> bool {
        text.len() <= 16
    }

    /// Multiplicative hashing: the upper bits of a product depend on all bits of its factors.
    #[inline(always)]
    fn place(self, shift: u32) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        ((self.first.wrapping_mul(ODD) ^ self.last).wrapping_mul(ODD) >> shift) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_found_and_told_apart() {
        let long = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
        let texts: Vec<&str> = (0..=long.len()).map(|length| &long[..length]).collect();
        let map: TextMap<usize> = texts.iter().map(|text| (text, text.len())).collect();
        for text in &texts {
            assert_eq!(map.get(text), Some(&text.len()));
            for place in 0..text.len() {
                let mut changed = text.as_bytes().to_vec();
                changed[place] = b'-';
                assert_eq!(map.get(std::str::from_utf8(&changed).unwrap()), None, "{changed:?}");
            }
        }
        assert!(!map.contains(&"a".repeat(16)) && !map.contains(&"a".repeat(60)));
    }

    #[test]
    fn thousands_of_similar_texts_are_found() {
        let map: TextMap<u32> = (0..10_000).map(|number| (format!("service-{number}"), number)).collect();
        assert!((0..10_000).all(|number| map.get(&format!("service-{number}")) == Some(&number)));
        assert!(!map.contains("service-") && !map.contains("service-10000") && !map.contains("service-007"));
    }

    #[test]
    fn an_empty_map_has_nothing() {
        let map: TextMap<()> = std::iter::empty::<(&str, ())>().collect();
        assert!(!map.contains("") && !map.contains("a"));
    }

    #[test]
    fn the_last_of_two_equal_texts_counts() {
        let map: TextMap<u32> = [("a", 1), ("b", 2), ("a", 3)].into_iter().collect();
        assert_eq!((map.get("a"), map.get("b")), (Some(&3), Some(&2)));
    }
}
