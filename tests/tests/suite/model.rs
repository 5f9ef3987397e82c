//! The model of the protocol: nothing breaks in any interleaving, and something does without each of its rules.

use tests::model::{
    A, A_BY_ANOTHER, B, Broken, Faults, Rule, Rules, Scenario, barrier, delete, elsewhere, explore, put, repair,
};

const KILL: Faults = Faults { kills: 1, pauses: 0, damaged_records: 0, lost_chunks: 0 };
const PAUSE: Faults = Faults { kills: 0, pauses: 1, ..KILL };
const KILL_AND_PAUSE: Faults = Faults { pauses: 1, ..KILL };
const DAMAGE: Faults = Faults { damaged_records: 1, ..KILL };

fn updates() -> Scenario {
    Scenario::of(vec![put(2, A), put(3, B), put(4, A)], Some(A))
}

fn update() -> Scenario {
    Scenario::of(vec![put(2, A), put(3, B)], Some(B))
}

/// What the producer relayed and relays again, a deletion among it.
fn replay() -> Scenario {
    Scenario::of(vec![put(2, A), delete(3), put(2, A), delete(3)], None).batches_of(2)
}

/// An update that is relayed again is looked up again, and bears what came later.
fn replay_with_newer_content() -> Scenario {
    Scenario::of(vec![put(2, A), put(2, B), put(3, B)], Some(B)).batches_of(2)
}

fn change_of_author() -> Scenario {
    Scenario::of(vec![put(2, A), put(3, A_BY_ANOTHER)], Some(A_BY_ANOTHER)).faults(KILL).read()
}

/// A row at the barrier's own revision, and one from before.
fn snapshot() -> Scenario {
    Scenario::of(vec![put(2, A), barrier(4), put(4, B), put(3, A)], Some(B))
}

/// A barrier finds nothing, and an event from before it comes late.
fn late_row() -> Scenario {
    Scenario::of(vec![barrier(4), put(3, A)], None)
}

fn lost_chunk() -> Scenario {
    Scenario::of(vec![put(2, A), repair(3, A)], Some(A)).faults(Faults { lost_chunks: 1, ..KILL_AND_PAUSE })
}

/// A change comes right behind the repair.
fn lost_chunk_of_a_busy_document() -> Scenario {
    let queue = vec![put(2, A), repair(3, A), put(4, A)];
    Scenario::of(queue, Some(A)).faults(Faults { lost_chunks: 1, ..KILL }).batches_of(2)
}

fn damaged_beside_a_zombie() -> Scenario {
    let faults = Faults { pauses: 1, ..DAMAGE };
    Scenario::of(vec![put(2, A), put(3, A)], Some(A)).faults(faults).swept(1)
}

fn reader_and_janitor() -> Scenario {
    update().read().swept(1)
}

/// The document is deleted, relayed again from before, and comes back much later.
fn purge() -> Scenario {
    let queue = vec![put(2, A), delete(3), put(2, A), delete(3), elsewhere(6), put(7, B)];
    Scenario::of(queue, Some(B)).faults(KILL).purged()
}

fn purge_beside_a_zombie() -> Scenario {
    let queue = vec![put(1, A), delete(2), elsewhere(6), put(7, B)];
    Scenario::of(queue, Some(B)).faults(KILL_AND_PAUSE).purged()
}

fn assert_nothing_breaks(scenarios: impl IntoIterator<Item = Scenario>) {
    for scenario in scenarios {
        let explored = explore(&scenario, Rules::all());
        assert!(explored.counterexamples.is_empty(), "{scenario:?}\n{:?}", explored.counterexamples);
        assert!(explored.states > 20, "{} states: there was nothing to explore", explored.states);
    }
}

#[test]
fn changes_are_applied_once_and_in_order_whoever_is_killed_or_paused() {
    assert_nothing_breaks([updates().faults(KILL_AND_PAUSE).batches_of(2), update().faults(PAUSE).batches_of(2)]);
}

#[test]
fn what_is_relayed_again_changes_nothing_whoever_is_killed_or_paused() {
    assert_nothing_breaks([replay().faults(KILL_AND_PAUSE), replay_with_newer_content().faults(KILL_AND_PAUSE)]);
}

#[test]
fn barriers_bury_what_is_older_and_nothing_else() {
    assert_nothing_breaks([snapshot().faults(KILL_AND_PAUSE), late_row().faults(KILL_AND_PAUSE)]);
}

