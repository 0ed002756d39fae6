//! What a column can hold.

use std::net::IpAddr;

/// One column's value of one event, checked against the column's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// A smallint.
    I16(i16),
    /// An integer.
    I32(i32),
    /// A bigint.
    I64(i64),
    /// A real; finite.
    F32(f32),
    /// A double; finite.
    F64(f64),
    /// Text: UTF-8 without NUL, not longer than the column allows.
    Text(&'a [u8]),
    /// Microseconds since 1970, in the years 1 to 9999.
    TimestampMicros(i64),
    /// A UUID.
    Uuid([u8; 16]),
    /// An IP address with its prefix.
    Inet(Inet),
    /// A JSON text that jsonb takes: UTF-8, no NUL, numbers within numeric's limits.
    Json(&'a [u8]),
    /// Any bytes.
    Bytes(&'a [u8]),
    /// Texts and nulls, none with a NUL.
    TextArray(Vec<Option<String>>),
}

/// An IP address and the bits of its network part: all of them when none were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet {
    /// The address.
    pub address: IpAddr,
    /// 0 to 32, or to 128.
    pub prefix: u8,
}
