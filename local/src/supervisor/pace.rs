//! How soon a dead service is started again.

use std::time::Duration;

const SETTLED: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_millis(1500);
const STEP: Duration = Duration::from_millis(250);

/// At once, but slower (up to 1.5 s) while it dies soon after each start.
#[derive(Debug, Default)]
pub(super) struct Pace {
    early_deaths: u32,
}

impl Pace {
    /// The delay before the next start of a service that lived this long.
    pub(super) fn delay_after(&mut self, lived: Duration) -> Duration {
        if lived >= SETTLED {
            self.early_deaths = 0;
            return Duration::ZERO;
        }
        let delay = (STEP * self.early_deaths).min(LONGEST);
        self.early_deaths = self.early_deaths.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_death_is_answered_at_once_and_a_series_ever_slower() {
        let mut pace = Pace::default();
        let delays: Vec<u128> = (0..9).map(|_| pace.delay_after(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(delays, [0, 250, 500, 750, 1000, 1250, 1500, 1500, 1500]);
        assert_eq!(pace.delay_after(Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(pace.delay_after(Duration::from_secs(1)), Duration::ZERO);
    }
}
