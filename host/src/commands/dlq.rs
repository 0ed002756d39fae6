//! `wasmill dlq`: dead letters are listed, shown, replayed and discarded. The pipeline may run meanwhile.

mod choice;
mod discard;
mod json;
mod list;
mod payload;
mod replay;
mod show;

use crate::cli::{DlqArgs, DlqCommand, PlaceArgs};
use crate::commands::{Exit, load};
use crate::config::Config;
use crate::pipeline::{LettersPlace, open_letters};
use crate::store::Store;

/// Runs one of the sub-commands.
///
/// # Errors
/// When the letters cannot be read or written.
pub async fn run(args: &DlqArgs) -> anyhow::Result<Exit> {
    match &args.command {
        DlqCommand::List(args) => list::run(args).await,
        DlqCommand::Show(args) => show::run(args).await,
        DlqCommand::Replay(args) => replay::run(args).await,
        DlqCommand::Discard(args) => discard::run(args).await,
    }
}

/// Where the letters of a pipeline are; or how the command ends.
fn place<'c>(config: &'c Config, args: &PlaceArgs) -> Result<LettersPlace<'c>, Exit> {
    LettersPlace::find(config, &args.options()).map_err(Exit::failed)
}

/// The database with the letters; or how the command ends.
async fn letters(args: &PlaceArgs) -> Result<Store, Exit> {
    let config = load(&args.config)?;
    let opened = open_letters(&config, &place(&config, args)?).await;
    opened.map_err(|error| Exit::bad_setup(error.to_string()))
}
