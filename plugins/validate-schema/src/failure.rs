//! What is wrong with an event, before it is a sentence: most of it happens inside `anyOf` and its kin, where nobody reads it.

use std::num::NonZeroU64;

/// What is wrong, and with which value, in one word: there is one of them in every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure(NonZeroU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The number of the keyword that the value does not fit.
    Keyword(u32),
    /// Over [`DEPTH_MAX`](crate::check::DEPTH_MAX).
    TooDeep,
    /// Over the config's `steps_max`.
    TooCostly,
}

impl Failure {
    #[inline]
    pub(crate) fn new(node: u32, cause: Cause) -> Self {
        let number = match cause {
            Cause::TooDeep => 1,
            Cause::TooCostly => 2,
            Cause::Keyword(number) => u64::from(number) + 3,
        };
        Failure(NonZeroU64::MIN.saturating_add(((number - 1) << 32) | u64::from(node)))
    }

    /// The node of the value.
    pub(crate) fn node(self) -> u32 {
        (self.0.get() - 1) as u32
    }

    pub(crate) fn cause(self) -> Cause {
        match (self.0.get() - 1) >> 32 {
            0 => Cause::TooDeep,
            1 => Cause::TooCostly,
            number => Cause::Keyword(number as u32 - 2),
        }
    }

    /// Whether there is no answer, and so nothing for `anyOf` and its kin to go on with.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self.cause(), Cause::Keyword(_))
    }
}
