//! What both databases have in common for rows whose key may be there already.

use crate::config::{Identifier, OnDuplicate, TableConfig};

/// `, PRIMARY KEY (a, b)` for a table that is made with a key.
pub fn primary_key(config: &TableConfig) -> String {
    if config.key.is_empty() { String::new() } else { format!(", PRIMARY KEY ({})", list(&config.key)) }
}

/// ` ON CONFLICT ...` behind an INSERT of `columns`; `None` where the table decides.
pub fn on_conflict<'c>(
    key: &[Identifier],
    on_duplicate: OnDuplicate,
    columns: impl Iterator<Item = &'c Identifier>,
) -> Option<String> {
    let rest: Vec<String> =
        columns.filter(|column| !key.contains(column)).map(|column| format!("{column} = excluded.{column}")).collect();
    match on_duplicate {
        OnDuplicate::Reject => None,
        OnDuplicate::Update if !rest.is_empty() => {
            Some(format!(" ON CONFLICT ({}) DO UPDATE SET {}", list(key), rest.join(", ")))
        }
        // Of a row that is all key nothing is left to update.
        OnDuplicate::Ignore | OnDuplicate::Update => Some(format!(" ON CONFLICT ({}) DO NOTHING", list(key))),
    }
}

/// The names, joined by commas.
pub fn list(names: &[Identifier]) -> String {
    names.iter().map(Identifier::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clause_names_the_key_and_sets_the_rest() {
        let names: Vec<Identifier> = ["id", "at", "n"].iter().map(|name| name.parse().unwrap()).collect();
        let clause = |key: usize, on_duplicate| on_conflict(&names[..key], on_duplicate, names.iter());
        assert_eq!(clause(1, OnDuplicate::Reject), None);
        assert_eq!(clause(1, OnDuplicate::Ignore).unwrap(), " ON CONFLICT (\"id\") DO NOTHING");
        assert_eq!(
            clause(2, OnDuplicate::Update).unwrap(),
            " ON CONFLICT (\"id\", \"at\") DO UPDATE SET \"n\" = excluded.\"n\""
        );
        assert_eq!(clause(3, OnDuplicate::Update).unwrap(), " ON CONFLICT (\"id\", \"at\", \"n\") DO NOTHING");
    }
}
