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

/// What a value is wanted for, as far as that can be served at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usual {
    /// Nothing, with nothing wanted below either.
    Nothing,
    /// One text column, and nothing else.
    Text(u32),
    /// One integer column, and nothing else.
    Integer(u32),
    /// One float column, and nothing else.
    Float(u32),
    /// Whatever its node says.
    Any,
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

    /// What is done with most values here.
    pub(crate) fn usual(&self) -> Usual {
        match self.targets.as_slice() {
            &[Target::Cell { kind, column }] if self.below.is_empty() => match kind {
                FieldKind::Text => Usual::Text(column),
                FieldKind::Integer => Usual::Integer(column),
                FieldKind::Float => Usual::Float(column),
                _ => Usual::Any,
            },
            _ => Usual::Any,
        }
    }
}
