//! Figures for people: short, and `-` for what is not known.

use std::time::Duration;

use crate::stack::service_state::duration;

const UNKNOWN: &str = "-";

/// A count, its thousands apart.
pub(super) fn count(count: Option<f64>) -> String {
    let Some(count) = count.filter(|count| count.is_finite()) else { return UNKNOWN.to_owned() };
    let digits = format!("{count:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// So much a second: to a tenth where it is little.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        Some(rate) if rate < 9.95 => format!("{rate:.1}"),
        rate => count(rate),
    }
}

/// Seconds, or milliseconds where they are few.
pub(super) fn seconds(seconds: Option<f64>) -> String {
    match seconds.filter(|seconds| seconds.is_finite()) {
        None => UNKNOWN.to_owned(),
        Some(seconds) if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        Some(seconds) if seconds < 9.95 => format!("{seconds:.1} s"),
        Some(seconds) => duration(Duration::from_secs_f64(seconds.min(1e15))),
    }
}

/// A part of a whole that is expected, in percent. A whole that turns out larger says nothing.
pub(super) fn share(part: f64, whole: Option<f64>) -> String {
    match whole.filter(|whole| *whole > 0.0 && part <= *whole) {
        Some(whole) => format!("{:.0} %", (part / whole * 100.0).floor()),
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!([0.0, 999.0, 1000.0, 1_234_567.0].map(|n| count(Some(n))), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([None, Some(f64::NAN)].map(count), ["-", "-"]);
    }

    #[test]
    fn rates_and_times_are_as_exact_as_they_are_of_use() {
        assert_eq!([0.0, 0.04, 3.25, 9.96, 1234.5].map(|n| rate(Some(n))), ["0.0", "0.0", "3.2", "10", "1,234"]);
        assert_eq!(
            [0.0123, 0.9999, 9.94, 42.0, 600.0, 1e300].map(|n| seconds(Some(n))).map(|s| s.len() < 20),
            [true; 6]
        );
        assert_eq!(
            [0.0123, 0.9999, 9.94, 42.0, 600.0].map(|n| seconds(Some(n))),
            ["12 ms", "1.0 s", "9.9 s", "42 s", "10 min"]
        );
        assert_eq!([rate(None), seconds(None)], ["-", "-"]);
    }

    #[test]
    fn only_what_is_all_is_a_hundred_percent() {
        assert_eq!([0.0, 999.0, 1000.0, 1001.0].map(|n| share(n, Some(1000.0))), ["0 %", "99 %", "100 %", "-"]);
        assert_eq!([share(5.0, None), share(0.0, Some(0.0))], ["-", "-"]);
    }
}
