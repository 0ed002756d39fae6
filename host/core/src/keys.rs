//! Keys of objects, matched by expectation: in most events the same keys come in the same order, so the key that came
//! after this one last time is compared first, as one block of bytes with its comma, quotes and colon.

use crate::trie::Trie;

/// The most keys remembered per object of the trie; others are looked up each time.
const KNOWN_KEYS_MAX: usize = 64;
/// The longest key remembered, in bytes with comma, quotes and colon.
const KNOWN_BYTES_MAX: usize = 64;
/// So many bytes are compared at once.
const HEAD_BYTES: usize = 16;

/// What was seen of the objects that the trie's nodes stand for.
pub(crate) struct Keys {
    orders: Vec<Order>,
}

/// The keys of one object.
struct Order {
    known: Vec<Known>,
    /// The index of the key that came first.
    first: u16,
}

/// A key as it stands in a payload, after a comma: quotes, no escape, and the colon at once after them.
pub(crate) struct Known {
    head: u128,
    head_mask: u128,
    token: Box<[u8]>,
    child: u32,
    /// The index of the key that came after it.
    next: u16,
}

/// Where in the order of an object's keys the walk stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The key expected now.
    expected: u16,
    /// The key before it, or [`NONE`].
    last: u16,
}

/// Before the first key.
const NONE: u16 = u16::MAX;

impl Place {
    /// In nothing whose keys are remembered.
    pub(crate) const NOWHERE: Self = Self { expected: 0, last: NONE };
}

impl Place {
    /// The child whose key, with the comma before it, stands at `at` as expected, and where its value may begin.
    #[inline(always)]
    pub(crate) fn expected(self, keys: &[Known], payload: &[u8], at: usize) -> Option<(u32, usize)> {
        let known = keys.get(usize::from(self.expected))?;
        known.stands_at(payload, at).then(|| (known.child, at + known.token.len()))
    }

    /// Likewise for the first key, whose quote stands at `at`.
    #[inline(always)]
    pub(crate) fn expected_first(self, keys: &[Known], payload: &[u8], at: usize) -> Option<(u32, usize)> {
        let known = keys.get(usize::from(self.expected))?;
        known.begins(&payload[at..]).then(|| (known.child, at + known.token.len() - 1))
    }

    /// After the expected key.
    #[inline(always)]
    pub(crate) fn advanced(self, keys: &[Known]) -> Self {
        Self { expected: keys[usize::from(self.expected)].next, last: self.expected }
    }
}

impl Keys {
    pub(crate) fn new(trie: &Trie) -> Self {
        Self { orders: (0..trie.len()).map(|_| Order { known: Vec::new(), first: 0 }).collect() }
    }

    /// Before the first key of the object of `node`.
    #[inline(always)]
    pub(crate) fn start(&self, node: u32) -> Place {
        Place { expected: self.orders[node as usize].first, last: NONE }
    }

    /// What is known of the keys of the object of `node`, for [`Place::expected`].
    #[inline(always)]
    pub(crate) fn of(&self, node: u32) -> &[Known] {
        &self.orders[node as usize].known
    }

    /// The child of `node` whose key, a known one, begins at `at`, where its value may begin, and the place after it.
    #[inline]
    pub(crate) fn known(&mut self, node: u32, place: Place, payload: &[u8], at: usize) -> Option<(u32, usize, Place)> {
        let order = &mut self.orders[node as usize];
        let index = order.search(place.expected, &payload[at..])?;
        order.link(place.last, index);
        let known = &order.known[usize::from(index)];
        Some((known.child, at + known.token.len() - 1, Place { expected: known.next, last: index }))
    }

    /// Remembers a key (`token`: quotes and colon) that leads to `child`; answers the place after it.
    pub(crate) fn learn(&mut self, node: u32, place: Place, token: &[u8], child: u32) -> Place {
        let order = &mut self.orders[node as usize];
        if token.len() + 1 > KNOWN_BYTES_MAX || order.known.len() == KNOWN_KEYS_MAX {
            return place;
        }
        let index = order.known.len() as u16;
        order.known.push(Known::new(token, child, index + 1));
        order.link(place.last, index);
        Place { expected: index + 1, last: index }
    }
}

impl Order {
    /// The key that `rest` begins with, looked for from `expected` on.
    #[inline]
    fn search(&self, expected: u16, rest: &[u8]) -> Option<u16> {
        match self.known.get(usize::from(expected)) {
            Some(known) if known.begins(rest) => Some(expected),
            _ => self.search_all(expected, rest),
        }
    }

    #[inline(never)]
    fn search_all(&self, expected: u16, rest: &[u8]) -> Option<u16> {
        let (before, after) = self.known.split_at(self.known.len().min(usize::from(expected)));
        let found = |known: &[Known]| known.iter().position(|known| known.begins(rest));
        found(after).map(|n| before.len() + n).or_else(|| found(before)).map(|n| n as u16)
    }

    /// Notes that `index` came after `last`.
    fn link(&mut self, last: u16, index: u16) {
        match self.known.get_mut(usize::from(last)) {
            Some(last) => last.next = index,
            None => self.first = index,
        }
    }
}

impl Known {
    fn new(token: &[u8], child: u32, next: u16) -> Self {
        let token: Box<[u8]> = [b",", token].concat().into();
        let length = token.len().min(HEAD_BYTES);
        let mut head = [0; HEAD_BYTES];
        head[..length].copy_from_slice(&token[..length]);
        let head_mask = u128::MAX >> (8 * (HEAD_BYTES - length));
        Self { head: u128::from_le_bytes(head), head_mask, token, child, next }
    }

    /// Whether the key stands at `at`, its comma first.
    #[inline(always)]
    fn stands_at(&self, payload: &[u8], at: usize) -> bool {
        match payload.get(at..at + HEAD_BYTES) {
            Some(bytes) => {
                let bytes = u128::from_le_bytes(bytes.try_into().expect("sixteen bytes"));
                (bytes ^ self.head) & self.head_mask == 0
                    && (self.token.len() <= HEAD_BYTES || payload[at..].starts_with(&self.token))
            }
            None => payload[at..].starts_with(&self.token),
        }
    }

    /// Whether `rest` begins with the key, without a comma.
    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        match rest.first_chunk::<HEAD_BYTES>() {
            Some(bytes) => {
                let (head, mask) = (self.head >> 8, self.head_mask >> 8);
                (u128::from_le_bytes(*bytes) ^ head) & mask == 0
                    && (self.token.len() <= HEAD_BYTES || rest.starts_with(&self.token[1..]))
            }
            None => rest.starts_with(&self.token[1..]),
        }
    }
}
