//! A validator with the mistakes that authors make, one at a time: its config says which. `wasmill plugin check` is to find each.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use wasmill_sdk::{Config, Fields, Verdict};

/// What it reads.
#[derive(Fields)]
pub struct Event<'a> {
    text: &'a str,
    n: Option<i64>,
}

/// What it says.
#[derive(Config)]
pub struct Settings {
    mistake: Mistake,
}

/// What is wrong with it.
#[derive(Clone, Copy, Config)]
enum Mistake {
    /// Nothing.
    None,
    /// It takes for granted that a text is not empty.
    PanicsOnEmpty,
    /// It compares each byte of a text with each other one.
    Quadratic,
    /// It frees nothing.
    Leaks,
    /// It counts events in a static variable, which lives as long as the instance does.
    Counts,
    /// It asks what time it is.
    Clock,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Does what its config says.
#[wasmill_sdk::validator]
pub fn judge(event: Event<'_>, settings: &Settings) -> Verdict {
    let bytes = event.text.as_bytes();
    match settings.mistake {
        Mistake::None => {}
        Mistake::PanicsOnEmpty => drop(black_box(bytes[0])),
        Mistake::Quadratic => {
            let pairs = bytes.iter().flat_map(|one| bytes.iter().map(move |other| (one, other)));
            black_box(pairs.filter(|pair| black_box(pair.0 == pair.1)).count());
        }
        Mistake::Leaks => {
            black_box(Vec::leak(vec![1_u8; 64 << 10]));
        }
        Mistake::Counts => {
            if COUNT.fetch_add(1, Ordering::Relaxed) == 2 {
                return Verdict::reject("third", "it is the third one");
            }
        }
        Mistake::Clock => {
            black_box((SystemTime::now(), RandomState::new().hash_one(event.n)));
        }
    }
    Verdict::pass()
}
