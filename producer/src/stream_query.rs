//! The command that opens the change stream.

use bson::{RawArrayBuf, RawDocumentBuf, cstr, rawdoc};
use shared::DocumentType;

use crate::position::Position;

/// How much of each event is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it, with the document.
    Full,
    /// Keys alone, for one event.
    KeysOnce,
}

/// What is asked of the server.
#[derive(Debug, Clone)]
pub(crate) struct StreamQuery {
    pub(crate) types: Vec<DocumentType>,
    /// The server cuts an event over 16 MB into pieces.
    pub(crate) splits: bool,
}

impl StreamQuery {
    /// The `aggregate` command that goes on after `position`. Its own answer holds no event: opening takes no time,
    /// and passing over other collections' history is waited for where waiting is told from a dead server.
    pub(crate) fn open_at(&self, position: &Position, shape: Shape) -> RawDocumentBuf {
        let mut stage = match shape {
            Shape::Full => rawdoc! {"fullDocument": "updateLookup"},
            Shape::KeysOnce => rawdoc! {},
        };
        match position {
            // Not `resumeAfter`: that cannot pass an invalidate event.
            Position::Token(token) => stage.append(cstr!("startAfter"), token.clone()),
            Position::OperationTime(time) => stage.append(cstr!("startAtOperationTime"), *time),
        }
        let mut pipeline = vec![rawdoc! {"$changeStream": stage}, rawdoc! {"$match": self.filter()}];
        if shape == Shape::KeysOnce {
            pipeline.push(rawdoc! {"$project": {"fullDocument": 0, "updateDescription": 0}});
        }
        // Always, where it is known: the token of an event that was sent in pieces is good for such a stream only. Not
        // for keys alone: a piece has room for less than an event that is whole.
        if self.splits && shape == Shape::Full {
            pipeline.push(rawdoc! {"$changeStreamSplitLargeEvent": {}});
        }
        let pipeline: RawArrayBuf = pipeline.into_iter().collect();
        rawdoc! {
            "aggregate": 1,
            "pipeline": pipeline,
            "cursor": {"batchSize": 0},
            "readConcern": {"level": "majority"},
        }
    }

    /// `ns.coll`, not `ns`: the server can then leave out other collections before it decodes an entry.
    fn filter(&self) -> RawDocumentBuf {
        let types: RawArrayBuf = self.types.iter().map(|known| known.as_str()).collect();
        rawdoc! {"$or": [
            {"ns.coll": {"$in": types.clone()}, "operationType": {"$in": ["insert", "update", "replace", "delete", "drop", "rename"]}},
            {"to.coll": {"$in": types}, "operationType": "rename"},
            {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        ]}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(splits: bool, shape: Shape) -> String {
        let query = StreamQuery { types: vec![DocumentType::Posts], splits };
        let command = query.open_at(&Position::Token(rawdoc! {"_data": "82"}), shape);
        format!("{:?}", bson::Document::try_from(&command).unwrap())
    }

    /// The server refuses it elsewhere.
    #[test]
    fn large_events_are_split_last_and_only_where_that_is_known() {
        assert!(!pipeline(false, Shape::Full).contains("SplitLargeEvent"));
        assert!(!pipeline(true, Shape::KeysOnce).contains("SplitLargeEvent"));
        let said = pipeline(true, Shape::Full);
        let split = said.find("$changeStreamSplitLargeEvent").unwrap();
        assert!(said.rfind("$match").is_some_and(|at| at < split));
    }
}
