//! Keys of objects, matched by expectation: in most events the same keys come in the same order, so the key that came
//! after this one last time is compared first, as one block of bytes: all that stands between two values.

use crate::trie::{Trie, Wanted};

/// The most keys remembered per object of the trie; others are looked up each time.
const KNOWN_KEYS_MAX: usize = 64;
/// The longest key remembered, in bytes of its token.
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

/// A key as it stood in a payload, from the comma or the object's brace before it to where its value began, with the white
/// space around it and the colon. It holds no escape.
pub(crate) struct Known {
    head: u128,
    head_mask: u128,
    token: Box<[u8]>,
    /// The node of its values.
    pub(crate) child: u32,
    /// The index of the key that came after it, or [`NONE`]: so a key that began an object is never expected after another.
    next: u16,
    /// What its values are wanted for.
    pub(crate) wanted: Wanted,
}

/// Where in the order of an object's keys the walk stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The key expected now.
    expected: u16,
    /// The key before it, or [`NONE`].
    last: u16,
}

/// No key: before the first, and after one that none came after yet.
const NONE: u16 = u16::MAX;

impl Place {
    /// In nothing whose keys are remembered.
    pub(crate) const NOWHERE: Self = Self { expected: 0, last: NONE };
}

impl Place {
    /// The expected key, if it stands at `at`, and where its value may begin.
    #[inline(always)]
    pub(crate) fn expected<'k>(self, keys: &'k [Known], payload: &[u8], at: usize) -> Option<(&'k Known, usize)> {
        let known = keys.get(usize::from(self.expected))?;
        known.stands_at(payload, at).then(|| (known, at + known.token.len()))
    }

    /// After `known`, the expected key.
    #[inline(always)]
    pub(crate) fn after(self, known: &Known) -> Self {
        Self { expected: known.next, last: self.expected }
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

    /// The child of `node` whose key, a known one, stands at `at`, where its value may begin, and the place after it.
    #[inline]
    pub(crate) fn known(&mut self, node: u32, place: Place, payload: &[u8], at: usize) -> Option<(u32, usize, Place)> {
        let order = &mut self.orders[node as usize];
        let index = order.search(place.expected, payload, at)?;
        order.link(place.last, index);
        let known = &order.known[usize::from(index)];
        Some((known.child, at + known.token.len(), Place { expected: known.next, last: index }))
    }

    /// Remembers a key by its token; it leads to `child`, whose values are `wanted` so. Answers the place after it.
    pub(crate) fn learn(&mut self, node: u32, place: Place, token: &[u8], child: u32, wanted: Wanted) -> Place {
        let order = &mut self.orders[node as usize];
        if token.len() > KNOWN_BYTES_MAX || order.known.len() == KNOWN_KEYS_MAX {
            return place;
        }
        let index = order.known.len() as u16;
        order.known.push(Known::new(token, child, wanted));
        order.link(place.last, index);
        Place { expected: NONE, last: index }
    }
}

impl Order {
    /// The key that stands at `at`, looked for from `expected` on.
    #[inline(never)]
    fn search(&self, expected: u16, payload: &[u8], at: usize) -> Option<u16> {
        let (before, after) = self.known.split_at(self.known.len().min(usize::from(expected)));
        let found = |known: &[Known]| known.iter().position(|known| known.stands_at(payload, at));
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
    fn new(token: &[u8], child: u32, wanted: Wanted) -> Self {
        let length = token.len().min(HEAD_BYTES);
        let mut head = [0; HEAD_BYTES];
        head[..length].copy_from_slice(&token[..length]);
        let head_mask = u128::MAX >> (8 * (HEAD_BYTES - length));
        Self { head: u128::from_le_bytes(head), head_mask, token: token.into(), child, next: NONE, wanted }
    }

    /// Whether the key stands at `at`.
    #[inline(always)]
    fn stands_at(&self, payload: &[u8], at: usize) -> bool {
        let rest = &payload[at..];
        match rest.first_chunk() {
            Some(&head) => {
                (u128::from_le_bytes(head) ^ self.head) & self.head_mask == 0
                    && (self.token.len() <= HEAD_BYTES || rest.starts_with(&self.token))
            }
            None => rest.starts_with(&self.token),
        }
    }
}
