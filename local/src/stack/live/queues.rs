//! What waits in RabbitMQ, as its management API tells (`GET /api/queues/{vhost}`); it looks at its queues every five seconds.

use serde::Deserialize;

/// Queues of the default virtual host, which is the stack's.
pub(super) const PATH: &str =
    "/api/queues/%2F?columns=name,messages_ready,messages_unacknowledged,message_stats.ack_details.rate";

const CHANGES: &str = "twin.changes.";
const DEAD_LETTERS: &str = "twin.dead-letters";

/// Messages in one queue. The API leaves away what it has not counted yet.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Queue {
    name: String,
    /// Not yet delivered.
    #[serde(rename = "messages_ready")]
    pub(super) ready: Option<f64>,
    /// Delivered and not acknowledged.
    #[serde(rename = "messages_unacknowledged")]
    pub(super) unacked: Option<f64>,
    message_stats: Stats,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct Stats {
    ack_details: Rate,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct Rate {
    rate: Option<f64>,
}

/// The queues of the stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Queues {
    /// By number.
    pub(super) partitions: Vec<(u16, Queue)>,
    /// Where there is a queue for them.
    pub(super) dead_letters: Option<Queue>,
}

impl Queues {
    /// Err: one line why it is no answer of the API.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let all: Vec<Queue> = serde_json::from_str(text).map_err(|error| format!("the management API: {error}"))?;
        let number = |queue: &Queue| queue.name.strip_prefix(CHANGES)?.parse().ok();
        let mut partitions: Vec<(u16, Queue)> =
            all.iter().filter_map(|queue| Some((number(queue)?, queue.clone()))).collect();
        partitions.sort_by_key(|(number, _)| *number);
        Ok(Self { partitions, dead_letters: all.into_iter().find(|queue| queue.name == DEAD_LETTERS) })
    }

    /// All partitions as one.
    pub(super) fn total(&self) -> Queue {
        let sum = |of: fn(&Queue) -> Option<f64>| {
            self.partitions.iter().filter_map(|(_, queue)| of(queue)).reduce(|one, other| one + other)
        };
        Queue {
            name: "all".to_owned(),
            ready: sum(|queue| queue.ready),
            unacked: sum(|queue| queue.unacked),
            message_stats: Stats { ack_details: Rate { rate: sum(Queue::acked) } },
        }
    }
}

impl Queue {
    /// Delivered or not.
    pub(super) fn messages(&self) -> Option<f64> {
        Some(self.ready? + self.unacked?)
    }

    /// Acknowledged per second, as the broker counts.
    pub(super) fn acked(&self) -> Option<f64> {
        self.message_stats.ack_details.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stand_by_their_number_and_strangers_are_left_out() {
        let queues = Queues::parse(
            r#"[{"name": "twin.changes.10", "messages_ready": 3, "messages_unacknowledged": 1, "node": "twin@localhost",
                 "message_stats": {"ack_details": {"rate": 1.5}}},
                {"name": "twin.changes.9", "messages_ready": 4, "message_stats": {"ack_details": {"rate": 2.5}}},
                {"name": "somebody's"}, {"name": "twin.dead-letters", "messages_ready": 7}]"#,
        )
        .unwrap();
        assert_eq!(queues.partitions.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [9, 10]);
        let total = queues.total();
        assert_eq!((total.ready, total.unacked, total.acked()), (Some(7.0), Some(1.0), Some(4.0)));
        assert_eq!(queues.dead_letters.unwrap().ready, Some(7.0));
    }

    #[test]
    fn what_is_no_list_of_queues_is_an_error() {
        assert!(Queues::parse(r#"{"error": "not_authorised"}"#).unwrap_err().starts_with("the management API: "));
        assert_eq!(Queues::parse("[]").unwrap(), Queues { partitions: Vec::new(), dead_letters: None });
    }
}
