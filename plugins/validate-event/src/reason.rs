//! Rejections as sentences. All are off the good path, so none is inlined into it.

use wasmill_sdk::Rejection;

/// Characters of an event's value that a reason shows.
const SHOWN_CHARS: usize = 40;
/// Words of a set that a reason shows.
const SHOWN_WORDS: usize = 10;

/// A value from an event, shortened and with control characters escaped, in backticks.
pub(crate) fn quoted(value: &str) -> String {
    let mut quoted = String::from("`");
    let mut chars = value.chars();
    quoted.extend(chars.by_ref().take(SHOWN_CHARS).flat_map(char::escape_debug));
    quoted.push_str(if chars.next().is_some() { "...`" } else { "`" });
    quoted
}

#[cold]
pub(crate) fn wrong_type(path: &str, noun: &str) -> Rejection {
    Rejection::new("wrong_type", format!("the field `{path}` is not {noun}"))
}

#[cold]
pub(crate) fn not_allowed(path: &str, value: &str, words: &[String]) -> Rejection {
    let shown = words.iter().take(SHOWN_WORDS).map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
    let more =
        if words.len() > SHOWN_WORDS { format!(" and {} more", words.len() - SHOWN_WORDS) } else { String::new() };
    // Known to everybody by its own name.
    let code = if path.rsplit('.').next() == Some("severity") { "bad_severity" } else { "not_allowed" };
    Rejection::new(code, format!("the field `{path}` is {}, which is not one of {shown}{more}", quoted(value)))
}

#[cold]
pub(crate) fn too_many_bytes(path: &str, bytes: usize, max: usize) -> Rejection {
    Rejection::new("too_long", format!("the field `{path}` has {bytes} bytes; at most {max} are allowed"))
}

#[cold]
pub(crate) fn too_long(path: &str, chars: usize, max: usize) -> Rejection {
    Rejection::new("too_long", format!("the field `{path}` has {chars} characters; at most {max} are allowed"))
}

#[cold]
pub(crate) fn too_short(path: &str, chars: usize, min: usize) -> Rejection {
    Rejection::new("too_short", format!("the field `{path}` has {chars} characters; at least {min} are needed"))
}

#[cold]
pub(crate) fn control_character(path: &str, text: &str, position: usize) -> Rejection {
    let char = text.chars().nth(position).unwrap_or_default();
    let code = u32::from(char);
    let reason = format!("the field `{path}` has the control character U+{code:04X} at character {position}");
    Rejection::new("control_character", reason)
}

#[cold]
pub(crate) fn bad_timestamp(path: &str, value: &str, why: &str) -> Rejection {
    Rejection::new("bad_timestamp", format!("the field `{path}` is {value}: {why}"))
}

#[cold]
pub(crate) fn too_old(path: &str, value: &str, behind_us: i64, max_us: i64) -> Rejection {
    let (behind, max) = (spoken(behind_us), spoken(max_us));
    let reason = format!("the field `{path}` is {value}, {behind} before the record's time; at most {max} is allowed");
    Rejection::new("too_old", reason)
}

#[cold]
pub(crate) fn in_the_future(path: &str, value: &str, ahead_us: i64, max_us: i64) -> Rejection {
    let (ahead, max) = (spoken(ahead_us), spoken(max_us));
    let reason = format!("the field `{path}` is {value}, {ahead} after the record's time; at most {max} is allowed");
    Rejection::new("in_the_future", reason)
}

/// A duration in its two largest units: `5 min 30 s`.
fn spoken(us: i64) -> String {
    const UNITS: [(i64, &str); 6] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "us")];
    let mut rest = us;
    let mut parts = Vec::new();
    for (unit_us, unit) in UNITS {
        if rest >= unit_us && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / unit_us));
            rest %= unit_us;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}
