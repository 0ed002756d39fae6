//! The numbers that fit a machine word, which are nearly all there are.

use std::cmp::Ordering;

/// A number of up to 18 digits that is written without an exponent: `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Small {
    mantissa: i64,
    scale: u32,
}

impl Small {
    /// Reads a number's token; `None` when it is no such number.
    #[inline]
    pub(crate) fn new(token: &str) -> Option<Self> {
        let digits = token.strip_prefix('-').unwrap_or(token);
        if digits.len() > 18 {
            return None;
        }
        let (mut mantissa, mut scale, mut after_dot) = (0_i64, 0, 0);
        for byte in digits.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                mantissa = mantissa * 10 + i64::from(digit);
                scale += after_dot;
            } else if byte == b'.' {
                after_dot = 1;
            } else {
                return None;
            }
        }
        Some(Small { mantissa: if digits.len() < token.len() { -mantissa } else { mantissa }, scale })
    }

    /// Whether it has no fraction.
    #[inline]
    pub(crate) fn is_integer(self) -> bool {
        self.scale == 0 || self.mantissa % 10_i64.pow(self.scale) == 0
    }

    /// How it compares with another one.
    #[inline]
    pub(crate) fn cmp(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let (one, two) = self.aligned(other);
        one.cmp(&two)
    }

    /// Both mantissas at the larger scale.
    pub(super) fn aligned(self, other: Self) -> (i128, i128) {
        let scale = self.scale.max(other.scale);
        let at_scale = |number: Self| i128::from(number.mantissa) * i128::from(10_i64.pow(scale - number.scale));
        (at_scale(self), at_scale(other))
    }
}
