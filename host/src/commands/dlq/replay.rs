//! `wasmill dlq replay`: letters go through the plugins as they are now, and to the sinks.

use serde_json::{Value, json};

use super::choice::{Choice, Chosen, absent};
use super::list::by;
use super::{json as letters_json, place};
use crate::cli::{Output, ReplayArgs};
use crate::commands::{Exit, load, print, say};
use crate::letters::{Letter, LetterState, Standing};
use crate::pipeline::{Became, Replayer};
use crate::terminal::all_visible;

/// What came of a replay.
#[derive(Default)]
struct Counts {
    replayed: u64,
    /// Of those: what an earlier replay had stored.
    were_there: u64,
    rejected: u64,
    parked: u64,
    skipped: u64,
}

pub(super) async fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let choice = match Choice::new(&args.ids, &args.filter, args.all, &[LetterState::Waiting]) {
        Ok(choice) => choice,
        Err(reason) => return Ok(Exit::failed(reason)),
    };
    let replayer = match open(args).await {
        Ok(replayer) => replayer,
        Err(exit) => return Ok(exit),
    };
    let mut counts = Counts::default();
    let done = replay(args, choice, &replayer, &mut counts).await;
    // What was done before an error is done.
    tell_counts(args, &counts);
    done
}

async fn open(args: &ReplayArgs) -> Result<Replayer, Exit> {
    let config = load(&args.place.config)?;
    let place = place(&config, &args.place)?;
    Replayer::open(&config, &place).await.map_err(|error| Exit::bad_setup(error.to_string()))
}

async fn replay(
    args: &ReplayArgs,
    mut choice: Choice,
    replayer: &Replayer,
    counts: &mut Counts,
) -> anyhow::Result<Exit> {
    let letters = replayer.letters();
    // One replay at a time: a second one finds nothing left to do, and sends nothing twice.
    let _locked = letters.lock_letters().await?;
    choice.end_here(letters).await?;
    while let Some(chosen) = choice.next(letters).await? {
        let letter = match chosen {
            Chosen::Letter(letter) => letter,
            Chosen::Absent(id) => return Ok(Exit::failed(absent(id))),
        };
        let became = match letter.standing.state {
            LetterState::Replayed | LetterState::Discarded => {
                Ok(Became::Skipped(format!("it is {}", letter.standing.state.as_str())))
            }
            LetterState::Waiting | LetterState::Parked if args.dry_run => {
                replayer.try_out(&letter, args.max_attempts).await
            }
            LetterState::Waiting | LetterState::Parked => replayer.replay(&letter, args.max_attempts).await,
        };
        match became {
            Ok(became) => tell(args, &letter, &became, counts),
            Err(reason) => {
                return Ok(Exit::failed(format!(
                    "letter {} and those behind it stay as they are: {reason}",
                    letter.stored.id
                )));
            }
        }
    }
    Ok(Exit::success())
}

/// Counts what became of a letter, and tells people what is not well, and programs everything.
fn tell(args: &ReplayArgs, letter: &Letter, became: &Became, counts: &mut Counts) {
    let id = letter.stored.id;
    let would = if args.dry_run { "would be " } else { "" };
    let told = match became {
        Became::Skipped(why) => {
            counts.skipped += 1;
            Some(format!("letter {id} stays as it is: {why}"))
        }
        Became::Settled { standing, was_there } => {
            counts.were_there += u64::from(*was_there);
            match standing.state {
                LetterState::Waiting => counts.rejected += 1,
                LetterState::Parked => counts.parked += 1,
                LetterState::Replayed | LetterState::Discarded => counts.replayed += 1,
            }
            rejection(letter, standing).map(|why| format!("letter {id} {would}{why}"))
        }
    };
    match args.format {
        Output::Json => print(&format!("{}\n", as_json(letter, became, args.dry_run))),
        Output::Text => told.iter().for_each(|told| print(&format!("{told}\n"))),
    }
}

/// That a letter is rejected again, and why; `None`: it is not.
fn rejection(letter: &Letter, standing: &Standing) -> Option<String> {
    let how = match standing.state {
        LetterState::Waiting => format!("rejected again (attempt {})", standing.attempts),
        LetterState::Parked => format!("parked after {} attempts", standing.attempts),
        LetterState::Replayed | LetterState::Discarded => return None,
    };
    let rejected = standing.again.as_ref()?;
    let by = by(rejected.plugin.as_deref(), letter.sink().map(|sink| &**sink));
    Some(format!("{how}: {} by {by}: {}", all_visible(&rejected.code), all_visible(&rejected.reason)))
}

fn as_json(letter: &Letter, became: &Became, is_dry: bool) -> Value {
    match became {
        Became::Skipped(why) => json!({ "id": letter.stored.id, "skipped": why, "dry_run": is_dry }),
        Became::Settled { standing, was_there } => {
            let mut settled = letter.clone();
            settled.standing = standing.clone();
            let mut object = letters_json::listed(&settled);
            object["was_there"] = json!(was_there);
            object["dry_run"] = json!(is_dry);
            object
        }
    }
}

fn tell_counts(args: &ReplayArgs, counts: &Counts) {
    let Counts { replayed, were_there, rejected, parked, skipped } = counts;
    if args.format == Output::Json {
        let counts = json!({
            "replayed": replayed, "were_there": were_there, "rejected": rejected, "parked": parked, "skipped": skipped,
            "dry_run": args.dry_run,
        });
        print(&format!("{}\n", json!({ "counts": counts })));
        return;
    }
    let would = if args.dry_run { "nothing was written; there would be " } else { "" };
    print(&format!(
        "{would}{replayed} replayed, {rejected} rejected again, {parked} parked, {skipped} left as they are\n"
    ));
    if *were_there > 0 {
        say(&format!("of those replayed, {were_there} were stored by an earlier replay already\n"));
    }
}
