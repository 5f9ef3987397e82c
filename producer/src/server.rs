//! What the MongoDB at the other end can do, asked at the start of each turn: a replica set is upgraded under way.

use std::fmt;

use std::time::Duration;

use bson::{Document, doc};
use shared::settings::SettingsError;
use source::Source;

use crate::error::ProducerError;

/// Longest wait for the answer to a single command.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The oldest version whose change streams are as the relay expects: `wallTime`, and `startAfter` for every token.
const OLDEST: (i64, i64) = (6, 0);

/// A MongoDB server by its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    version: String,
    number: (i64, i64, i64),
}

impl Server {
    /// Asks the server.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn probe(source: &Source) -> Result<Self, ProducerError> {
        let admin = source.client().database("admin");
        let info = answer(admin.run_command(doc! {"buildInfo": 1}).into_future()).await?;
        Ok(Self::of(&info))
    }

    fn of(info: &Document) -> Self {
        let part = |at: usize| {
            let parts = info.get_array("versionArray").ok();
            parts.and_then(|parts| parts.get(at)?.as_i32()).map_or(0, i64::from)
        };
        let version = info.get_str("version").unwrap_or("of unknown version").to_owned();
        Self { version, number: (part(0), part(1), part(2)) }
    }

    /// Whether it cuts an event over 16 MB into pieces (`$changeStreamSplitLargeEvent`, MongoDB 7.0 and 6.0.9).
    /// Source: <https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/>.
    pub(crate) fn splits_large_events(&self) -> bool {
        match self.number {
            (6, 0, patch) => patch >= 9,
            (major, ..) => major >= 7,
        }
    }

    /// Whether it is older than what the relay is made for.
    pub(crate) fn is_too_old(&self) -> bool {
        (self.number.0, self.number.1) < OLDEST
    }
}

/// Waits for the answer to a command, but not for ever.
pub(crate) async fn answer<T>(command: impl Future<Output = mongodb::error::Result<T>>) -> Result<T, ProducerError> {
    Ok(source::answer(COMMAND_TIMEOUT, command).await?)
}

/// Refuses what has no change streams, or another order than a single replica set's.
pub(crate) async fn require_replica_set(source: &Source) -> Result<(), ProducerError> {
    let hello = answer(source.client().database("admin").run_command(doc! {"hello": 1}).into_future()).await?;
    refusal(&hello).map_or(Ok(()), |problem| Err(SettingsError::new("MONGODB_URI", problem).into()))
}

fn refusal(hello: &Document) -> Option<&'static str> {
    if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        return Some("leads to mongos; a replica set is needed");
    }
    // A member that is not yet initiated has no setName, but will.
    let member = hello.contains_key("setName") || hello.contains_key("isreplicaset");
    (!member).then_some("leads to a standalone server; change streams need a replica set (mongod --replSet)")
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let large = if self.splits_large_events() { "sent in pieces" } else { "fetched by key" };
        write!(f, "MongoDB {}: events over 16 MB are {large}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(numbers: [i32; 3]) -> Server {
        let [major, minor, patch] = numbers;
        Server::of(&doc! {"version": format!("{major}.{minor}.{patch}"), "versionArray": [major, minor, patch, 0]})
    }

    #[test]
    fn the_versions_that_split_large_events_are_told_from_the_others() {
        for numbers in [[6, 0, 9], [6, 0, 27], [7, 0, 0], [8, 2, 1]] {
            assert!(server(numbers).splits_large_events(), "{numbers:?}");
        }
        for numbers in [[6, 0, 5], [6, 0, 8], [6, 3, 1], [5, 0, 31]] {
            assert!(!server(numbers).splits_large_events(), "{numbers:?}");
        }
        assert!(server([5, 0, 31]).is_too_old() && !server([6, 0, 0]).is_too_old());
    }

    #[test]
    fn only_replica_sets_are_accepted() {
        assert_eq!(refusal(&doc! {"setName": "rs1"}), None);
        assert_eq!(refusal(&doc! {"isreplicaset": true}), None);
        assert!(refusal(&doc! {"msg": "isdbgrid"}).unwrap().contains("mongos"));
        assert!(refusal(&doc! {"isWritablePrimary": true}).unwrap().contains("standalone"));
    }

    #[test]
    fn an_answer_that_is_not_understood_promises_nothing() {
        assert!(!Server::of(&doc! {"version": 7}).splits_large_events());
    }
}
