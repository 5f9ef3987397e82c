//! Days, as people name them and as revisions count them.

use std::str::FromStr;

/// A day, in Universal Time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    since_1970: i64,
}

impl Day {
    /// When it begins, in seconds of Unix time.
    pub fn begins(self) -> i64 {
        self.since_1970 * 86_400
    }
}

impl FromStr for Day {
    type Err = String;

    /// `2026-11-22`.
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("`{text}` is no day such as 2026-11-22");
        let mut parts = text.splitn(3, '-');
        let mut number = |digits: usize| {
            let part =
                parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()));
            part.and_then(|part| part.parse::<i64>().ok()).ok_or_else(problem)
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        if !(1..=12).contains(&month) || day < 1 || day > length(year, month) {
            return Err(problem());
        }
        Ok(Self { since_1970: days(year, month, day) })
    }
}

/// Days from 1970-01-01. A year is begun in March, so that the leap day is its last (Hinnant, *chrono-compatible low-level
/// date algorithms*).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn length(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970() {
        let begins = |text: &str| text.parse::<Day>().map(Day::begins);
        assert_eq!(begins("1970-01-01"), Ok(0));
        assert_eq!(begins("2000-03-01"), Ok(951_868_800));
        assert_eq!(begins("2026-11-22"), Ok(1_795_305_600));
        assert_eq!(begins("1969-12-31"), Ok(-86_400));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in
            ["", "today", "2026-13-01", "2026-02-29", "2026-1-1", "2026-11-22T00:00", "2026-00-10", "+026-11-22"]
        {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert!("2024-02-29".parse::<Day>().is_ok());
    }
}
