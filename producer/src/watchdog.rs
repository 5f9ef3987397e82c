//! Whether the relay moves, told to `/readyz` and the metrics: a broker that takes nothing, answers nothing or finds no
//! queue stands still without anything having failed.

use std::time::Duration;

use shared::health::Readiness;
use tokio::time::Instant;

use crate::message::Lane;
use crate::telemetry;

/// Without an answer for so long, the broker is held to be stuck; so is a checkpoint that MongoDB does not take.
const STALL: Duration = Duration::from_secs(10);

/// What the relay sees of its broker at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// Why the broker takes nothing, if it said so.
    pub(crate) blocked: Option<&'a str>,
    /// Whether every publish has been answered.
    pub(crate) all_answered: bool,
    /// Lanes whose messages were returned or nacked and not taken since: the checkpoint cannot pass them.
    pub(crate) refused: &'a [Lane],
    /// How long progress has been waiting to be stored.
    pub(crate) unstored: Duration,
}

/// Watches over one turn of office.
#[derive(Debug)]
pub(crate) struct Watchdog {
    readiness: Readiness,
    /// When the broker last answered, or nothing was unanswered.
    answered: Instant,
    /// When the broker was last seen to be blocked.
    blocked_at: Option<Instant>,
    standstill: Option<String>,
}

impl Watchdog {
    /// Of an active producer that is not yet connected.
    pub(crate) fn new(readiness: Readiness) -> Self {
        readiness.set_down("rabbitmq", "connecting");
        readiness.set_up("checkpoint");
        Self { readiness, answered: Instant::now(), blocked_at: None, standstill: None }
    }

    /// A connection stands.
    pub(crate) fn connected(&mut self) {
        self.answered = Instant::now();
        self.standstill = None;
        self.readiness.set_up("rabbitmq");
    }

    /// The connection is lost.
    pub(crate) fn disconnected(&mut self, reason: &dyn std::fmt::Display) {
        self.count_blocked(false);
        self.readiness.set_down("rabbitmq", reason.to_string());
    }

    /// The broker answered a publish.
    pub(crate) fn answered(&mut self) {
        self.answered = Instant::now();
    }

    /// Looks; a few times a second.
    pub(crate) fn look(&mut self, sight: Sight<'_>, now: Instant) {
        if sight.all_answered {
            self.answered = now;
        }
        self.count_blocked(sight.blocked.is_some());
        let standstill = self.standstill(sight, now);
        match &standstill {
            Some(reason) => self.readiness.set_down("rabbitmq", reason),
            None => self.readiness.set_up("rabbitmq"),
        }
        match frozen(sight) {
            Some(reason) => self.readiness.set_down("checkpoint", reason),
            None => self.readiness.set_up("checkpoint"),
        }
        if standstill != self.standstill {
            match &standstill {
                Some(reason) => tracing::error!(reason, "the broker takes nothing; checkpoint frozen"),
                None => tracing::info!("the broker answers again"),
            }
            self.standstill = standstill;
        }
    }

    fn standstill(&self, sight: Sight<'_>, now: Instant) -> Option<String> {
        let blocked = sight.blocked.map(|reason| format!("blocked by the broker: {reason}"));
        blocked.or_else(|| {
            (now.saturating_duration_since(self.answered) > STALL).then(|| format!("no confirm for {STALL:?}"))
        })
    }

    fn count_blocked(&mut self, blocked: bool) {
        let now = Instant::now();
        telemetry::blocked(blocked, self.blocked_at.map_or(Duration::ZERO, |since| now - since));
        self.blocked_at = blocked.then_some(now);
    }
}

fn frozen(sight: Sight<'_>) -> Option<String> {
    let lanes: Vec<_> = sight.refused.iter().map(ToString::to_string).collect();
    let refused = (!lanes.is_empty()).then(|| format!("frozen: the broker takes no messages for {}", lanes.join(", ")));
    refused.or_else(|| (sight.unstored > STALL).then(|| format!("not stored for {STALL:?}: MongoDB takes no writes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Sight<'_> = Sight { blocked: None, all_answered: true, refused: &[], unstored: Duration::ZERO };

    fn watchdog() -> (Watchdog, Readiness) {
        let readiness = Readiness::default();
        let mut watchdog = Watchdog::new(readiness.clone());
        watchdog.connected();
        (watchdog, readiness)
    }

    #[test]
    fn a_broker_that_answers_nothing_is_said_to_be_down_and_up_again() {
        let (mut watchdog, readiness) = watchdog();
        let (waiting, begun) = (Sight { all_answered: false, ..CALM }, watchdog.answered);
        watchdog.look(waiting, begun + STALL);
        assert!(readiness.report().0);
        watchdog.look(waiting, begun + STALL + Duration::from_millis(1));
        assert_eq!(readiness.report(), (false, "checkpoint: ok\nrabbitmq: no confirm for 10s\n".to_owned()));
        watchdog.answered();
        watchdog.look(waiting, watchdog.answered);
        assert!(readiness.report().0);
    }

    #[test]
    fn blocked_and_frozen_are_said_with_their_reason() {
        let (mut watchdog, readiness) = watchdog();
        let refused = [Lane::Partition(3), Lane::DeadLetters];
        watchdog.look(Sight { blocked: Some("low on memory"), refused: &refused, ..CALM }, Instant::now());
        let (ready, said) = readiness.report();
        assert!(!ready && said.contains("rabbitmq: blocked by the broker: low on memory\n"), "{said}");
        assert!(said.contains("checkpoint: frozen: the broker takes no messages for partition 3, the dead letters\n"));
        watchdog.look(CALM, Instant::now());
        assert!(readiness.report().0);
    }

    #[test]
    fn a_checkpoint_that_cannot_be_stored_is_said() {
        let (mut watchdog, readiness) = watchdog();
        watchdog.look(Sight { unstored: STALL, ..CALM }, Instant::now());
        assert!(readiness.report().0);
        watchdog.look(Sight { unstored: STALL + Duration::from_millis(1), ..CALM }, Instant::now());
        let (ready, said) = readiness.report();
        assert!(!ready && said.contains("checkpoint: not stored for 10s"), "{said}");
    }
}
