//! One plugin under many digests: what a swap to other code is, without other code.

use std::fs;
use std::io;
use std::path::Path;

use crate::pipeline::built;

/// It cleans a field that no event has.
const SETTINGS: &str = "config: { fields: [no.event.has.this] }\n";

/// A plugin that leaves events as they are, in as many files as there are numbers.
#[derive(Debug)]
pub struct Variants {
    bytes: Vec<u8>,
}

impl Variants {
    /// Of `enrich-clean`.
    ///
    /// # Errors
    /// When that is not built.
    pub fn new() -> io::Result<Self> {
        Ok(Self { bytes: fs::read(built("enrich-clean"))? })
    }

    /// Moves the one of this number into its place in a plugin directory, where another one may stand.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, directory: &Path, number: usize) -> io::Result<()> {
        let (new, place) = (directory.join(".90-enrich-clean.wasm"), directory.join("90-enrich-clean.wasm"));
        // A custom section: one byte for its length, one for that of its name.
        let name = format!("v{number}");
        let section = [&[0, name.len() as u8 + 1, name.len() as u8], name.as_bytes()].concat();
        fs::write(&new, [&self.bytes, &section[..]].concat())?;
        fs::write(place.with_extension("yaml"), SETTINGS)?;
        fs::rename(new, place)
    }

    /// Writes the beginning of one, which is no plugin.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_half(&self, file: &Path) -> io::Result<()> {
        fs::write(file, &self.bytes[..self.bytes.len() / 2])
    }
}
