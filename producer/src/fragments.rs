//! An event over 16 MB, which MongoDB sends in pieces (`$changeStreamSplitLargeEvent`), put together again.
//!
//! Each piece bears some of the event's fields, `splitEvent: {fragment, of}` and a resume token of its own. Only the last
//! one's token stands for the event: a stream that is opened anew in between begins with the first piece again.

use bson::{RawDocument, RawDocumentBuf, cstr};

use crate::raw_change::{MalformedChange, RawChange};

/// The pieces of one event so far.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    fields: RawDocumentBuf,
    count: i32,
}

impl Fragments {
    /// Takes what the server sent: a whole event, or a piece of one, which is kept until its last has come.
    ///
    /// # Errors
    /// A piece is missing.
    pub(crate) fn join(&mut self, sent: &RawDocument) -> Result<Option<RawChange>, MalformedChange> {
        let malformed = |_| MalformedChange("splitEvent");
        let Some(split) = sent.get("splitEvent").map_err(malformed)?.and_then(bson::RawBsonRef::as_document) else {
            return if self.count == 0 { Ok(Some(sent.to_owned().into())) } else { Err(MalformedChange("splitEvent")) };
        };
        let fragment = split.get_i32("fragment").map_err(|_| MalformedChange("splitEvent.fragment"))?;
        let of = split.get_i32("of").map_err(|_| MalformedChange("splitEvent.of"))?;
        if fragment != self.count + 1 {
            return Err(MalformedChange("splitEvent.fragment"));
        }
        self.count = fragment;
        for element in sent.iter_elements() {
            let element = element.map_err(malformed)?;
            if !matches!(element.key().as_str(), "_id" | "splitEvent") {
                self.fields.append(element.key(), element.value().map_err(malformed)?);
            }
        }
        if fragment < of {
            return Ok(None);
        }
        let mut whole = std::mem::take(self).fields;
        whole.append(cstr!("_id"), sent.get_document("_id").map_err(|_| MalformedChange("_id"))?);
        Ok(Some(whole.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Timestamp, rawdoc};

    const TIME: Timestamp = Timestamp { time: 7, increment: 1 };

    fn pieces() -> [RawDocumentBuf; 3] {
        [
            rawdoc! {"_id": {"_data": "1"}, "splitEvent": {"fragment": 1, "of": 3}, "operationType": "update",
            "clusterTime": TIME, "documentKey": {"_id": 5}},
            rawdoc! {"_id": {"_data": "2"}, "splitEvent": {"fragment": 2, "of": 3}, "fullDocument": {"content": "x"}},
            rawdoc! {"_id": {"_data": "3"}, "splitEvent": {"fragment": 3, "of": 3}, "updateDescription": {}},
        ]
    }

    #[test]
    fn pieces_make_one_event_with_the_last_ones_token() {
        let mut fragments = Fragments::default();
        let [first, second, third] = pieces();
        assert!(fragments.join(&first).unwrap().is_none() && fragments.join(&second).unwrap().is_none());
        let whole = fragments.join(&third).unwrap().expect("an event");
        assert_eq!((whole.operation().unwrap(), whole.cluster_time().unwrap()), ("update", TIME));
        assert_eq!(whole.token().unwrap().get_str("_data").unwrap(), "3");
        assert_eq!(whole.full_document().unwrap().get_str("content").unwrap(), "x");
        let next = rawdoc! {"_id": {"_data": "4"}, "operationType": "delete"};
        assert!(fragments.join(&next).unwrap().is_some(), "the next event is whole");
    }

    #[test]
    fn a_missing_piece_is_an_error_and_no_event() {
        let [first, second, third] = pieces();
        assert!(Fragments::default().join(&second).is_err());
        for next in [third, rawdoc! {"_id": {"_data": "4"}, "operationType": "delete"}] {
            let mut fragments = Fragments::default();
            fragments.join(&first).unwrap();
            assert!(fragments.join(&next).is_err());
        }
    }
}
