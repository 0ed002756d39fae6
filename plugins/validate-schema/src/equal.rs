//! Equality of JSON values: numbers by their value, objects whatever the order of their members.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::number::{self, Decimal};
use crate::tape::{Json, Kind};

/// Elements or members up to which each is compared with each.
const FEW: u32 = 16;

/// A value and the text that it is in.
pub(crate) type At<'t> = (Json<'t>, u32);

/// Whether two values are equal.
pub(crate) fn equal(a: At<'_>, b: At<'_>) -> bool {
    let kind = a.0.kind(a.1);
    if kind != b.0.kind(b.1) {
        return false;
    }
    match kind {
        Kind::Number => number::equal(a.0.text(a.1), b.0.text(b.1)),
        Kind::Text => a.0.text(a.1) == b.0.text(b.1),
        Kind::Array => {
            a.0.count(a.1) == b.0.count(b.1)
                && a.0.elements(a.1).zip(b.0.elements(b.1)).all(|(one, other)| equal((a.0, one), (b.0, other)))
        }
        Kind::Object => a.0.count(a.1) == b.0.count(b.1) && members_equal(a, b),
        Kind::Null | Kind::False | Kind::True | Kind::Shadowed => true,
    }
}

/// Of objects with as many members.
fn members_equal(a: At<'_>, b: At<'_>) -> bool {
    if a.0.count(a.1) <= FEW {
        return a.0.members(a.1).all(|key| {
            let other = b.0.get(b.1, a.0.text(key));
            other.is_some_and(|other| equal((a.0, key + 1), (b.0, other)))
        });
    }
    let pairs = sorted(a).into_iter().zip(sorted(b));
    pairs.into_iter().all(|(one, other)| a.0.text(one) == b.0.text(other) && equal((a.0, one + 1), (b.0, other + 1)))
}

fn sorted((json, object): At<'_>) -> Vec<u32> {
    let mut keys: Vec<u32> = json.members(object).collect();
    keys.sort_unstable_by_key(|key| json.text(*key));
    keys
}

/// The first element of an array that is equal to an earlier one, by its place in the array.
pub(crate) fn repeated(json: Json<'_>, array: u32) -> Option<usize> {
    if json.count(array) <= FEW {
        let is_repeated = |(place, element): (usize, u32)| {
            json.elements(array).take(place).any(|earlier| equal((json, earlier), (json, element))).then_some(place)
        };
        return json.elements(array).enumerate().find_map(is_repeated);
    }
    let mut digests: Vec<(u64, usize, u32)> =
        json.elements(array).enumerate().map(|(place, element)| (digest(json, element), place, element)).collect();
    digests.sort_unstable();
    let same = digests.chunk_by(|a, b| a.0 == b.0);
    let repeated = same.filter_map(|run| {
        let is_repeated = |(number, one): (usize, &(u64, usize, u32))| {
            run[..number].iter().any(|earlier| equal((json, earlier.2), (json, one.2))).then_some(one.1)
        };
        run.iter().enumerate().find_map(is_repeated)
    });
    repeated.min()
}

/// Equal values have the same.
fn digest(json: Json<'_>, node: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    let kind = json.kind(node);
    (kind as u8).hash(&mut hasher);
    match kind {
        Kind::Number => Decimal::new(json.text(node)).hash(&mut hasher),
        Kind::Text => json.text(node).hash(&mut hasher),
        Kind::Array => json.elements(node).for_each(|element| digest(json, element).hash(&mut hasher)),
        Kind::Object => {
            let member = |key| {
                let mut hasher = DefaultHasher::new();
                (json.text(key), digest(json, key + 1)).hash(&mut hasher);
                hasher.finish()
            };
            json.members(node).map(member).fold(0, u64::wrapping_add).hash(&mut hasher);
        }
        Kind::Null | Kind::False | Kind::True | Kind::Shadowed => {}
    }
    hasher.finish()
}
