//! What a validator answers.

use std::borrow::Cow;

use crate::field::{FixedField, State};
use crate::fields::Unfit;
use crate::words::joined;

/// A validator's answer about one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict(Action);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Action {
    #[default]
    Pass,
    Drop,
    /// Boxed, so that the good path moves a word and not a reason.
    Reject(Box<Rejection>),
}

/// Why an event is rejected.
///
/// ```
/// use wasmill_sdk::{Fields, Loaded, Rejection};
///
/// #[derive(Fields)]
/// struct Log<'a> { at: &'a str }
///
/// #[wasmill_sdk::validator]
/// fn dated(log: Log<'_>) -> Result<(), Rejection> {
///     let year: u16 = log.at.get(..4).and_then(|year| year.parse().ok()).ok_or_else(|| Rejection::new("no_year", "it begins with no year"))?;
///     if year < 2000 { Err(Rejection::new("old", format!("it is of {year}"))) } else { Ok(()) }
/// }
///
/// let plugin = Loaded::<dated>::configure("{}").unwrap();
/// let verdicts = plugin.validate_json(&[r#"{"at": "2026-01-01"}"#, r#"{"at": "1999-12-31"}"#]);
/// assert!(verdicts[0].is_pass());
/// assert_eq!(verdicts[1].rejection(), Some(&Rejection::new("old", "it is of 1999")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// A short stable word, such as `bad_severity`.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub reason: Cow<'static, str>,
}

impl Verdict {
    /// The event goes on.
    #[inline]
    pub fn pass() -> Self {
        Verdict(Action::Pass)
    }

    /// The event is not interesting: it is counted and goes no further.
    #[inline]
    pub fn drop() -> Self {
        Verdict(Action::Drop)
    }

    /// The event is wrong: it goes to the dead letters. `code` is a short stable word such as `bad_severity`; `reason` is a
    /// sentence for people.
    #[cold]
    pub fn reject(code: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Rejection { code: code.into(), reason: reason.into() }.into()
    }

    /// Whether the event goes on.
    pub fn is_pass(&self) -> bool {
        self.0 == Action::Pass
    }

    /// Whether the event is dropped.
    pub fn is_drop(&self) -> bool {
        self.0 == Action::Drop
    }

    /// Why the event is rejected, if it is.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.0 {
            Action::Reject(rejection) => Some(rejection),
            _ => None,
        }
    }
}

impl Rejection {
    /// A rejection, for functions that answer `Result<(), Rejection>`.
    #[cold]
    pub fn new(code: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Rejection { code: code.into(), reason: reason.into() }
    }

    /// Of an event that lacks what the plugin's struct demands.
    #[cold]
    fn of_unfit(unfit: Unfit, fields: &[FixedField]) -> Self {
        let FixedField { path, noun, .. } = fields[unfit.field];
        let (code, is, what) = match unfit.state {
            State::Absent => ("missing_field", "absent", ""),
            State::Null => ("missing_field", "null", ""),
            _ => ("wrong_type", "not ", noun),
        };
        Rejection::new(code, joined(&["the field `", path, "` is ", is, what]))
    }
}

/// What a validator's function may answer: a [`Verdict`], or `Result<(), Rejection>` for one that never drops.
#[diagnostic::on_unimplemented(
    message = "a validator's function cannot answer `{Self}`",
    label = "no verdict",
    note = "write `-> wasmill_sdk::Verdict`, or `-> Result<(), wasmill_sdk::Rejection>` to reject by `?`"
)]
pub trait Answer {
    #[doc(hidden)]
    fn into_verdict(self) -> Verdict;
}

impl Answer for Verdict {
    #[inline]
    fn into_verdict(self) -> Verdict {
        self
    }
}

impl Answer for Result<(), Rejection> {
    #[inline]
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}

impl From<Rejection> for Verdict {
    #[cold]
    fn from(rejection: Rejection) -> Self {
        Verdict(Action::Reject(Box::new(rejection)))
    }
}

impl From<Result<(), Rejection>> for Verdict {
    #[inline]
    fn from(result: Result<(), Rejection>) -> Self {
        match result {
            Ok(()) => Verdict::pass(),
            Err(rejection) => rejection.into(),
        }
    }
}

/// The verdicts on a batch, as they cross the boundary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// A byte per event: 0 pass, 1 drop, 2 reject.
    pub actions: Vec<u8>,
    /// One for each rejected event, in event order.
    pub rejections: Vec<(u32, Rejection)>,
}

impl Verdicts {
    pub(crate) fn passed(events: usize) -> Self {
        Verdicts { actions: vec![0; events], rejections: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, event: usize, verdict: Verdict) {
        match verdict.0 {
            Action::Pass => {}
            Action::Drop => self.actions[event] = 1,
            Action::Reject(rejection) => self.reject(event, *rejection),
        }
    }

    #[cold]
    #[inline(never)]
    fn reject(&mut self, event: usize, rejection: Rejection) {
        self.actions[event] = 2;
        self.rejections.push((event as u32, rejection));
    }

    #[cold]
    pub(crate) fn reject_unfit(&mut self, event: usize, unfit: Unfit, fields: &[FixedField]) {
        self.reject(event, Rejection::of_unfit(unfit, fields));
    }
}
