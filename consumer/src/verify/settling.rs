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
/// caught equal.
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
                Some(difference) if question.stays(&look, &mut clocks) => {
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
    last: Option<(Option<Expected>, Option<Revision>)>,
    moves: u32,
}

impl Question {
    /// Whether the document is still in question after this look.
    fn stays(&mut self, look: &Look, clocks: &mut Clocks) -> bool {
        let now = (look.expected.clone(), look.revision());
        if let Some((expected, revision)) = &self.last {
            if *expected != now.0 {
                clocks.source_moved = Instant::now();
            }
            if *revision != now.1 {
                clocks.index_moved = Instant::now();
                self.moves += 1;
            }
        }
        self.last = Some(now);
        self.moves < MOVES
    }
}
