//! Cutting rows into requests: body, id and origins.
//!
//! One event a request is told by its `webhook-id` for ever. Several a request are cut anew after a crash, so there each event is
//! told by its place in `wasmill-origins`, or by the id that an alert has itself.

use axum::body::Bytes;

use super::row;
use crate::config::{From, HttpConfig, HttpFormat};
use crate::origin::{Origin, id};

/// The most bytes of the list of offsets: servers take 8 KiB of headers.
const OFFSETS_BYTES_MAX: usize = 4 << 10;

/// What requests of a sink are like.
#[derive(Debug)]
pub(super) struct Shape {
    sink: String,
    format: HttpFormat,
    events_max: usize,
    bytes_max: usize,
    /// The header with the id of a single event, where it has one of its own.
    id_header: Option<&'static str>,
}

/// One request, the same at each attempt but for its time.
#[derive(Debug)]
pub(super) struct Request {
    /// How many rows are in it; at least one.
    pub(super) rows: usize,
    /// `webhook-id`: the same rows have the same one.
    pub(super) id: String,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

impl Shape {
    pub(super) fn new(sink: &str, from: From, config: &HttpConfig) -> Self {
        let id_header = match from {
            From::Events => None,
            From::Alerts => Some("wasmill-alert-id"),
            From::DeadLetters => Some("wasmill-dead-letter-id"),
        };
        let HttpConfig { format, events_max, bytes_max, .. } = config;
        Self { sink: sink.to_owned(), format: *format, events_max: *events_max, bytes_max: *bytes_max, id_header }
    }

    /// A request with as many of `rows` (at least one) as it takes.
    pub(super) fn request(&self, origin: &mut Origin, rows: &[&[u8]]) -> Request {
        let (open, between, close) = match self.format {
            HttpFormat::Single => ("", "", ""),
            HttpFormat::Array => ("[", ",", "]"),
            HttpFormat::Lines => ("", "\n", "\n"),
        };
        let mut body = open.as_bytes().to_vec();
        let mut ids: Vec<Vec<u8>> = vec![self.sink.as_bytes().to_vec()];
        let mut offsets = Offsets::default();
        let mut count = 0;
        for document in rows.iter().take(self.events_max).map(|row| row::read(row)) {
            let bytes = body.len() + between.len() + document.json.len() + close.len();
            if count > 0 && (bytes > self.bytes_max || offsets.text.len() > OFFSETS_BYTES_MAX) {
                break;
            }
            if count > 0 {
                body.extend_from_slice(between.as_bytes());
            }
            body.extend_from_slice(document.json);
            ids.extend([origin.at(document.offset).to_vec(), document.id.to_vec()]);
            offsets.add(document.offset);
            count += 1;
        }
        body.extend_from_slice(close.as_bytes());
        let is_single = self.format == HttpFormat::Single;
        let name = if is_single { "wasmill-origin" } else { "wasmill-origins" };
        let mut headers = vec![(name, format!("{}{}", visible(origin.prefix()), offsets.finish()))];
        if let (true, Some(header)) = (is_single, self.id_header) {
            headers.push((header, visible(row::read(rows[0]).id)));
        }
        Request {
            rows: count,
            id: id(ids.iter().map(Vec::as_slice)),
            headers,
            content_type: if self.format == HttpFormat::Lines { "application/x-ndjson" } else { "application/json" },
            body: body.into(),
        }
    }
}

/// Offsets in the order of the events: `7,9-12,12`.
#[derive(Default)]
struct Offsets {
    text: String,
    /// The range that may still grow.
    last: Option<(i64, i64)>,
}

impl Offsets {
    fn add(&mut self, offset: i64) {
        match &mut self.last {
            Some((_, last)) if *last + 1 == offset => *last = offset,
            _ => {
                self.flush();
                self.last = Some((offset, offset));
            }
        }
    }

