//! What the MongoDB at the other end can do, asked at the start of each turn: a replica set is upgraded under way.

use std::fmt;

use bson::{Document, doc};

use crate::error::ProducerError;
use crate::source::{Source, answer};

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
    fn an_answer_that_is_not_understood_promises_nothing() {
        assert!(!Server::of(&doc! {"version": 7}).splits_large_events());
    }
}
