//! Every bound that an expression has to keep. They hold for the expression, which comes from a configuration, and so
//! bound what any event can make it cost.

/// Length of an expression in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Nesting: parentheses inside each other, operators on top of operators, keys in a path. CEL asks for at least 32 of
/// one operator in a row; `&&` and `||` chains count as one level however long they are.
pub const DEPTH_MAX: usize = 64;

/// Literals, path keys and operators in one expression; long lists after `in` are what uses them up.
pub const NODES_MAX: usize = 8 * 1024;

/// Distinct columns, that is pairs of path and kind, that one expression may read.
pub const COLUMNS_MAX: usize = 256;

/// Length of a `matches` pattern in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// States of a compiled `matches` pattern: about one per character, and a counted part once per copy. Where they do not become an
/// automaton, matching takes time in proportion to the length of the text times the states that are alive in it.
pub const PATTERN_STATES_MAX: usize = 1024;

/// Groups inside each other in a `matches` pattern.
pub const PATTERN_DEPTH_MAX: usize = 32;

/// Depth of a JSON value that is compared with another one; the scanner lets no deeper payload through.
pub const JSON_DEPTH_MAX: usize = 128;
