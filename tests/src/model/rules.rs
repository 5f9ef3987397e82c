//! The rules of the protocol, each of which can be left out to see what it is for.

/// A rule of the protocol. What breaks without it is found by the test named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Order is decided by exact integers; the store is asked for equality only (execution 1).
    ExactRevisions,
    /// A chunk's id bears the revision that introduced it (2).
    NewIds,
    /// A redelivery at the revision that stands looks for leftovers (3).
    RedeliveryLooksForLeftovers,
    /// The record is put in place only of the one that was read.
    CompareAndSet,
    /// After the compare-and-set it is read back what stands.
    ReadBack,
    /// A chunk's hash covers the metadata that it is filtered by (9).
    MetadataIsHashed,
    /// Tombstones of a barrier lie one below it (11, 18).
    TombstoneBelowBarrier,
    /// A reader asks again about a live document that was left without a hit (12).
    ReaderAsksAgain,
    /// An event older than what stands is not applied (13).
    OlderIsNotApplied,
    /// Folding remembers any redelivery (15).
    FoldingRemembersRedelivery,
    /// Folding remembers any repair (21).
    FoldingRemembersRepair,
    /// A redelivered barrier looks for leftovers under tombstones too (15).
    BarrierLooksForLeftovers,
    /// A barrier's place is noted behind the deletions of what lies before it.
    PlaceBehindDeletes,
    /// Whoever meets its barrier's own tombstone looks for leftovers: another is at work, and may be killed.
    BuriedByAnother,
    /// Whoever meets an older record begins again and deletes nothing before (16).
    OvertakenDeletesNothing,
    /// What was written in any attempt is remembered (16).
    WrittenIsRemembered,
    /// An event at the revision that stands is not applied, whatever it says (17).
    EqualIsNotApplied,
    /// A barrier raises a floor under documents without a record (18).
    Floor,
    /// Former chunks outlive the move of their record by the longest query (19).
    Grace,
    /// One read of the record decides about all hits of a document (20).
    OneRecordRead,
    /// A repair writes every chunk anew (21).
    RepairRewrites,
    /// A record that is damaged is replaced at its own revision too.
    DamagedIsReplaced,
    /// A record that is read back damaged proves nothing: its writer begins again.
    DamagedIsNotBelieved,
    /// Whoever replaces a damaged record looks for what it listed.
    DamagedLooksForLeftovers,
    /// Somebody looks after what a paused consumer leaves that wakes and dies.
    Janitor,
    /// The janitor leaves alone what is newer than the record.
    JanitorSparesNewer,
    /// The janitor deletes no sooner than the grace after its reading.
    JanitorGrace,
    /// A tombstone goes only when the partition has acknowledged a change that is much younger.
    PurgeBehindTheQueue,
    /// It goes only if it is still what was read.
    PurgeOfWhatWasRead,
}

impl Rule {
    /// Each of them.
    pub const ALL: [Self; 29] = [
        Self::ExactRevisions,
        Self::NewIds,
        Self::RedeliveryLooksForLeftovers,
        Self::CompareAndSet,
        Self::ReadBack,
        Self::MetadataIsHashed,
        Self::TombstoneBelowBarrier,
        Self::ReaderAsksAgain,
        Self::OlderIsNotApplied,
        Self::FoldingRemembersRedelivery,
        Self::FoldingRemembersRepair,
        Self::BarrierLooksForLeftovers,
        Self::PlaceBehindDeletes,
        Self::BuriedByAnother,
        Self::OvertakenDeletesNothing,
        Self::WrittenIsRemembered,
        Self::EqualIsNotApplied,
        Self::Floor,
        Self::Grace,
        Self::OneRecordRead,
        Self::RepairRewrites,
        Self::DamagedIsReplaced,
        Self::DamagedIsNotBelieved,
        Self::DamagedLooksForLeftovers,
        Self::Janitor,
        Self::JanitorSparesNewer,
        Self::JanitorGrace,
        Self::PurgeBehindTheQueue,
        Self::PurgeOfWhatWasRead,
    ];
}

/// The rules that are kept.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    left_out: Option<Rule>,
}

impl Rules {
    /// All of them: the protocol.
    pub fn all() -> Self {
        Self { left_out: None }
    }

    /// All but one.
    pub fn without(rule: Rule) -> Self {
        Self { left_out: Some(rule) }
    }

    pub(super) fn keep(self, rule: Rule) -> bool {
        self.left_out != Some(rule)
    }
}
