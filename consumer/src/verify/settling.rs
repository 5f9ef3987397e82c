//! Telling what differs from what is only on its way: the documents in question are looked at again until they agree, or
//! nothing moves any more.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::{Identity, Revision};
use tokio::time::{Instant, sleep};

use super::difference::Difference;
use super::expected::Expected;
use super::progress::Progress;
use super::sides::{Look, Sides};
use crate::command_error::CommandError;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// A document whose record moves this often while it is looked at is being kept up to date, only too busily to be
/// caught equal; or it is kept wrong, where no change on its way makes such a difference.
const MOVES: u32 = 5;
/// So many times the limit at most for documents that change and whose records do not.
const PATIENCE: u32 = 3;

/// What a document differs in, and the revision of its record.
pub(super) type Differences = BTreeMap<Identity, (Difference, Option<Revision>)>;

/// Looks at these documents until they agree, or until for `limit` nothing has moved. Returns those that differ for
/// good, and how many of the others are in error.
pub(super) async fn settle(
    sides: &Sides,
    suspects: impl IntoIterator<Item = Identity>,
    limit: Duration,
    progress: &Progress,
) -> Result<(Differences, u64), CommandError> {
    let mut open: BTreeMap<Identity, Question> =
        suspects.into_iter().map(|identity| (identity, Question::default())).collect();
    let (mut clocks, mut failed) = (Clocks::new(), 0);
    loop {
        let mut differences = Differences::new();
        let identities: Vec<Identity> = open.keys().cloned().collect();
        for (identity, look) in sides.look(&identities).await? {
            let question = open.entry(identity.clone()).or_default();
            match look.difference {
                Some(difference) if question.stays(&look, difference, &mut clocks) => {
                    differences.insert(identity, (difference, look.revision()));
                }
                _ => {
                    failed += u64::from(look.is_failed());
                    clocks.index_moved = Instant::now();
                    open.remove(&identity);
                }
            }
        }
        progress.waiting(open.len());
        if open.is_empty() || clocks.have_run_out(limit) {
            return Ok((differences, failed));
        }
        sleep(PAUSE.min(limit)).await;
    }
}

/// When something was last seen to move.
struct Clocks {
    index_moved: Instant,
    source_moved: Instant,
}

impl Clocks {
    fn new() -> Self {
        Self { index_moved: Instant::now(), source_moved: Instant::now() }
    }

    /// A change in MongoDB gives the pipeline its time anew, but not without end: it may not run at all.
    fn have_run_out(&self, limit: Duration) -> bool {
        let still = self.index_moved.elapsed();
        still >= limit && (self.source_moved.elapsed() >= limit || still >= limit * PATIENCE)
    }
}

/// A document in question, as it was at the last look.
#[derive(Debug, Default)]
struct Question {
    last: Option<(Option<Expected>, Option<Revision>, usize)>,
    moves: u32,
}

impl Question {
    /// Whether the document is still in question after this look.
    fn stays(&mut self, look: &Look, difference: Difference, clocks: &mut Clocks) -> bool {
        let now = (look.expected.clone(), look.revision(), look.held);
        let is_decided = self.moves >= MOVES;
        if let Some((expected, revision, held)) = self.last.as_ref().filter(|_| !is_decided) {
            if *expected != now.0 {
                clocks.source_moved = Instant::now();
            }
            if *revision != now.1 {
                clocks.index_moved = Instant::now();
                self.moves += 1;
            } else if *held < now.2 {
                // A long document is being written: its record comes last.
                clocks.index_moved = Instant::now();
            }
        }
        self.last = Some(now);
        self.moves < MOVES || !difference.passes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::record::{Record, Says};

    /// Looks at a document whose record moves from look to look.
    fn stays(difference: Difference) -> Vec<bool> {
        let (mut question, mut clocks) = (Question::default(), Clocks::new());
        let record =
            |revision: i64| Record { revision: Some(revision.into()), says: Says::Gone, chunk_ids: Vec::new() };
        let look = |revision| {
            let record = Some(record(revision));
            Look { expected: None, record, held: 0, difference: Some(difference) }
        };
        (0..i64::from(MOVES) + 2).map(|revision| question.stays(&look(revision), difference, &mut clocks)).collect()
    }

    #[test]
    fn a_busy_document_is_kept_up_to_date_unless_no_change_on_its_way_makes_such_a_difference() {
        assert_eq!(stays(Difference::Stale), [true, true, true, true, true, false, false]);
        assert_eq!(stays(Difference::Incomplete), [true; 7]);
    }

    #[test]
    fn a_long_document_that_is_being_written_is_waited_for() {
        let (mut question, mut clocks) = (Question::default(), Clocks::new());
        let mut moved_by = |held| {
            let before = clocks.index_moved;
            let look = Look { expected: None, record: None, held, difference: Some(Difference::Missing) };
            assert!(question.stays(&look, Difference::Missing, &mut clocks));
            clocks.index_moved > before
        };
        assert_eq!([0, 512, 1024, 1024, 1000].map(&mut moved_by), [false, true, true, false, false]);
    }

    #[test]
    fn a_document_that_is_kept_wrong_does_not_keep_the_others_waiting() {
        let (mut question, mut clocks) = (Question { moves: MOVES, ..Question::default() }, Clocks::new());
        let before = clocks.index_moved;
        for revision in 0..3_i64 {
            let record = Record { revision: Some(revision.into()), says: Says::Gone, chunk_ids: Vec::new() };
            let difference = Some(Difference::Incomplete);
            let look = Look { expected: None, record: Some(record), held: 0, difference };
            assert!(question.stays(&look, Difference::Incomplete, &mut clocks));
        }
        assert_eq!(clocks.index_moved, before);
    }
}
