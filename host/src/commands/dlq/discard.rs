//! `wasmill dlq discard`: letters are given up, with a reason.

use serde_json::json;

use super::choice::{Choice, Chosen, absent};
use super::letters;
use crate::cli::{DiscardArgs, Output};
use crate::commands::{Exit, print, say};
use crate::letters::LetterState;

/// What may be given up.
const OPEN: [LetterState; 2] = [LetterState::Waiting, LetterState::Parked];

pub(super) async fn run(args: &DiscardArgs) -> anyhow::Result<Exit> {
    let mut choice = match Choice::new(&args.ids, &args.filter, args.all, &OPEN) {
        Ok(choice) => choice,
        Err(reason) => return Ok(Exit::failed(reason)),
    };
    let store = match letters(&args.place).await {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    // A replay may be at the same letters.
    let _locked = store.lock_letters().await?;
    let (mut discarded, mut missing) = (0_u64, 0_u64);
    while let Some(chosen) = choice.next(&store).await? {
        let letter = match chosen {
            Chosen::Letter(letter) => letter,
            Chosen::Absent(id) => {
                missing += 1;
                say(&format!("{}\n", absent(id)));
                continue;
            }
        };
        if !OPEN.contains(&letter.standing.state) {
            say(&format!("letter {} stays as it is: it is {}\n", letter.stored.id, letter.standing.state.as_str()));
        } else if store.settle_letter(&letter, &letter.discarded(&args.reason)).await? {
            discarded += 1;
        }
    }
    match args.format {
        Output::Json => print(&format!("{}\n", json!({ "discarded": discarded }))),
        Output::Text => print(&format!("{discarded} discarded\n")),
    }
    Ok(if missing == 0 { Exit::success() } else { Exit::failed(format!("{missing} of the letters are not there")) })
}
