//! The wanted paths as a tree of keys, so that a payload's keys are matched level by level.

use crate::FieldKind;

/// What is done with a value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// It becomes a cell of the event's row.
    Cell {
        /// What the column holds.
        kind: FieldKind,
        /// Which column.
        column: u32,
    },
    /// It is the event's time.
    Time,
    /// Its place in the payload is kept, for fields that are written later.
    Place(u32),
}

/// What a value is wanted for, in a form that serves it at once: kinds as bits, and the column of each. There is one column of
/// a kind at most, since a (path, kind) pair is one column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    bits: u8,
    columns: [u32; 5],
}

/// A node that no path leads to: nothing below it is wanted.
pub(crate) const UNWANTED: u32 = u32::MAX;
/// The node of the payload itself.
pub(crate) const ROOT: u32 = 0;

/// The tree. A node is named by its index.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
}

/// A wanted path, or the beginning of one.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// By key, rising.
    children: Vec<(Box<[u8]>, u32)>,
    /// What the value here is wanted for.
    pub(crate) targets: Vec<Target>,
    /// The targets of all nodes below, which a value here takes back when it comes a second time.
    pub(crate) below: Vec<Target>,
}

impl Trie {
    /// Nothing wanted yet.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Wants the value at `keys` for `target`; no key is the root itself.
    pub(crate) fn add(&mut self, keys: &[String], target: Target) {
        let mut node = ROOT;
        for key in keys {
            self.nodes[node as usize].below.push(target);
            node = self.child_or_new(node, key.as_bytes());
        }
        self.nodes[node as usize].targets.push(target);
    }

    /// Wants the value at `keys` for `target`, unless it does already.
    pub(crate) fn add_once(&mut self, keys: &[String], target: Target) {
        if !self.node(ROOT).below.contains(&target) {
            self.add(keys, target);
        }
    }

    fn child_or_new(&mut self, node: u32, key: &[u8]) -> u32 {
        match self.find(node, key) {
            Ok(child) => child,
            Err(place) => {
                let child = u32::try_from(self.nodes.len()).expect("far fewer paths than 2^32 are configured");
                self.nodes.push(Node::default());
                self.nodes[node as usize].children.insert(place, (key.into(), child));
                child
            }
        }
    }

    fn find(&self, node: u32, key: &[u8]) -> Result<u32, usize> {
        let children = &self.nodes[node as usize].children;
        children.binary_search_by(|(name, _)| (**name).cmp(key)).map(|place| children[place].1)
    }

    /// The child of `node` by an unescaped key, or [`UNWANTED`].
    pub(crate) fn child(&self, node: u32, key: &[u8]) -> u32 {
        self.find(node, key).unwrap_or(UNWANTED)
    }

    /// A node by its index.
    #[inline(always)]
    pub(crate) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// Number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

impl Node {
    /// Whether something is wanted below.
    #[inline(always)]
    pub(crate) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    /// What a value here is wanted for.
    pub(crate) fn wanted(&self) -> Wanted {
        let more = if self.below.is_empty() { 0 } else { Wanted::MORE };
        self.targets.iter().fold(Wanted { bits: more, ..Wanted::NOTHING }, |wanted, target| wanted.with(*target))
    }
}

impl Wanted {
    /// For nothing, with nothing wanted below either.
    pub(crate) const NOTHING: Self = Self { bits: 0, columns: [0; 5] };
    pub(crate) const TEXT: u8 = Self::bit(FieldKind::Text);
    pub(crate) const INTEGER: u8 = Self::bit(FieldKind::Integer);
    pub(crate) const FLOAT: u8 = Self::bit(FieldKind::Float);
    pub(crate) const JSON: u8 = Self::bit(FieldKind::Json);
    /// For something else than columns, or something is wanted below: its node says what.
    const MORE: u8 = 1 << 7;

    const fn bit(kind: FieldKind) -> u8 {
        1 << kind as u8
    }

    fn with(mut self, target: Target) -> Self {
        match target {
            Target::Cell { kind, column } => {
                self.bits |= Self::bit(kind);
                self.columns[kind as usize] = column;
            }
            Target::Time | Target::Place(_) => self.bits |= Self::MORE,
        }
        self
    }

    /// Whether it is wanted for nothing at all.
    #[inline(always)]
    pub(crate) fn is_nothing(&self) -> bool {
        self.bits == 0
    }

    /// Whether all it is wanted for, if anything, is columns.
    #[inline(always)]
    pub(crate) fn is_for_columns(&self) -> bool {
        self.bits & Self::MORE == 0
    }

    /// Whether all it is wanted for, if anything, is columns of these kinds.
    #[inline(always)]
    pub(crate) fn is_within(&self, kinds: u8) -> bool {
        self.bits & !kinds == 0
    }

    /// The column of a kind.
    #[inline(always)]
    pub(crate) fn column(&self, kind: FieldKind) -> Option<u32> {
        (self.bits & Self::bit(kind) != 0).then(|| self.columns[kind as usize])
    }
}
