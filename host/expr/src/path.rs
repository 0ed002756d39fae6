//! Paths of fields in the written form that plugins and sinks share: keys joined by `.`, with a backslash before a dot
//! or a backslash inside a key.

/// Joins keys into a written path.
///
/// ```
/// assert_eq!(wasmill_expr::join_path(["source", "odd.key"]), r"source.odd\.key");
/// ```
pub fn join_path<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> String {
    let mut path = String::new();
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            path.push('.');
        }
        for character in key.as_ref().chars() {
            if matches!(character, '.' | '\\') {
                path.push('\\');
            }
            path.push(character);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::join_path;

    #[test]
    fn dots_and_backslashes_inside_a_key_are_escaped() {
        assert_eq!(join_path(["a", "b.c", r"d\e"]), r"a.b\.c.d\\e");
    }

    #[test]
    fn a_single_key_is_its_own_path() {
        assert_eq!(join_path(["severity"]), "severity");
    }
}
