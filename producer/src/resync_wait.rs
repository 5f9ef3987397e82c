//! Waiting for a resync: a bar for a terminal, plain lines for anything else.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::Duration;

use bson::{Document, doc};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use mongodb::Collection;
use shared::resync::{REQUESTS, ResyncRequest};
use tokio::time::{Instant, sleep};

use crate::checkpoint;
use crate::error::{ProducerError, Verdict};
use crate::report::say;
use crate::server::answer;
use crate::snapshot::{Snapshot, SnapshotKey};
use source::Source;

/// How often it is looked.
const PACE: Duration = Duration::from_millis(250);
/// How often a plain line is written.
const LINE: Duration = Duration::from_secs(5);
/// So long MongoDB may be away, as while it elects another primary.
const ABSENCE: Duration = Duration::from_secs(60);

/// Waits until all of these are relayed.
///
/// # Errors
/// The producer refuses one, or MongoDB is away for too long.
pub(crate) async fn until_done(source: &Source, requests: &[ResyncRequest]) -> Result<(), ProducerError> {
    let mut view = View::new();
    let mut answered = Instant::now();
    let mut last = HashMap::new();
    loop {
        match look(source, requests).await {
            Ok(None) => break,
            Ok(Some(under_way)) => {
                answered = Instant::now();
                last.extend(under_way.iter().map(|snapshot| (snapshot.key(), Known::of(snapshot))));
                view.show(&last);
            }
            Err(error) if error.verdict() == Verdict::Transient && answered.elapsed() < ABSENCE => {}
            Err(error) => return Err(error),
        }
        sleep(PACE).await;
    }
    view.done();
    Ok(())
}

/// How far a snapshot was when last seen.
#[derive(Debug)]
struct Known {
    rows: u64,
    estimated: u64,
}

impl Known {
    fn of(snapshot: &Snapshot) -> Self {
        let rows = snapshot.copied.rows;
        Self { rows, estimated: snapshot.estimated.unwrap_or(rows).max(rows) }
    }
}

/// The snapshots that are waited for; none: all is done.
async fn look(source: &Source, requests: &[ResyncRequest]) -> Result<Option<Vec<Snapshot>>, ProducerError> {
    // The requests first: they go only after their snapshots are stored.
    let waiting = waiting(source, requests).await?;
    let progress = checkpoint::read(source).await?.map(|stored| stored.progress).unwrap_or_default();
    let is_ours = |snapshot: &Snapshot| {
        requests.iter().any(|request| {
            // A younger snapshot of the whole type takes the place of ours.
            let whole = request.keys.is_none() && request.filter.is_none();
            let instead = whole && snapshot.is_whole() && snapshot.document_type == request.document_type;
            snapshot.id == request.id || instead
        })
    };
    let under_way: Vec<_> = progress.snapshots.into_iter().filter(is_ours).collect();
    Ok((waiting || !under_way.is_empty()).then_some(under_way))
}

async fn waiting(source: &Source, requests: &[ResyncRequest]) -> Result<bool, ProducerError> {
    let written: Collection<Document> = source.records(REQUESTS);
    let ids: Vec<_> = requests.iter().map(|request| request.id.to_string()).collect();
    let ours = doc! {"_id": {"$in": ids}};
    let mut found = answer(written.find(ours).projection(doc! {"refused": 1}).into_future()).await?;
    let mut waiting = false;
    while answer(found.advance()).await? {
        let request: Document = found.deserialize_current()?;
        if let Ok(refused) = request.get_str("refused") {
            answer(written.delete_one(doc! {"_id": request.get("_id")}).into_future()).await?;
            return Err(ProducerError::Refused(refused.to_owned()));
        }
        waiting = true;
    }
    Ok(waiting)
}

enum View {
    Bar(ProgressBar),
    Lines { next: Instant },
}

impl View {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { next: Instant::now() };
        }
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_bar} {human_pos}/{human_len} documents, {eta}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(PACE);
        Self::Bar(bar)
    }

    fn show(&mut self, known: &HashMap<SnapshotKey, Known>) {
        let (rows, estimated) =
            (known.values().map(|known| known.rows).sum(), known.values().map(|known| known.estimated).sum());
        match self {
            Self::Bar(bar) => {
                bar.set_length(estimated);
                bar.set_position(rows);
            }
            Self::Lines { next } if Instant::now() >= *next && !known.is_empty() => {
                *next = Instant::now() + LINE;
                say(format_args!("{} of about {} documents", HumanCount(rows), HumanCount(estimated)));
            }
            Self::Lines { .. } => {}
        }
    }

    fn done(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
        say("done");
    }
}
