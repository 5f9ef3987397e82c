//! Repeated measurements of one thing.

/// Values, sorted. Never empty where it is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<f64>);

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Samples {
    /// The value that a share of all do not exceed (nearest rank): 0.5 is the median. NaN of nothing.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// The value in the middle; the mean of both where there are two.
    pub(super) fn median(&self) -> f64 {
        let (low, high) = ((self.0.len().max(1) - 1) / 2, self.0.len() / 2);
        match (self.0.get(low), self.0.get(high)) {
            (Some(low), Some(high)) => f64::midpoint(*low, *high),
            _ => f64::NAN,
        }
    }
}

/// The median of what `of` gives for each.
pub(super) fn median<T>(all: &[T], of: impl Fn(&T) -> f64) -> f64 {
    all.iter().map(of).collect::<Samples>().median()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let samples: Samples = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(|share| samples.percentile(share)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(samples.median(), 50.5);
        assert_eq!(Samples::from_iter([3.0, 1.0, 2.0]).median(), 2.0);
        assert!(Samples::default().median().is_nan());
    }
}
