//! Times as they are written to events, and as they are reckoned with.

/// A time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// By RFC 3339, with the fraction that the line has.
    pub(super) text: String,
    /// Nanoseconds since 1970.
    pub(super) ns: i64,
}

pub(super) const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

impl Moment {
    /// A day and a time of it: `h:m:s`, divided by points too, perhaps with a fraction behind a point or a comma.
    pub(super) fn new((year, month, day): (i64, i64, i64), time: &str) -> Option<Self> {
        let mut parts = time.split([':', '.', ',']);
        let mut number = || parts.next()?.parse::<i64>().ok();
        let (hour, minute, second) = (number()?, number()?, number()?);
        let fraction = parts.next().filter(|digits| (1..=9).contains(&digits.len()));
        let fraction_ns = fraction.map_or(Some(0), |digits| format!("{digits:0<9}").parse::<i64>().ok())?;
        let seconds = day_number(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second;
        let point = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}Z");
        Some(Self { text, ns: seconds * SECOND_NS + fraction_ns })
    }

    /// By its number, to the second.
    pub(super) fn at(ns: i64) -> Self {
        let seconds = ns / SECOND_NS;
        let mut left = seconds / DAY_S;
        let mut year = 1970;
        while left >= day_number(year + 1, 1, 1) - day_number(year, 1, 1) {
            left -= day_number(year + 1, 1, 1) - day_number(year, 1, 1);
            year += 1;
        }
        let first_of = |month: i64| day_number(year, month, 1) - day_number(year, 1, 1);
        let month = (1..=12).rev().find(|month| first_of(*month) <= left).unwrap_or(1);
        let time = seconds % DAY_S;
        let time = format!("{}:{}:{}", time / 3_600, time / 60 % 60, time % 60);
        Self::new((year, month, left - first_of(month) + 1), &time).expect("numbers are a time")
    }
}

/// Days since 1970-01-01, counted one month after the other.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let leap_years = |year: i64| year / 4 - year / 100 + year / 400;
    let is_leap = leap_years(year) > leap_years(year - 1);
    let of_months: i64 = (1..month)
        .map(|month| match month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        })
        .sum();
    (year - 1970) * 365 + leap_years(year - 1) - leap_years(1969) + of_months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_by_its_text_and_by_its_number() {
        let cases = [
            ((1970, 1, 1), "0:0:0", 0, "1970-01-01T00:00:00Z"),
            ((2000, 2, 29), "23:59:59", 951_868_799, "2000-02-29T23:59:59Z"),
            ((2004, 12, 31), "12:00:01", 1_104_494_401, "2004-12-31T12:00:01Z"),
            ((2017, 7, 1), "9.0.55", 1_498_899_655, "2017-07-01T09:00:55Z"),
        ];
        for (day, time, seconds, text) in cases {
            let moment = Moment::new(day, time).unwrap();
            assert_eq!((moment.text.as_str(), moment.ns), (text, seconds * SECOND_NS));
            assert_eq!(Moment::at(moment.ns), moment);
        }
        assert_eq!(Moment::new((1970, 1, 1), "0:0:1,25").unwrap().ns, 1_250_000_000);
    }
}