    fn flush(&mut self) {
        let Some((first, last)) = self.last.take() else { return };
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(&first.to_string());
        if last > first {
            self.text.push_str(&format!("-{last}"));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

/// Bytes as a header takes them: what is not visible ASCII as `%XX`.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use wasmill_core::PartitionId;

    use super::*;

    fn shape(format: HttpFormat, events_max: usize, bytes_max: usize) -> Shape {
        Shape { sink: "hook".to_owned(), format, events_max, bytes_max, id_header: Some("wasmill-alert-id") }
    }

    fn origin() -> Origin {
        Origin::of(&PartitionId {
            source: "file".to_owned(),
            cluster: String::new(),
            topic: "a b/ü%.jsonl".to_owned(),
            topic_id: "i".to_owned(),
            partition: 0,
        })
    }

    fn rows(offsets: &[i64]) -> Vec<Vec<u8>> {
        let row = |offset: &i64| {
            let mut row = Vec::new();
            row::begin(&mut row, *offset, format!("id{offset}").as_bytes());
            row.extend_from_slice(format!("{{\"n\":{offset}}}").as_bytes());
            row
        };
        offsets.iter().map(row).collect()
    }

    fn request(shape: &Shape, offsets: &[i64]) -> Request {
        let rows = rows(offsets);
        shape.request(&mut origin(), &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn single_request_has_origin_and_own_id() {
        let request = request(&shape(HttpFormat::Single, 1, 1_000), &[7, 8]);
        assert_eq!((request.rows, &request.body[..]), (1, b"{\"n\":7}".as_slice()));
        let origin = ("wasmill-origin", "/a%20b/%C3%BC%25.jsonl/i/0/7".to_owned());
        assert_eq!(request.headers, [origin, ("wasmill-alert-id", "id7".to_owned())]);
    }

    #[test]
    fn several_events_are_an_array_or_lines_with_their_offsets() {
        let array = request(&shape(HttpFormat::Array, 10, 1_000), &[3, 5, 6, 6, 7]);
        assert_eq!(&array.body[..], b"[{\"n\":3},{\"n\":5},{\"n\":6},{\"n\":6},{\"n\":7}]");
        assert!(array.headers[0].1.ends_with("/3,5-6,6-7"), "{:?}", array.headers);
        let lines = request(&shape(HttpFormat::Lines, 10, 1_000), &[3, 4]);
        assert_eq!(
            (&lines.body[..], lines.content_type),
            (b"{\"n\":3}\n{\"n\":4}\n".as_slice(), "application/x-ndjson")
        );
        assert!(lines.headers[0].1.ends_with("/3-4"), "{:?}", lines.headers);
    }

    #[test]
    fn request_ends_at_its_events_its_bytes_and_its_list_of_offsets() {
        let offsets: Vec<i64> = (0..2_000).map(|n| n * 2).collect();
        assert_eq!(request(&shape(HttpFormat::Array, 3, 1_000), &offsets).rows, 3);
        let full = "[{\"n\":0},{\"n\":2}]".len();
        assert_eq!(request(&shape(HttpFormat::Array, 10, full), &offsets).rows, 2);
        assert_eq!(request(&shape(HttpFormat::Array, 10, full - 1), &offsets).rows, 1);
        let listed = request(&shape(HttpFormat::Array, 2_000, 1 << 20), &offsets);
        assert!(listed.rows < 2_000 && listed.headers[0].1.len() < OFFSETS_BYTES_MAX + 100, "{}", listed.rows);
    }

    #[test]
    fn same_rows_have_the_same_id_and_others_another() {
        let id = |offsets: &[i64]| request(&shape(HttpFormat::Array, 10, 1_000), offsets).id;
        assert_eq!(id(&[1, 2]), id(&[1, 2]));
        assert_ne!(id(&[1, 2]), id(&[1]));
        let other = Shape { sink: "other".to_owned(), ..shape(HttpFormat::Array, 10, 1_000) };
        assert_ne!(request(&other, &[1, 2]).id, id(&[1, 2]));
    }
}
