//! Documents: the JSON objects that are scanned. Of a topic of JSON they are the payloads; a line of text becomes one here.

use crate::{RawBatch, Span, string};

/// What the payloads of a source are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON objects.
    #[default]
    Json,
    /// A text each, in UTF-8: the object `{"message": <the text>}`. A line ending at its end is left out.
    Text,
}

/// What stands before the text.
const BEFORE: &[u8] = br#"{"message":"#;

/// One object per event, made of what is no JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    arena: Vec<u8>,
    /// By event; `None` where none could be made.
    spans: Vec<Option<Span>>,
}

impl Documents {
    /// Objects of the payloads that are UTF-8 and have at most `bytes_max` bytes.
    pub(crate) fn of_text(raw: &RawBatch, bytes_max: usize) -> Self {
        let mut documents =
            Self { arena: Vec::with_capacity(raw.bytes() + raw.len() * (BEFORE.len() + 4)), spans: Vec::new() };
        for index in 0..raw.len() {
            let text = raw.payload(index).filter(|payload| payload.len() <= bytes_max);
            let span = text.filter(|payload| std::str::from_utf8(payload).is_ok()).map(|text| documents.push(text));
            documents.spans.push(span);
        }
        documents
    }

    fn push(&mut self, text: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(BEFORE);
        string::quote(without_line_ending(text), &mut self.arena);
        self.arena.push(b'}');
        u32::try_from(self.arena.len()).expect("batches are cut far below 4 GiB");
        Span { start: start as u32, len: (self.arena.len() - start) as u32 }
    }

    /// The object of event `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        self.spans[index]?.get(&self.arena)
    }
}

fn without_line_ending(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}
