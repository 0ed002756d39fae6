//! Payment cards' numbers: 13 to 19 digits, in groups or not, with a right check digit.

use std::ops::Range;

use crate::bytes;

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// A group that is not the last one has at least so many digits: 4-4-4-4, 4-6-5, 6-13. Lists of small numbers are no cards.
const GROUP_MIN: usize = 4;
/// So many digits stay, for people to tell cards apart.
const KEPT: usize = 4;

/// Whether a text may have such a number in it: its first 13 digits are in at most three words of eight bytes side by side.
#[inline(always)]
pub(crate) fn may_be_in(bytes: &[u8]) -> bool {
    let digits = |word: &[u8; 8]| bytes::count(bytes::digits_and_separators(u64::from_le_bytes(*word))) as usize;
    let (mut before, mut last) = (0, 0);
    for word in bytes.as_chunks().0 {
        let count = digits(word);
        if before + last + count >= DIGITS_MIN {
            return true;
        }
        (before, last) = (last, count);
    }
    // What is left, with some that was counted.
    bytes.last_chunk().is_some_and(|word| before + last + digits(word) >= DIGITS_MIN)
}

/// What is looked at from one group of digits on.
pub(crate) struct Look {
    /// The digits of a card's number that are to be masked.
    pub(crate) card: Option<Range<usize>>,
    /// The end of the first group.
    pub(crate) end: usize,
}

/// The longest number that begins with the group of digits at `at`.
pub(crate) fn look(bytes: &[u8], at: usize) -> Look {
    let first_end = bytes::end_of(bytes, at, |byte| byte.is_ascii_digit());
    let mut card = None;
    // No network's numbers begin with 0 or 1; times in milliseconds and finer do.
    let size = first_end - at;
    let goes_on = size >= GROUP_MIN && bytes.get(first_end).is_some_and(|byte| is_separator(*byte));
    if bytes[at] > b'1' && size <= DIGITS_MAX && (size >= DIGITS_MIN || goes_on) {
        card = end_of_number(bytes, at, first_end).map(|end| at..start_of_kept(bytes, end));
    }
    Look { card, end: first_end }
}

fn end_of_number(bytes: &[u8], start: usize, first_end: usize) -> Option<usize> {
    let mut digits = [0; DIGITS_MAX];
    let mut count = 0;
    let mut number_end = None;
    let (mut at, mut end) = (start, first_end);
    while is_group(bytes, at, end) && count + (end - at) <= DIGITS_MAX {
        digits[count..count + (end - at)].copy_from_slice(&bytes[at..end]);
        count += end - at;
        if count >= DIGITS_MIN && has_right_check_digit(&digits[..count]) {
            number_end = Some(end);
        }
        if end - at < GROUP_MIN || !bytes.get(end).is_some_and(|byte| is_separator(*byte)) {
            break;
        }
        at = end + 1;
        // Not further than where it is too long, whatever follows.
        let looked_at = &bytes[..bytes.len().min(at + DIGITS_MAX + 1)];
        end = bytes::end_of(looked_at, at, |byte| byte.is_ascii_digit());
    }
    number_end
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-')
}

/// Whether digits stand for themselves: not in a word or in a number with a fraction, nor as a name's number, as in `blk_7` and `blk_-7`.
fn is_group(bytes: &[u8], at: usize, end: usize) -> bool {
    let byte = |place: Option<usize>| place.and_then(|place| bytes.get(place)).copied().unwrap_or(0);
    let (before, after) = (byte(at.checked_sub(1)), byte(Some(end)));
    let is_fraction = before == b'.' && byte(at.checked_sub(2)).is_ascii_digit();
    let has_fraction = after == b'.' && byte(Some(end + 1)).is_ascii_digit();
    let is_of_name = before == b'_' || (before == b'-' && byte(at.checked_sub(2)) == b'_');
    at < end
        && !is_of_name
        && !before.is_ascii_alphabetic()
        && !after.is_ascii_alphabetic()
        && !is_fraction
        && !has_fraction
}

/// By Luhn: every second digit from the right counts twice, and the sum of all digits is a multiple of ten.
fn has_right_check_digit(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let digit = u32::from(digit - b'0');
        let doubled = 2 * digit;
        sum += if place % 2 == 0 {
            digit
        } else if doubled > 9 {
            doubled - 9
        } else {
            doubled
        };
    }
    sum % 10 == 0
}

/// Where the last digits of a number begin that ends at `end`.
fn start_of_kept(bytes: &[u8], end: usize) -> usize {
    let mut digits = (0..end).rev().filter(|at| bytes[*at].is_ascii_digit());
    digits.nth(KEPT - 1).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_escapes_the_look_at_words() {
        for number in ["4222222222222", "4222-222222-222", "4222 2222 2222 2", "422222 2222222"] {
            for before in 0..20 {
                for after in 0..20 {
                    let text = [&"x".repeat(before), number, &"x".repeat(after)].concat();
                    assert!(may_be_in(text.as_bytes()), "{text}");
                }
            }
        }
        assert!(!may_be_in(b"GET /orders/118273 took 250 ms, from 10.20.30.40 (retry 0)"));
    }

    #[test]
    fn check_digits_are_those_of_luhn() {
        for right in ["4111111111111111", "378282246310005", "30569309025904", "6011000990139424", "4222222222222"] {
            assert!(has_right_check_digit(right.as_bytes()), "{right}");
            let other = right.parse::<u64>().unwrap() + 1;
            assert!(!has_right_check_digit(other.to_string().as_bytes()), "{other}");
        }
    }
}
