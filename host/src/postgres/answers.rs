//! The answers of look-ups that rows depend on, so that a row can be derived again: `provenance: full`.
//!
//! A row holds from its offset on, until a later one (by id) of the same address: so an address costs a row when its answer changes,
//! and not one per commit. Every answer in use is written anew once a day; then none that still matters is as old as `retention`.

use sqlx::postgres::PgConnection;
use wasmill_core::PartitionId;

use super::PostgresStore;
use super::key::{has_key, key_columns, keyed};
use crate::config::Provenance;
use crate::delivery::Delivery;

impl PostgresStore {
    /// Whether this store keeps answers.
    pub(super) fn keeps_answers(&self) -> bool {
        self.is_home && self.facts.provenance == Provenance::Full
    }

    /// Keeps what the deliveries, whose offsets begin at `first`, were told. Part of a commit's transaction.
    pub(super) async fn keep_answers(
        &self,
        connection: &mut PgConnection,
        partition: &PartitionId,
        first: i64,
        deliveries: &[Delivery],
    ) -> Result<(), sqlx::Error> {
        const KEEP: &str = concat!(
            "INSERT INTO wasmill_answers (",
            key_columns!(),
            ", first_offset, lookup, address, answer)
             SELECT $1, $2, $3, $4, $5, $6, $7, 'reverse_dns', new.address, new.answer
             FROM unnest($8::text[], $9::text[]) AS new (address, answer)
             LEFT JOIN LATERAL (
                 SELECT answer, first_offset, recorded_at FROM wasmill_answers WHERE ",
            has_key!(),
            " AND lookup = 'reverse_dns' AND address = new.address ORDER BY id DESC LIMIT 1) AS last ON true
             WHERE last.answer IS DISTINCT FROM new.answer OR last.first_offset > $7
                OR last.recorded_at < now() - INTERVAL '1 day'"
        );
        if !self.keeps_answers() {
            return Ok(());
        }
        let mut start = first;
        for delivery in deliveries {
            let next = delivery.events.raw.next_offset();
            if next > start && !delivery.looked_up.is_empty() {
                let addresses: Vec<&str> = delivery.looked_up.keys().map(String::as_str).collect();
                let answers: Vec<Option<&str>> = delivery.looked_up.values().map(Option::as_deref).collect();
                keyed(KEEP, &self.pipeline, partition)
                    .bind(start)
                    .bind(addresses)
                    .bind(answers)
                    .execute(&mut *connection)
                    .await?;
            }
            start = start.max(next);
        }
        Ok(())
    }
}
