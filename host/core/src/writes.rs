//! The paths that enrichers may write, as a tree, and what of a row each of them touches.

use crate::projection::cells;
use crate::string;
use crate::trie::{ROOT, Target, Trie};
use crate::{Column, FieldKind, Path};

/// The root of the tree: the payload.
pub(crate) const PAYLOAD: usize = 0;

/// All paths that may be written, with their parents.
#[derive(Debug)]
pub(crate) struct Writes {
    /// By declaration.
    pub(crate) fields: Vec<WriteField>,
    /// The tree; [`PAYLOAD`] first. All others have a place each, the node's index less one.
    pub(crate) nodes: Vec<WriteNode>,
    /// The columns that hold a parent of a written path, whose text changes with it.
    pub(crate) parents: Option<Trie>,
}

/// A path that may be written.
#[derive(Debug)]
pub(crate) struct WriteField {
    pub(crate) path: Path,
    /// Its node and those of its parents, outermost first.
    pub(crate) nodes: Vec<usize>,
    /// The fields inside of it.
    pub(crate) below: Vec<usize>,
    /// The columns at the path and below; the trie's root is the written value. `None`: nobody reads them.
    pub(crate) columns: Option<Trie>,
}

impl WriteField {
    /// The nodes of its parents, outermost first.
    pub(crate) fn parents(&self) -> &[usize] {
        &self.nodes[..self.nodes.len() - 1]
    }

    /// The one column that reads the field, if it takes a value written in this kind as it is.
    pub(crate) fn reader(&self, written: FieldKind) -> Option<usize> {
        let root = self.columns.as_ref()?.node(ROOT);
        match (root.targets.as_slice(), root.below.as_slice()) {
            ([Target::Cell { kind, column }], []) if *kind == written => Some(*column as usize),
            _ => None,
        }
    }
}

/// A key on the way to a written path.
#[derive(Debug, Default)]
pub(crate) struct WriteNode {
    pub(crate) key: String,
    /// The key as a member begins: quoted, with its colon.
    pub(crate) member: Vec<u8>,
    pub(crate) children: Vec<usize>,
    /// Which of [`Writes::fields`] ends here.
    pub(crate) field: Option<usize>,
}

impl Writes {
    pub(crate) fn new(paths: &[Path], columns: &[Column]) -> Self {
        let mut writes =
            Self { fields: Vec::new(), nodes: vec![WriteNode::default()], parents: parents_of(paths, columns) };
        for path in paths {
            let nodes = writes.nodes_of(path);
            let last = *nodes.last().expect("a path has a key");
            writes.nodes[last].field = Some(writes.fields.len());
            let below = (0..paths.len()).filter(|&other| path.is_ancestor_of(&paths[other])).collect();
            let columns = columns_from(path, columns);
            writes.fields.push(WriteField { path: path.clone(), nodes, below, columns });
        }
        writes
    }

    fn nodes_of(&mut self, path: &Path) -> Vec<usize> {
        let mut node = PAYLOAD;
        let mut nodes = Vec::new();
        for key in path.keys() {
            node = self.child_or_new(node, key);
            nodes.push(node);
        }
        nodes
    }

    fn child_or_new(&mut self, node: usize, key: &str) -> usize {
        let known = self.nodes[node].children.iter().copied().find(|&child| self.nodes[child].key == key);
        known.unwrap_or_else(|| {
            let child = self.nodes.len();
            let mut member = Vec::new();
            string::quote(key.as_bytes(), &mut member);
            member.push(b':');
            self.nodes.push(WriteNode { key: key.to_owned(), member, ..WriteNode::default() });
            self.nodes[node].children.push(child);
            child
        })
    }

    /// How many places are kept per event.
    pub(crate) fn places(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Has the place of every node kept.
    pub(crate) fn add_places(&self, trie: &mut Trie) {
        for field in &self.fields {
            for (depth, &node) in field.nodes.iter().enumerate() {
                trie.add_once(&field.path.keys()[..=depth], Target::Place((node - 1) as u32));
            }
        }
    }

    /// The index of the field at `path`.
    pub(crate) fn field(&self, path: &Path) -> Option<usize> {
        self.fields.iter().position(|field| field.path == *path)
    }
}

fn columns_from(path: &Path, columns: &[Column]) -> Option<Trie> {
    let depth = path.keys().len();
    let inside = cells(columns).filter(|(_, read)| *read == path || path.is_ancestor_of(read));
    trie_of(inside.map(|(target, read)| (target, &read.keys()[depth..])))
}

fn parents_of(paths: &[Path], columns: &[Column]) -> Option<Trie> {
    let parents = cells(columns).filter(|(_, read)| paths.iter().any(|path| read.is_ancestor_of(path)));
    trie_of(parents.map(|(target, read)| (target, read.keys())))
}

fn trie_of<'p>(targets: impl Iterator<Item = (Target, &'p [String])>) -> Option<Trie> {
    let mut trie = None;
    for (target, keys) in targets {
        trie.get_or_insert_with(Trie::new).add(keys, target);
    }
    trie
}
