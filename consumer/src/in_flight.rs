//! The batches of a partition that are being applied.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::select_all;
use shared::Identity;
use shared::shutdown::{CancellationToken, DropGuard};

/// While one is written, the next is cleaned, chunked and embedded.
const OVERLAP: usize = 2;

/// Batches in flight. No two are about the same document: its second change would be planned against what is going.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<Applying>);

#[derive(Debug)]
struct Applying {
    about: HashSet<Identity>,
    /// Cancelled once it is applied, or has failed.
    over: CancellationToken,
}

impl InFlight {
    /// A batch about these documents is begun; it is over when the guard is dropped.
    pub(crate) fn begin(&mut self, about: HashSet<Identity>) -> DropGuard {
        let over = CancellationToken::new();
        self.0.push(Applying { about, over: over.clone() });
        over.drop_guard()
    }

    /// Whether nothing is being applied.
    pub(crate) fn is_empty(&self) -> bool {
        self.applying().next().is_none()
    }

    /// Whether another batch may be begun.
    pub(crate) fn has_room(&self) -> bool {
        self.applying().count() < OVERLAP
    }

    /// Whether nothing that is being applied is about any of these documents.
    pub(crate) fn is_disjoint(&self, about: &HashSet<Identity>) -> bool {
        self.applying().all(|batch| batch.about.is_disjoint(about))
    }

    /// Waits until another one is over; never where there is none.
    pub(crate) fn one_is_over(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.0.retain(|batch| !batch.over.is_cancelled());
        let over = self.0.iter().map(|batch| batch.over.clone().cancelled_owned().boxed());
        select_all(over.chain([std::future::pending().boxed()])).map(drop)
    }

    fn applying(&self) -> impl Iterator<Item = &Applying> {
        self.0.iter().filter(|batch| !batch.over.is_cancelled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{DocumentType, IdKind};

    fn about(entry_ids: &[&str]) -> HashSet<Identity> {
        let identity = |entry_id: &&str| Identity {
            document_type: DocumentType::Posts,
            id_kind: IdKind::Str,
            entry_id: (*entry_id).into(),
        };
        entry_ids.iter().map(identity).collect()
    }

    #[test]
    fn a_document_is_in_one_batch_at_a_time() {
        let mut in_flight = InFlight::default();
        let first = in_flight.begin(about(&["a", "b"]));
        assert!(in_flight.is_disjoint(&about(&["c"])) && !in_flight.is_disjoint(&about(&["c", "b"])));
        drop(first);
        assert!(in_flight.is_disjoint(&about(&["b"])));
    }

    #[tokio::test]
    async fn the_next_batch_begins_beside_one_and_a_third_when_one_is_over() {
        let mut in_flight = InFlight::default();
        let first = in_flight.begin(about(&["a"]));
        assert!(in_flight.has_room());
        let _second = in_flight.begin(about(&["b"]));
        assert!(!in_flight.has_room());
        assert!(in_flight.one_is_over().now_or_never().is_none());
        let waiting = in_flight.one_is_over();
        drop(first);
        waiting.await;
        assert!(in_flight.has_room() && !in_flight.is_empty());
        assert!(in_flight.one_is_over().now_or_never().is_none(), "it is told once");
    }
}
