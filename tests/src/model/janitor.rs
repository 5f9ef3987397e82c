//! The janitor, which deletes what no record lists, and purges tombstones.

use super::index::{Chunks, Record};
use super::rules::Rule;
use super::scenario::Says;
use super::scroll::Scroll;
use super::state::{Frame, Move, Next, State};

/// How much younger an acknowledged change of the partition is than a tombstone that may go.
const AGE: u8 = 3;

const WHO: &str = "janitor";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Step {
    #[default]
    Idle,
    BeginScroll,
    EndScroll,
    Delete,
    Purge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Janitor {
    step: Step,
    passes: u8,
    purges: u8,
    purging: bool,
    read: Option<Record>,
    stale: Chunks,
    pub(super) scroll: Option<Scroll>,
    pub(super) waits: bool,
}

impl Janitor {
    pub(super) fn with(passes: u8, purges: u8) -> Self {
        Self { passes, purges, ..Self::default() }
    }

    pub(super) fn interrupted(&self) -> Self {
        Self::with(self.passes, self.purges)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }
}

impl State {
    pub(super) fn janitor_steps(&self, frame: Frame<'_>, next: &mut Next) {
        let janitor = self.janitor;
        match janitor.step {
            Step::Idle => self.begin_pass(frame, next),
            Step::BeginScroll => {
                let mut state = *self;
                state.janitor.scroll = Some(Scroll::begin(self.index.chunks, Chunks::up_to(7)));
                state.work(Step::EndScroll, "begins to scroll", next);
            }
            Step::EndScroll => self.judge(frame, next),
            Step::Delete => self.sweep_up(next),
            Step::Purge => self.purge(frame, next),
        }
    }

    fn work(mut self, step: Step, what: &'static str, next: &mut Next) {
        self.janitor.step = step;
        next.push((Move(WHO, what), self));
    }

    fn begin_pass(&self, frame: Frame<'_>, next: &mut Next) {
        let Some(record) = self.index.record.filter(|record| !record.damaged) else { return };
        let mut state = *self;
        state.janitor.read = Some(record);
        let step = Step::BeginScroll;
        if self.janitor.passes > 0 {
            let mut pass = state;
            pass.janitor.passes -= 1;
            pass.work(step, "reads the record", next);
        }
        // No pause of a consumer lasts as long as a tombstone is kept.
        if self.janitor.purges > 0 && !self.has_zombie() && self.is_old(record, frame) {
            state.janitor.purges -= 1;
            state.janitor.purging = true;
            state.work(step, "reads an old tombstone", next);
        }
    }

    fn is_old(&self, record: Record, frame: Frame<'_>) -> bool {
        let acked = &frame.scenario.queue[..usize::from(self.acked)];
        let changes = acked.iter().filter(|message| message.says != Says::Barrier);
        let reached = changes.map(|message| message.revision).max().unwrap_or(0);
        let old = reached >= record.revision + AGE || !frame.keep(Rule::PurgeBehindTheQueue);
        record.content.is_none() && old
    }

    /// Settles which chunks are to go.
    fn judge(&self, frame: Frame<'_>, next: &mut Next) {
        let (Some(scroll), Some(read)) = (self.janitor.scroll, self.janitor.read) else { return };
        let spared = if frame.keep(Rule::JanitorSparesNewer) { Chunks::up_to(read.revision) } else { Chunks::up_to(7) };
        for found in scroll.results() {
            let mut state = *self;
            state.janitor.scroll = None;
            state.janitor.stale = found.without(read.listed).and(spared);
            state.janitor.waits = frame.keep(Rule::JanitorGrace) && self.reader.is_querying();
            state.work(Step::Delete, "has scrolled", next);
        }
    }

    fn sweep_up(&self, next: &mut Next) {
        let janitor = self.janitor;
        if janitor.waits {
            return;
        }
        if janitor.stale.is_empty() {
            let mut state = *self;
            if janitor.purging {
                return state.work(Step::Purge, "has deleted", next);
            }
            state.janitor = janitor.interrupted();
            return next.push((Move(WHO, "has deleted"), state));
        }
        for chunk in janitor.stale.each() {
            let mut state = *self;
            state.remove(chunk);
            state.janitor.stale = janitor.stale.without(chunk);
            state.work(Step::Delete, "deletes a chunk", next);
        }
    }

    fn purge(&self, frame: Frame<'_>, next: &mut Next) {
        if self.has_zombie() {
            return;
        }
        let mut state = *self;
        if self.index.record == self.janitor.read || !frame.keep(Rule::PurgeOfWhatWasRead) {
            state.index.record = None;
        }
        state.janitor = self.janitor.interrupted();
        next.push((Move(WHO, "removes the tombstone"), state));
    }
}
