//! The COPY BINARY format: <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>.

use std::net::IpAddr;

use crate::columns::{Inet, Value};

/// What a COPY begins with: signature, no flags, no header extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a COPY ends with.
pub(super) const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin.
pub(super) const MICROS_1970_TO_2000: i64 = 946_684_800_000_000;

const OID_BYTEA: i32 = 17;
const OID_TEXT: i32 = 25;

/// What PostgreSQL calls AF_INET; IPv6 is the next number.
const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 3;

/// Begins a row of `fields` fields.
#[inline]
pub(super) fn begin_row(fields: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&fields.to_be_bytes());
}

/// Appends a null.
#[inline]
pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// Appends a field of these bytes: text, bytea, and whatever else is its own wire form.
#[inline]
pub(super) fn bytes(field: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&length(field.len()));
    out.extend_from_slice(field);
}

/// Appends an optional field.
pub(super) fn optional(field: Option<&[u8]>, out: &mut Vec<u8>) {
    match field {
        Some(field) => bytes(field, out),
        None => null(out),
    }
}

/// Appends an array of bytea; elements may be null.
pub(super) fn bytea_array<'a>(elements: impl ExactSizeIterator<Item = Option<&'a [u8]>>, out: &mut Vec<u8>) {
    array(OID_BYTEA, elements, out);
}

/// Appends a value; `jsonb` says whether JSON goes into jsonb, whose wire form begins with its version, or into json.
#[inline]
pub(super) fn value(value: &Value<'_>, jsonb: bool, out: &mut Vec<u8>) {
    match value {
        Value::Null => null(out),
        Value::Bool(value) => fixed([u8::from(*value)], out),
        Value::I16(value) => fixed(value.to_be_bytes(), out),
        Value::I32(value) => fixed(value.to_be_bytes(), out),
        Value::I64(value) => fixed(value.to_be_bytes(), out),
        Value::F32(value) => fixed(value.to_be_bytes(), out),
        Value::F64(value) => fixed(value.to_be_bytes(), out),
        Value::Text(text) => bytes(text, out),
        Value::TimestampMicros(micros) => fixed((micros - MICROS_1970_TO_2000).to_be_bytes(), out),
        Value::Uuid(uuid) => fixed(*uuid, out),
        Value::Inet(address) => inet(address, out),
        Value::Json(token) if jsonb => {
            out.extend_from_slice(&length(token.len() + 1));
            out.push(1);
            out.extend_from_slice(token);
        }
        Value::Json(token) => bytes(token, out),
        Value::Bytes(field) => bytes(field, out),
        Value::TextArray(texts) => array(OID_TEXT, texts.iter().map(|text| text.as_deref().map(str::as_bytes)), out),
    }
}

#[inline]
fn fixed<const N: usize>(field: [u8; N], out: &mut Vec<u8>) {
    out.extend_from_slice(&(N as u32).to_be_bytes());
    out.extend_from_slice(&field);
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).expect("batches are cut far below 2 GiB").to_be_bytes()
}

fn inet(inet: &Inet, out: &mut Vec<u8>) {
    match inet.address {
        IpAddr::V4(address) => inet_field(FAMILY_IPV4, inet.prefix, &address.octets(), out),
        IpAddr::V6(address) => inet_field(FAMILY_IPV6, inet.prefix, &address.octets(), out),
    }
}

fn inet_field(family: u8, prefix: u8, octets: &[u8], out: &mut Vec<u8>) {
    const IS_CIDR: u8 = 0;
    out.extend_from_slice(&length(4 + octets.len()));
    out.extend_from_slice(&[family, prefix, IS_CIDR, octets.len() as u8]);
    out.extend_from_slice(octets);
}

fn array<'a>(element_type: i32, elements: impl ExactSizeIterator<Item = Option<&'a [u8]>>, out: &mut Vec<u8>) {
    let count = elements.len();
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let dimensions = i32::from(count > 0);
    const MAY_HAVE_NULLS: i32 = 1;
    for number in [dimensions, MAY_HAVE_NULLS, element_type] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    if count > 0 {
        const LOWER_BOUND: i32 = 1;
        out.extend_from_slice(&length(count));
        out.extend_from_slice(&LOWER_BOUND.to_be_bytes());
        elements.for_each(|element| optional(element, out));
    }
    let bytes = length(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&bytes);
}
