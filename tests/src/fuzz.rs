//! Fuzzing on stable Rust, in the process: changed inputs of a corpus, for a number of tries or a time.
//!
//! There is no feedback from the code's branches. What takes its place is the outcome: a target answers it as a text, and an input with
//! an outcome of a new form joins those that are changed further. Seeds are printed, and the same seed makes the same inputs; an input
//! that fails is kept in a file.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a long run says its seed and how far it is; tests capture it"
)]

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::pipeline::root;

/// Seconds for each target; without it a number of tries.
pub const SECONDS: &str = "WASMILL_FUZZ_SECONDS";
/// The seed; without it a fixed one where tries are counted, and any where time is.
pub const SEED: &str = "WASMILL_FUZZ_SEED";

/// Tries of each target in a test run.
const TRIES: u64 = 3_000;
/// Inputs that are changed further; beyond them a new one takes the place of another.
const INPUTS_MAX: usize = 4_000;
/// Bytes of an input.
const INPUT_BYTES_MAX: usize = 8 << 10;
/// Changes of an input for one try.
const CHANGES_MAX: usize = 6;
/// Characters of an outcome that its form is told by.
const FORM_CHARS: usize = 300;
/// Bytes that mean something to numbers, texts or JSON.
const TELLING: &[u8] = b"\x00\x01\x7f\x80\xff{}[]\",:\\'-+.eE0159 \n\tutfn/;|&*#%$@<>";

/// Checks changed inputs of `tests/corpora/NAME`, and every one of these as it is. `check` gives the outcome, and panics where it must
/// not be.
///
/// # Panics
/// When `check` did, after the input is kept in a file that the message names.
pub fn fuzz(name: &str, mut check: impl FnMut(&[u8]) -> String) {
    let mut inputs = corpus(&root().join("tests/corpora").join(name));
    let time = number(SECONDS).map(Duration::from_secs);
    let seed = number(SEED).unwrap_or_else(|| if time.is_some() { fastrand::u64(..) } else { 1 });
    println!("fuzz {name}: seed {seed}");
    let mut outcomes: HashSet<String> =
        inputs.iter().map(|input| form(&watched(name, seed, input, &mut check))).collect();
    let (mut rng, began, mut tries) = (Rng::with_seed(seed), Instant::now(), 0);
    while time.map_or(tries < TRIES, |time| began.elapsed() < time) {
        let input = changed(&inputs, &mut rng);
        if outcomes.insert(form(&watched(name, seed, &input, &mut check))) {
            match inputs.len() {
                INPUTS_MAX.. => {
                    let place = rng.usize(..INPUTS_MAX);
                    inputs[place] = input;
                }
                _ => inputs.push(input),
            }
        }
        tries += 1;
    }
    println!("fuzz {name}: {tries} inputs, {} forms of outcomes", outcomes.len());
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// The files of a folder, in the order of their names.
fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
        .iter()
        .map(|file| fs::read(file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display())))
        .collect()
}

/// The outcome without what differs from input to input: digits, and what is quoted.
fn form(outcome: &str) -> String {
    let plain = outcome.split('"').step_by(2).flat_map(str::chars);
    plain.filter(|c| !c.is_ascii_digit()).take(FORM_CHARS).collect()
}

fn watched(name: &str, seed: u64, input: &[u8], check: &mut impl FnMut(&[u8]) -> String) -> String {
    catch_unwind(AssertUnwindSafe(|| check(input))).unwrap_or_else(|panic| {
        let digest = wasmill_core::Digest::of(input);
        let file = std::env::temp_dir().join(format!("wasmill-fuzz-{name}-{digest:#}"));
        let kept = fs::write(&file, input).map_or_else(|error| error.to_string(), |()| file.display().to_string());
        eprintln!("fuzz {name}: seed {seed}: this input failed, once mended keep it in tests/corpora/{name}: {kept}");
        resume_unwind(panic)
    })
}

/// One of the inputs with some changes.
fn changed(inputs: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = inputs[rng.usize(..inputs.len())].clone();
    for _ in 0..rng.usize(1..=CHANGES_MAX) {
        change(&mut input, inputs, rng);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(..=input.len());
    let end = (at + rng.usize(..=16)).min(input.len());
    match rng.u8(..9) {
        0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
        1 if at < input.len() => input[at] = telling(rng),
        2 if at < input.len() => input[at] = input[at].wrapping_add(rng.u8(..)),
        3 => input.insert(at, telling(rng)),
        4 => drop(input.drain(at..end)),
        5 => {
            let part = input[at..end].to_vec();
            input.splice(at..at, part.repeat(rng.usize(1..=8)));
        }
        6 => input.truncate(at),
        7 => {
            let other = &inputs[rng.usize(..inputs.len())];
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(..=64)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => drop(input.splice(at..end, rng.u64(..).to_le_bytes())),
    }
}

fn telling(rng: &mut Rng) -> u8 {
    TELLING[rng.usize(..TELLING.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_one_others() {
        let corpus = vec![b"some input".to_vec(), b"another one".to_vec()];
        let made = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..100).map(|_| changed(&corpus, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(1).iter().filter(|input| !corpus.contains(input)).count() > 80);
    }

    #[test]
    fn outcomes_that_differ_in_numbers_and_quotes_alone_have_one_form() {
        assert_eq!(form("3 of \"a\" at 17"), form("4 of \"b\" at 1"));
        assert_ne!(form("too long"), form("too short"));
    }

    #[test]
    fn failing_input_is_kept_in_a_file() {
        let input = b"an input that fails";
        let failed = catch_unwind(|| watched("unit", 7, input, &mut |_| panic!("as it must")));
        assert!(failed.is_err());
        let kept = std::env::temp_dir().join(format!("wasmill-fuzz-unit-{:#}", wasmill_core::Digest::of(input)));
        assert_eq!(fs::read(&kept).unwrap(), input);
        fs::remove_file(kept).unwrap();
    }
}
