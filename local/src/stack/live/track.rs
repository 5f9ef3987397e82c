//! What a source said of late: its last word, and enough from before to tell how fast it counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Rates are told over about this long.
const SPAN: Duration = Duration::from_secs(5);

/// The words of one source.
#[derive(Debug)]
pub(super) struct Track<T> {
    heard: VecDeque<(Instant, T)>,
    trouble: Option<String>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { heard: VecDeque::new(), trouble: None }
    }
}

impl<T> Track<T> {
    /// What it said at that time. After an error nothing of before counts any more: whoever comes back may count anew.
    pub(super) fn hear(&mut self, at: Instant, word: Result<T, String>) {
        match word {
            Ok(word) => {
                self.trouble = None;
                self.heard.push_back((at, word));
                while self.heard.get(1).is_some_and(|(then, _)| at.saturating_duration_since(*then) >= SPAN) {
                    self.heard.pop_front();
                }
            }
            Err(trouble) => {
                self.heard.clear();
                self.trouble = Some(trouble);
            }
        }
    }

    /// Its last word; None if it has not said anything yet or is in trouble.
    pub(super) fn latest(&self) -> Option<&T> {
        self.heard.back().map(|(_, word)| word)
    }

    /// Why there is no word of it.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How fast a counter grows, per second. None with fewer than two words of it, and where it has begun anew.
    pub(super) fn rate(&self, counter: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        let ((then, before), (now, after)) = (self.heard.front()?, self.heard.back()?);
        let seconds = now.saturating_duration_since(*then).as_secs_f64();
        let grown = counter(after)? - counter(before)?;
        (seconds > 0.0 && grown >= 0.0).then(|| grown / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(words: &[(u64, Option<f64>)]) -> Track<Option<f64>> {
        let begun = Instant::now();
        let mut track = Track::default();
        for (seconds, word) in words {
            track.hear(begun + Duration::from_secs(*seconds), Ok(*word));
        }
        track
    }

    fn rate(words: &[(u64, Option<f64>)]) -> Option<f64> {
        heard(words).rate(|word| *word)
    }

    #[test]
    fn a_rate_is_told_between_two_words() {
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[(0, Some(5.0))]), None);
        assert_eq!(rate(&[(0, Some(5.0)), (2, Some(25.0))]), Some(10.0));
        assert_eq!(rate(&[(0, Some(5.0)), (2, Some(5.0))]), Some(0.0));
        assert_eq!(rate(&[(0, None), (2, Some(5.0))]), None, "it was not shown before");
    }

    #[test]
    fn what_is_longer_ago_than_five_seconds_no_longer_counts() {
        let words = [(0, Some(0.0)), (1, Some(1000.0)), (2, Some(1000.0)), (6, Some(1000.0)), (7, Some(1000.0))];
        assert_eq!(rate(&words[..4]), Some(0.0));
        assert_eq!(rate(&words[..3]), Some(500.0));
        assert_eq!(rate(&[(0, Some(0.0)), (60, Some(600.0))]), Some(10.0), "of two, both count");
    }

    #[test]
    fn a_counter_that_begins_anew_has_no_rate() {
        assert_eq!(rate(&[(0, Some(50.0)), (1, Some(3.0))]), None);
        let mut track = heard(&[(0, Some(50.0))]);
        track.hear(Instant::now(), Err("gone".to_owned()));
        assert_eq!((track.latest(), track.trouble()), (None, Some("gone")));
        track.hear(Instant::now(), Ok(Some(60.0)));
        assert_eq!((track.rate(|word| *word), track.trouble()), (None, None));
    }
}
