//! Times as senders write them: RFC 3339, or a number since 1970 in any unit.

use std::borrow::Cow;

use jiff::Timestamp;

/// A time as text: a number since 1970, or RFC 3339. Surrounding white space does not count.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    since_1970(text).or_else(|| text.parse().ok())
}

/// A number since 1970, whole, with a fraction or with an exponent: of seconds up to the year 5138, else of milliseconds,
/// microseconds or nanoseconds up to the same year, depending on its size. `None` before 1970.
fn since_1970(text: &str) -> Option<Timestamp> {
    /// 3 March 5138 in seconds.
    const MAX_SECONDS: i128 = 100_000_000_000;
    let number = decimal(text)?;
    let nanoseconds = match number.whole {
        0..MAX_SECONDS => number.in_parts_of(9),
        whole if whole < MAX_SECONDS * 1_000 => number.in_parts_of(6),
        whole if whole < MAX_SECONDS * 1_000_000 => number.in_parts_of(3),
        whole => whole,
    };
    Timestamp::from_nanosecond(nanoseconds).ok()
}

/// A decimal number that is not negative.
struct Decimal<'t> {
    whole: i128,
    /// The digits of the fraction.
    fraction: Cow<'t, str>,
}

impl Decimal<'_> {
    /// The number times ten to this power, without the rest of its fraction.
    fn in_parts_of(&self, power: usize) -> i128 {
        let digits = self.fraction.bytes().chain(std::iter::repeat(b'0')).take(power);
        digits.fold(self.whole, |number, digit| number * 10 + i128::from(digit - b'0'))
    }
}

/// Parses a number as JSON and templates write it, such as `1788256800`, `1788256800.25` or `1.7882568e+09`.
fn decimal(text: &str) -> Option<Decimal<'_>> {
    /// Digits of a nanosecond in the year 5138, and some more.
    const MAX_DIGITS: usize = 25;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > MAX_DIGITS || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let exponent: usize = exponent.parse().ok().filter(|exponent| *exponent <= MAX_DIGITS)?;
    if exponent == 0 {
        return Some(Decimal {
            whole: whole.parse().ok()?,
            fraction: Cow::Borrowed(fraction),
        });
    }
    let moved = fraction.chars().chain(std::iter::repeat('0')).take(exponent);
    let whole: String = whole.chars().chain(moved).collect();
    Some(Decimal {
        whole: whole.parse().ok()?,
        fraction: Cow::Owned(fraction.chars().skip(exponent).collect()),
    })
}
