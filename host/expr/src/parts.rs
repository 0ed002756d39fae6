//! Parts of a text without the panic of a slice: that one tells of characters, and brings 7 kB of Unicode's tables into each component.
//! Who asks has found the place in the text, so that it lies in it, and between two characters.

/// The text from a place on.
#[inline(never)]
pub(crate) fn from(text: &str, place: usize) -> &str {
    text.get(place..).unwrap_or_default()
}

/// The text up to a place.
#[inline(never)]
pub(crate) fn until(text: &str, place: usize) -> &str {
    text.get(..place).unwrap_or_default()
}
