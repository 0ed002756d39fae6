//! Keys with what stands under them, as they are stored.

use super::map::Life;

/// A key and what stands under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRow<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value; `None`: the key is gone.
    pub value: Option<&'a [u8]>,
    /// The clock at which the value is gone.
    pub expires: i64,
    /// The clock at which the key is due.
    pub wake: i64,
    /// The offset of the event that wrote it.
    pub offset: i64,
}

/// Rows back to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateRows {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    key_end: usize,
    value_end: usize,
    is_gone: bool,
    expires: i64,
    wake: i64,
    offset: i64,
}

impl StateRows {
    /// For so many rows of so many bytes together.
    pub(super) fn with_room(rows: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), rows: Vec::with_capacity(rows) }
    }

    /// Appends a row whose value is behind its key already.
    pub(super) fn push_joined(&mut self, key_and_value: &[u8], key_length: usize, life: Life, offset: i64) {
        let key_end = self.bytes.len() + key_length;
        self.bytes.extend_from_slice(key_and_value);
        let Life { expires, wake } = life;
        self.rows.push(Row { key_end, value_end: self.bytes.len(), is_gone: false, expires, wake, offset });
    }

    /// Appends a row.
    pub fn push(&mut self, row: &StateRow<'_>) {
        self.bytes.extend_from_slice(row.key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(row.value.unwrap_or_default());
        let StateRow { expires, wake, offset, .. } = *row;
        let value_end = self.bytes.len();
        self.rows.push(Row { key_end, value_end, is_gone: row.value.is_none(), expires, wake, offset });
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = StateRow<'_>> {
        let starts = std::iter::once(0).chain(self.rows.iter().map(|row| row.value_end));
        starts.zip(&self.rows).map(|(start, row)| StateRow {
            key: &self.bytes[start..row.key_end],
            value: (!row.is_gone).then(|| &self.bytes[row.key_end..row.value_end]),
            expires: row.expires,
            wake: row.wake,
            offset: row.offset,
        })
    }
}
