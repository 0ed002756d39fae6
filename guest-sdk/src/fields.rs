//! The struct of the fields that a plugin reads.

use crate::batch::Reader;
use crate::field::{FixedField, State};

/// What a plugin reads of each event. Implemented by `#[derive(Fields)]`.
///
/// | a field of type | holds | event that does not fit |
/// |---|---|---|
/// | `&'a str`, `i64`, `f64`, `bool`, `Json<'a>` | the value | see below |
/// | `&'a [u8]` | the bytes of a text | see below |
/// | `IpAddr`, `Ipv4Addr`, `Ipv6Addr` | the address in a text | see below; also where the text is none |
/// | [`Timestamp`](crate::Timestamp) | the time in a text, as RFC 3339 has it | see below; also where the text is none |
/// | an enum with [`macro@crate::FieldEnum`] | the variant whose word the text is | see below; also where it is none of them |
/// | `Option<T>` of these | `None`: absent, null, of another type, or no such value | |
/// | [`Slot<T>`](crate::Slot) of these | the value, or which of the three | |
/// | `#[field(raw)]` `&'a str`, `&'a [u8]` | the whole payload | |
/// | `#[field(reverse_dns = "source.ip")]` `Option<&'a str>` | the name of the address at the path | |
/// | `#[field(time)]` `i64` | the event's time, nanoseconds since 1970 | |
/// | `#[field(dynamic)]` [`Slots<'a>`](crate::Slots) | the fields that only the config names | |
///
/// `#[field(path = "source.ip")]` names a path; else it is the field's own name. `f64` takes JSON integers too; `i64` takes
/// no number with a fraction.
///
/// An event that lacks a value that is not optional never reaches the plugin's function:
/// - of a **validator** it is rejected: by the host where the value is absent or null (`missing_field`), by the SDK where it
///   is of another type, or no such value (`wrong_type`);
/// - an **enricher** leaves it as it is;
/// - an **alerter** raises nothing about it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which fields it reads",
    note = "put `#[derive(wasmill_sdk::Fields)]` on the struct that the plugin's function takes first"
)]
pub trait Fields<'a>: Sized {
    #[doc(hidden)]
    const FIELDS: &'static [FixedField];
    #[doc(hidden)]
    const DYNAMIC: bool;
    #[doc(hidden)]
    fn read(reader: Reader<'a, Self>) -> Result<Self, Unfit>;
}

/// An event that does not fit a `Fields` struct.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Unfit {
    /// The number of the field in `Fields::FIELDS`.
    pub field: usize,
    /// Never `Present`.
    pub state: State,
}
