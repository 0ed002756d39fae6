//! `wasmill schema`: what may be written in a pipeline's file.

use crate::cli::{SchemaArgs, SchemaFormat};
use crate::config;

/// The JSON Schema, or the reference in Markdown, as it is to be printed.
pub fn schema(args: &SchemaArgs) -> String {
    match args.format {
        SchemaFormat::Json => format!("{:#}\n", config::json_schema()),
        SchemaFormat::Markdown => config::reference(),
    }
}
