//! What a pipeline's user must be allowed to do in a database, and no more.

use std::fmt::Write as _;

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use crate::config::{Identifier, OnDuplicate, Secret, TableConfig, quoted_name};
use crate::store::{SinkSpec, StoreError};

use super::connection::Connections;
use super::errors::store_error;
use super::{schema, table};

/// wasmill's own tables, and what is done with them.
const OWN: &[(&str, &[&str])] = &[
    ("wasmill_schema", &["SELECT"]),
    ("wasmill_ledger", &["SELECT", "INSERT", "UPDATE"]),
    ("wasmill_gaps", &["INSERT"]),
    // Retention deletes, and locks what it deletes.
    ("wasmill_dead_letters", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_letter_states", &["SELECT", "INSERT", "UPDATE"]),
    ("wasmill_replayed", &["SELECT", "INSERT", "DELETE"]),
    ("wasmill_relays", &["SELECT", "INSERT", "UPDATE"]),
    ("wasmill_commits", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_skipped", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_answers", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_open_alerts", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_states", &["SELECT", "INSERT", "UPDATE"]),
    ("wasmill_state", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("wasmill_generations", &["SELECT", "INSERT"]),
    ("wasmill_plugins", &["SELECT", "INSERT"]),
];

/// What is done with a hypertable: a row is put in and taken out again, so that a new chunk is there before many rows need it.
const HYPERTABLE: &[&str] = &["SELECT", "INSERT", "DELETE"];

/// The statements that an owner runs, so that the user of `url` needs no right but those given here: wasmill's own tables, the
/// tables of `sinks` that are to be made, and the rights.
///
/// # Errors
/// The address is none.
pub fn script(url: &Secret, sinks: &[SinkSpec]) -> Result<String, StoreError> {
    let connections = Connections::new(url, 1)?;
    let user = quoted_name(connections.user());
    let mut sql =
        format!("-- {}, to be run by the owner of its tables, again whenever this changes\n", connections.address());
    sql.push_str(&schema::script());
    sql.push_str("\n\n");
    for sink in sinks.iter().filter(|sink| sink.table.create) {
        let _ = writeln!(sql, "{}", table::definition_where_missing(&sink.table, sink.hypertable));
    }
    for schema in schemas(sinks) {
        let _ = writeln!(sql, "GRANT USAGE ON SCHEMA {schema} TO {user};");
    }
    for (table, rights) in OWN {
        let _ = writeln!(sql, "GRANT {} ON {table} TO {user};", rights.join(", "));
    }
    for sink in sinks {
        let _ = writeln!(sql, "GRANT {} ON {} TO {user};", wanted(sink).join(", "), sink.table.name);
    }
    Ok(sql)
}

fn wanted(sink: &SinkSpec) -> Vec<&'static str> {
    let mut rights = needed(sink);
    let ahead = if sink.hypertable { HYPERTABLE } else { &[] };
    rights.extend(ahead.iter().filter(|right| !needed(sink).contains(right)));
    rights
}

/// Those without which nothing can be stored.
fn needed(sink: &SinkSpec) -> Vec<&'static str> {
    match sink.table.on_duplicate {
        OnDuplicate::Reject => vec!["INSERT"],
        OnDuplicate::Ignore => vec!["SELECT", "INSERT"],
        OnDuplicate::Update => vec!["SELECT", "INSERT", "UPDATE"],
    }
}

fn schemas(sinks: &[SinkSpec]) -> Vec<String> {
    let of = |table: &TableConfig| table.name.schema.as_ref().map_or("public".to_owned(), Identifier::to_string);
    let mut schemas: Vec<String> = sinks.iter().map(|sink| of(&sink.table)).chain(["public".to_owned()]).collect();
    schemas.sort_unstable();
    schemas.dedup();
    schemas
}

/// The rights that the connection's user lacks, as statements.
pub(super) async fn lacking(connection: &mut PgConnection, sinks: &[SinkSpec]) -> Result<Vec<String>, StoreError> {
    let failed = |error: sqlx::Error| store_error("look at the rights", &error);
    let own = OWN.iter().map(|(table, rights)| ((*table).to_owned(), rights.to_vec()));
    let rows = sinks.iter().map(|sink| (sink.table.name.to_string(), needed(sink)));
    let mut lacking = Vec::new();
    for (table, rights) in own.chain(rows) {
        const HAS: &str = "SELECT current_user::text AS me, has_table_privilege(to_regclass($1), $2)
                               OR ($2 IN ('INSERT', 'UPDATE') AND has_any_column_privilege(to_regclass($1), $2)) AS has";
        for right in rights {
            let row = query(HAS).bind(&table).bind(right).fetch_one(&mut *connection).await.map_err(failed)?;
            let has: Option<bool> = row.try_get("has").map_err(failed)?;
            let me: String = row.try_get("me").map_err(failed)?;
            if has != Some(true) {
                lacking.push(format!("GRANT {right} ON {table} TO {};", quoted_name(&me)));
            }
        }
    }
    Ok(lacking)
}
