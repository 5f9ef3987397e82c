//! The consumer, a request at a time, as `consumer/src/sync.rs` and `barrier.rs` make them.

use super::index::{Chunks, Content, Record};
use super::rules::Rule;
use super::scenario::{Message, Says};
use super::scroll::Scroll;
use super::state::{Frame, Move, Next, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Role {
    #[default]
    Absent,
    /// The broker delivers to it.
    Owner,
    /// It was paused, another owns the partition, and it does not know.
    Zombie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Step {
    #[default]
    Idle,
    RaiseFloor,
    Read,
    WriteChunks,
    Swap,
    ReadBack,
    BeginScroll,
    EndScroll,
    Delete,
    Note,
    Ack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Consumer {
    pub(super) role: Role,
    step: Step,
    /// The next message to take.
    next: u8,
    /// A paused consumer holds no more than those before this one.
    until: u8,
    /// Messages before this one were delivered before.
    redelivered: u8,
    /// The first message of the batch; it ends before `next`.
    from: u8,
    /// The message that is left of it after folding.
    message: u8,
    /// Whether an earlier attempt may have left chunks.
    leftovers: bool,
    /// Whether every chunk is to be written again.
    rewrites: bool,
    read: Option<Record>,
    plan: Option<Record>,
    to_write: Chunks,
    written: Chunks,
    stale: Chunks,
    /// It begins again after its deletes.
    again: bool,
    pub(super) scroll: Option<Scroll>,
    /// It waits for the query that is under way.
    pub(super) waits: bool,
}

impl Consumer {
    pub(super) fn owner(next: u8, redelivered: u8) -> Self {
        Self { role: Role::Owner, next, redelivered, ..Self::default() }
    }

    pub(super) fn paused(&self, held: u8) -> Self {
        Self { role: Role::Zombie, until: self.next + held, ..*self }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }

    pub(super) fn next(&self) -> u8 {
        self.next
    }

    fn name(&self) -> &'static str {
        if self.role == Role::Zombie { "paused consumer" } else { "consumer" }
    }

    fn at_rest(&self) -> Self {
        if self.role == Role::Zombie && self.next >= self.until {
            return Self::default();
        }
        let Self { role, next, until, redelivered, .. } = *self;
        Self { role, next, until, redelivered, ..Self::default() }
    }
}

impl State {
    pub(super) fn consumer_steps(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = self.consumers[who];
        if consumer.role == Role::Absent {
            return;
        }
        match consumer.step {
            Step::Idle => self.take(who, frame, next),
            Step::RaiseFloor => {
                let mut state = *self;
                if frame.keep(Rule::Floor) {
                    state.index.floor = state.index.floor.max(self.message_of(who, frame).revision - 1);
                }
                let passed = consumer.leftovers && self.passed == consumer.message + 1;
                let step = if passed { Step::Ack } else { Step::Read };
                state.go(who, step, "raises the floor", next);
            }
            Step::Read => self.read(who, frame, next),
            Step::WriteChunks => self.write_chunks(who, next),
            Step::Swap => self.swap(who, frame, next),
            Step::ReadBack => self.read_back(who, frame, next),
            Step::BeginScroll => {
                let mut state = *self;
                state.consumers[who].scroll = Some(Scroll::begin(self.index.chunks, Chunks::up_to(7)));
                state.go(who, Step::EndScroll, "begins to scroll", next);
            }
            Step::EndScroll => self.end_scroll(who, frame, next),
            Step::Delete => self.delete(who, frame, next),
            Step::Note => self.note(who, frame, next),
            Step::Ack => {
                let mut state = *self;
                if consumer.role == Role::Owner {
                    state.acked = consumer.next;
                }
                state.consumers[who] = consumer.at_rest();
                next.push((Move(consumer.name(), "acknowledges"), state));
            }
        }
    }

    /// Goes on with this step.
    fn go(mut self, who: usize, step: Step, what: &'static str, next: &mut Next) {
        self.consumers[who].step = step;
        next.push((Move(self.consumers[who].name(), what), self));
    }

    fn message_of(&self, who: usize, frame: Frame<'_>) -> Message {
        frame.scenario.queue[usize::from(self.consumers[who].message)]
    }

    /// A batch is closed whenever the queue is momentarily empty: it can be of any length.
    fn take(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = self.consumers[who];
        let end = if consumer.role == Role::Zombie { consumer.until } else { frame.messages() };
        let queue = &frame.scenario.queue;
        for to in consumer.next + 1..=end.min(consumer.next + frame.scenario.batch) {
            let batch = &queue[usize::from(consumer.next)..usize::from(to)];
            let barrier = batch.iter().any(|message| message.says == Says::Barrier);
            if barrier && batch.len() > 1 {
                break;
            }
            let mut state = *self;
            state.delivered = self.delivered.max(to);
            let ours = (consumer.next..to).filter(|at| queue[usize::from(*at)].says != Says::Elsewhere);
            // Of equals the later delivery.
            let last = ours.clone().max_by_key(|at| (queue[usize::from(*at)].revision, *at));
            let folded = if frame.keep(Rule::FoldingRemembersRedelivery) {
                ours.clone().any(|at| at < consumer.redelivered)
            } else {
                last.is_some_and(|at| at < consumer.redelivered)
            };
            let repairs = |at: u8| matches!(queue[usize::from(at)].says, Says::Repair(_));
            let rewrites = if frame.keep(Rule::FoldingRemembersRepair) {
                ours.clone().any(repairs)
            } else {
                last.is_some_and(repairs)
            };
            let (from, message) = (consumer.next, last.unwrap_or(consumer.next));
            state.consumers[who] = Consumer { from, message, next: to, leftovers: folded, rewrites, ..consumer };
            let step = match (last, barrier) {
                (None, _) => Step::Ack,
                (Some(_), true) => Step::RaiseFloor,
                (Some(_), false) => Step::Read,
            };
            state.go(who, step, "takes a batch", next);
        }
    }

    fn read(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let mut state = *self;
        let message = self.message_of(who, frame);
        let plan = match message.says {
            Says::Barrier => self.burial(message.revision, frame),
            _ if self.is_news(message, frame) => Some(self.plan(message, self.consumers[who].rewrites, frame)),
            _ => None,
        };
        let consumer = &mut state.consumers[who];
        consumer.read = self.index.record;
        consumer.plan = plan.map(|(record, _)| record);
        if let Some((_, to_write)) = plan {
            consumer.to_write = to_write;
            consumer.leftovers |= self.index.is_damaged() && frame.keep(Rule::DamagedLooksForLeftovers);
            let step = if to_write.is_empty() { Step::Swap } else { Step::WriteChunks };
            return state.go(who, step, "reads, and plans", next);
        }
        consumer.stale = consumer.stale.with(consumer.written.without(self.index.listed()));
        consumer.leftovers |= self.is_buried(message) && frame.keep(Rule::BuriedByAnother);
        state.settle(who, frame, "reads, and has nothing to apply", next);
    }

    /// Whether a change is to be applied.
    fn is_news(&self, message: Message, frame: Frame<'_>) -> bool {
        let standing = self.index.revision();
        let repairs = matches!(message.says, Says::Repair(_))
            || (self.index.is_damaged() && frame.keep(Rule::DamagedIsReplaced))
            || (!frame.keep(Rule::EqualIsNotApplied) && self.content() != Some(content_of(message)));
        message.revision > standing || (message.revision == standing && repairs) || !frame.keep(Rule::OlderIsNotApplied)
    }

    fn content(&self) -> Option<Option<Content>> {
        self.index.record.map(|record| record.content)
    }

    /// The record that is to stand, and the chunks to write before.
    fn plan(&self, message: Message, rewrites: bool, frame: Frame<'_>) -> (Record, Chunks) {
        let Some(content) = content_of(message) else { return (Record::tombstone(message.revision), Chunks::NONE) };
        let kept = if rewrites && frame.keep(Rule::RepairRewrites) { Chunks::NONE } else { self.index.listed() };
        let (mut listed, mut new) = (Chunks::NONE, Chunks::NONE);
        for (text, author) in content.chunks() {
            let hashed = frame.keep(Rule::MetadataIsHashed).then_some(author);
            let chunk = kept.find(text, hashed).unwrap_or_else(|| {
                let introduced = if frame.keep(Rule::NewIds) { message.revision } else { 0 };
                let chunk = Chunks::one(introduced, text, author);
                new = new.with(chunk);
                chunk
            });
            listed = listed.with(chunk);
        }
        (Record { revision: message.revision, content: Some(content), listed, damaged: false }, new)
    }

    /// The tombstone that a barrier at `revision` puts in place of an older record.
    fn burial(&self, revision: u8, frame: Frame<'_>) -> Option<(Record, Chunks)> {
        let below = if frame.keep(Rule::TombstoneBelowBarrier) { revision - 1 } else { revision };
        let record = self.index.record?;
        let buried = record.content.is_none() && !record.damaged && record.revision == below;
        (record.revision < revision && !buried).then_some((Record::tombstone(below), Chunks::NONE))
    }

    /// Whether the barrier's own tombstone stands, put in place by another or in an earlier delivery.
    fn is_buried(&self, message: Message) -> bool {
        let tombstone = self.index.record.is_some_and(|record| record.content.is_none() && !record.damaged);
        message.says == Says::Barrier && tombstone && self.index.revision() + 1 == message.revision
    }

    fn write_chunks(&self, who: usize, next: &mut Next) {
        for chunk in self.consumers[who].to_write.each() {
            let mut state = *self;
            state.add(chunk);
            let consumer = &mut state.consumers[who];
            consumer.to_write = consumer.to_write.without(chunk);
            consumer.written = consumer.written.with(chunk);
            let step = if consumer.to_write.is_empty() { Step::Swap } else { Step::WriteChunks };
            state.go(who, step, "writes a chunk", next);
        }
    }

    fn swap(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = self.consumers[who];
        let (stored, mut state) = (self.index.record, *self);
        let Some(plan) = consumer.plan else { return };
        let as_read = match stored {
            // The store can only refuse updates, never inserts.
            None => true,
            Some(_) if !frame.keep(Rule::CompareAndSet) => true,
            // A range filter compares doubles, of which every second is missing here.
            Some(stored) if !frame.keep(Rule::ExactRevisions) => stored.revision / 2 < plan.revision / 2,
            Some(stored) => consumer.read.map(|read| read.revision) == Some(stored.revision),
        };
        if as_read {
            state.set_record(plan);
        }
        let what = if as_read { "puts its record in place" } else { "finds another record in place" };
        state.go(who, Step::ReadBack, what, next);
    }

    fn read_back(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let mut state = *self;
        let consumer = &mut state.consumers[who];
        let Some(plan) = consumer.plan else { return };
        let former = consumer.read.filter(|read| !read.damaged).map_or(Chunks::NONE, |read| read.listed);
        let (standing, listed) = if frame.keep(Rule::ReadBack) {
            (self.index.revision(), self.index.listed())
        } else {
            (plan.revision, plan.listed)
        };
        let believed = !self.index.is_damaged() || !frame.keep(Rule::DamagedIsNotBelieved);
        if standing == plan.revision && believed {
            consumer.stale = consumer.stale.with(former.with(consumer.written).without(listed));
            consumer.read = self.index.record;
            return state.settle(who, frame, "reads back that it stands", next);
        }
        if standing < plan.revision && !frame.keep(Rule::OvertakenDeletesNothing) {
            consumer.stale = consumer.written.without(listed);
            consumer.again = true;
            return state.go(who, Step::Delete, "reads back an older record, and deletes what it wrote", next);
        }
        if !frame.keep(Rule::WrittenIsRemembered) {
            consumer.written = Chunks::NONE;
        }
        state.go(who, Step::Read, "reads back another record, and begins again", next);
    }

    /// What is left to do once the record stands: look for leftovers where there may be some, and delete.
    fn settle(mut self, who: usize, frame: Frame<'_>, what: &'static str, next: &mut Next) {
        let (barrier, damaged) = (self.message_of(who, frame).says == Says::Barrier, self.index.is_damaged());
        let consumer = &mut self.consumers[who];
        let rule = if barrier { Rule::BarrierLooksForLeftovers } else { Rule::RedeliveryLooksForLeftovers };
        let redelivered = consumer.from < consumer.redelivered;
        let scrolls = consumer.leftovers && (frame.keep(rule) || !redelivered) && consumer.read.is_some() && !damaged;
        let step = if scrolls { Step::BeginScroll } else { self.deletion(who, frame) };
        self.go(who, step, what, next);
    }

    /// Deletes wait for the grace.
    fn deletion(&mut self, who: usize, frame: Frame<'_>) -> Step {
        let queried = self.reader.is_querying();
        let consumer = &mut self.consumers[who];
        consumer.waits = frame.keep(Rule::Grace) && queried;
        let done = consumer.stale.is_empty();
        match self.last_step(who, frame) {
            Step::Note if done || !frame.keep(Rule::PlaceBehindDeletes) => Step::Note,
            last if done => last,
            _ => Step::Delete,
        }
    }

    /// What follows the deletions.
    fn last_step(&self, who: usize, frame: Frame<'_>) -> Step {
        let unnoted = self.passed != self.consumers[who].message + 1;
        if self.message_of(who, frame).says == Says::Barrier && unnoted { Step::Note } else { Step::Ack }
    }

    /// The one document of the model is the only page of a barrier.
    fn note(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let mut state = *self;
        state.passed = self.consumers[who].message + 1;
        let step = state.deletion(who, frame);
        state.go(who, step, "notes how far the barrier has got", next);
    }

    /// What was found, is not listed, and is no newer than the record that was read before.
    fn end_scroll(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = self.consumers[who];
        let (Some(scroll), Some(read)) = (consumer.scroll, consumer.read) else { return };
        for found in scroll.results() {
            let mut state = *self;
            let left = found.without(read.listed).and(Chunks::up_to(read.revision));
            state.consumers[who].stale = consumer.stale.with(left);
            state.consumers[who].scroll = None;
            let step = state.deletion(who, frame);
            state.go(who, step, "has scrolled", next);
        }
    }

    fn delete(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = self.consumers[who];
        if consumer.waits {
            return;
        }
        if consumer.stale.is_empty() {
            let mut state = *self;
            state.consumers[who].again = false;
            let step = if consumer.again { Step::Read } else { self.last_step(who, frame) };
            return state.go(who, step, "has deleted", next);
        }
        for chunk in consumer.stale.each() {
            let mut state = *self;
            state.remove(chunk);
            state.consumers[who].stale = consumer.stale.without(chunk);
            state.go(who, Step::Delete, "deletes a chunk", next);
        }
    }
}

/// What a document is after this message; `None` where it is gone.
fn content_of(message: Message) -> Option<Content> {
    match message.says {
        Says::Put(content) | Says::Repair(content) => Some(content),
        Says::Delete | Says::Barrier | Says::Elsewhere => None,
    }
}
