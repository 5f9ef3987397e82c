//! What is rather shown, where much would answer.

use std::str::FromStr;

use shared::Metadata;

/// What a text that was written this moment gains, as a share of its score.
const FRESH: f32 = 0.5;
const DAY: f32 = 86_400.0;

/// Weights on scores. None given: nothing changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// Platforms, and what their scores are multiplied by.
    pub platforms: Vec<PlatformWeight>,
    /// A text written now gains half of its score; in so many days, half of that.
    pub fresh_days: Option<f32>,
}

/// `medium=1.5`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformWeight {
    /// As the documents name it.
    pub platform: String,
    /// Above 1: shown before others; below: after them.
    pub weight: f32,
}

impl Preferences {
    /// What a score is multiplied by, of a text that is so many seconds old.
    pub(crate) fn factor(&self, metadata: &Metadata, age: i64) -> f32 {
        let named = |known: &&PlatformWeight| Some(&known.platform) == metadata.platform.as_ref();
        let platform = self.platforms.iter().find(named).map_or(1.0, |known| known.weight);
        let fresh = self.fresh_days.map_or(0.0, |days| FRESH * (-(age.max(0) as f32) / (days * DAY)).exp2());
        platform * (1.0 + fresh)
    }
}

impl FromStr for PlatformWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("`{text}` is no weight such as medium=1.5 (above 0, at most 10)");
        let (platform, weight) = text.rsplit_once('=').ok_or_else(problem)?;
        let weight = weight.parse().ok().filter(|weight: &f32| *weight > 0.0 && *weight <= 10.0).ok_or_else(problem)?;
        Ok(Self { platform: platform.to_owned(), weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(platform: &str) -> Metadata {
        Metadata { platform: Some(platform.into()), ..Metadata::default() }
    }

    #[test]
    fn nothing_is_preferred_unless_asked_for() {
        assert_eq!(Preferences::default().factor(&on("medium"), 0), 1.0);
    }

    #[test]
    fn a_platform_has_its_weight() {
        let preferences = Preferences { platforms: vec!["medium=1.5".parse().unwrap()], fresh_days: None };
        assert_eq!(preferences.factor(&on("medium"), 0), 1.5);
        assert_eq!(preferences.factor(&on("other"), 0), 1.0);
        assert!(
            ["medium", "medium=", "medium=0", "medium=-1", "medium=NaN", "medium=inf"]
                .iter()
                .all(|text| text.parse::<PlatformWeight>().is_err())
        );
    }

    #[test]
    fn what_is_fresh_gains_and_the_gain_fades() {
        let preferences = Preferences { fresh_days: Some(10.0), ..Preferences::default() };
        let gain = |days: i64| preferences.factor(&on("any"), days * 86_400) - 1.0;
        assert_eq!(gain(0), 0.5);
        assert!((gain(10) - 0.25).abs() < 1e-6 && gain(1_000) < 1e-6);
        assert_eq!(gain(-5), 0.5, "a clock that is ahead gains no more");
    }
}