#[test]
fn a_reader_sees_one_revision_and_misses_no_document() {
    assert_nothing_breaks([change_of_author(), updates().faults(KILL).read(), update().faults(PAUSE).read()]);
    assert_nothing_breaks([reader_and_janitor()]);
}

#[test]
fn what_the_store_lost_is_mended_by_the_next_change_or_a_repair() {
    let buried = Scenario::of(vec![put(2, A), barrier(4)], None);
    let mended = [update().faults(DAMAGE), buried.faults(DAMAGE), lost_chunk(), damaged_beside_a_zombie()];
    assert_nothing_breaks(mended);
    assert_nothing_breaks([lost_chunk_of_a_busy_document()]);
}

#[test]
fn the_janitor_and_the_purge_take_away_nothing_that_is_needed() {
    assert_nothing_breaks([updates().faults(PAUSE).swept(1), purge(), purge_beside_a_zombie()]);
}

/// A scenario that breaks without this rule, and how.
fn counterexample(rule: Rule) -> (Scenario, Broken) {
    match rule {
        Rule::ExactRevisions => (update(), Broken::Stuck),
        Rule::NewIds => (update().faults(PAUSE).batches_of(2), Broken::Missing),
        Rule::RedeliveryLooksForLeftovers => (update().faults(KILL), Broken::Orphan),
        Rule::CompareAndSet => (update().faults(PAUSE).batches_of(2), Broken::WrongState),
        Rule::ReadBack => (update().faults(PAUSE).batches_of(2), Broken::WrongState),
        Rule::MetadataIsHashed => (change_of_author(), Broken::ForeignAuthor),
        Rule::TombstoneBelowBarrier => (snapshot().faults(KILL), Broken::WrongState),
        Rule::ReaderAsksAgain | Rule::Grace => (updates().read(), Broken::Absent),
        Rule::OlderIsNotApplied => (replay(), Broken::Resurrected),
        Rule::FoldingRemembersRedelivery => (replay().faults(KILL), Broken::Orphan),
        Rule::FoldingRemembersRepair => (lost_chunk_of_a_busy_document(), Broken::Missing),
        Rule::BarrierLooksForLeftovers => (snapshot().faults(KILL), Broken::Orphan),
        Rule::PlaceBehindDeletes => (snapshot().faults(KILL), Broken::Orphan),
        Rule::BuriedByAnother => (snapshot().faults(KILL_AND_PAUSE), Broken::Orphan),
        Rule::OvertakenDeletesNothing => (update().faults(PAUSE).batches_of(2), Broken::Missing),
        Rule::WrittenIsRemembered => {
            (Scenario::of(vec![put(2, A), put(3, A)], Some(A)).faults(PAUSE).batches_of(2), Broken::Orphan)
        }
        Rule::EqualIsNotApplied => (replay_with_newer_content().faults(KILL_AND_PAUSE), Broken::Missing),
        Rule::Floor => (late_row(), Broken::Resurrected),
        Rule::OneRecordRead => (updates().read(), Broken::Mixed),
        Rule::RepairRewrites => (lost_chunk(), Broken::Missing),
        Rule::DamagedIsReplaced => (update().faults(DAMAGE), Broken::WrongState),
        Rule::DamagedIsNotBelieved => (damaged_beside_a_zombie(), Broken::Missing),
        Rule::DamagedLooksForLeftovers => (update().faults(DAMAGE), Broken::Orphan),
        Rule::Janitor => (update().faults(PAUSE).batches_of(2), Broken::Orphan),
        Rule::JanitorSparesNewer => (reader_and_janitor(), Broken::Missing),
        Rule::JanitorGrace => (reader_and_janitor(), Broken::Absent),
        Rule::PurgeBehindTheQueue => (purge(), Broken::Resurrected),
        Rule::PurgeOfWhatWasRead => (purge(), Broken::WrongState),
    }
}

#[test]
fn each_rule_is_needed() {
    for rule in Rule::ALL {
        let (scenario, expected) = counterexample(rule);
        let found: Vec<Broken> =
            explore(&scenario, Rules::without(rule)).counterexamples.iter().map(|found| found.broken).collect();
        assert!(found.contains(&expected), "without {rule:?}: {found:?} and not {expected:?}");
    }
}
