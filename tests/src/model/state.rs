//! One moment of everything: the store, the queue, and everybody who is at work.

use super::consumer::{Consumer, Role};
use super::index::{Chunks, Index, Record};
use super::janitor::Janitor;
use super::reader::Reader;
use super::rules::{Rule, Rules};
use super::scenario::{Faults, Says, Scenario};

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Broken {
    /// In the end the record is not what the source holds.
    WrongState,
    /// In the end a listed chunk is missing.
    Missing,
    /// In the end a chunk is left that no record lists and nobody will delete.
    Orphan,
    /// A deletion was acknowledged, and what is older is back.
    Resurrected,
    /// A reader was shown two revisions of a document as one.
    Mixed,
    /// A reader did not find a document that was there throughout.
    Absent,
    /// A reader was shown a chunk under an author that is not its document's.
    ForeignAuthor,
    /// It can never come to an end.
    Stuck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) index: Index,
    /// Messages that are acknowledged.
    pub(super) acked: u8,
    /// Messages that were delivered at least once.
    pub(super) delivered: u8,
    pub(super) consumers: [Consumer; 2],
    pub(super) janitor: Janitor,
    pub(super) reader: Reader,
    /// The barrier that is noted as passed, counted from 1.
    pub(super) passed: u8,
    /// What may still go wrong.
    pub(super) faults: Faults,
    /// A paused consumer has died: only the janitor can know what it left.
    abandoned: bool,
    pub(super) seen: Option<Broken>,
}

/// Who did what to come to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move(pub(super) &'static str, pub(super) &'static str);

pub(super) type Next = Vec<(Move, State)>;

/// What stays the same while it is explored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) rules: Rules,
}

impl Frame<'_> {
    pub(super) fn keep(self, rule: Rule) -> bool {
        self.rules.keep(rule)
    }

    pub(super) fn messages(self) -> u8 {
        self.scenario.queue.len() as u8
    }
}

impl State {
    pub(super) fn first(scenario: &Scenario) -> Self {
        Self {
            index: Index::default(),
            acked: 0,
            delivered: 0,
            passed: 0,
            consumers: [Consumer::owner(0, 0), Consumer::default()],
            janitor: Janitor::with(scenario.passes, scenario.purges),
            reader: if scenario.reader { Reader::Waiting } else { Reader::Done },
            faults: scenario.faults,
            abandoned: false,
            seen: None,
        }
    }

    /// Everything that can happen next.
    pub(super) fn next(&self, frame: Frame<'_>) -> Next {
        let mut next = Next::new();
        if self.seen.is_some() {
            return next;
        }
        for who in 0..2 {
            self.consumer_steps(who, frame, &mut next);
            self.faults_of(who, frame, &mut next);
        }
        self.losses(frame, &mut next);
        self.janitor_steps(frame, &mut next);
        self.reader_steps(frame, &mut next);
        next
    }

    /// What the store itself loses, as long as a change is still to come that can mend it.
    fn losses(&self, frame: Frame<'_>, next: &mut Next) {
        let to_come = &frame.scenario.queue[usize::from(self.delivered)..];
        if to_come.is_empty() {
            return;
        }
        let repaired = to_come.iter().any(|message| matches!(message.says, Says::Repair(_)));
        if self.faults.lost_chunks > 0 && repaired {
            for chunk in self.index.listed().and(self.index.chunks).each() {
                let mut lost = *self;
                lost.faults.lost_chunks -= 1;
                lost.remove(chunk);
                next.push((Move("store", "loses a chunk"), lost));
            }
        }
        if let (true, Some(record)) = (self.faults.damaged_records > 0, self.index.record) {
            let mut damaged = *self;
            damaged.damage(record);
            next.push((Move("store", "has its record damaged"), damaged));
        }
    }

    /// Of what was under way at the store, the janitor's pass is given up.
    fn damage(&mut self, record: Record) {
        self.faults.damaged_records -= 1;
        self.set_record(Record { damaged: true, ..record });
        self.janitor = self.janitor.interrupted();
    }

    fn faults_of(&self, who: usize, frame: Frame<'_>, next: &mut Next) {
        let consumer = &self.consumers[who];
        if consumer.role == Role::Zombie {
            let mut dead = *self;
            dead.consumers[who] = Consumer::default();
            dead.abandoned = true;
            next.push((Move("paused consumer", "dies"), dead));
        }
        if consumer.role != Role::Owner || consumer.is_idle() {
            return;
        }
        if self.faults.kills > 0 {
            let mut killed = *self;
            killed.faults.kills -= 1;
            killed.consumers[who] = Consumer::owner(self.acked, self.delivered);
            next.push((Move("consumer", "is killed, and starts again"), killed));
            // What is damaged behind a barrier's place is damaged behind the barrier.
            let damageable = self.faults.damaged_records > 0 && self.passed != self.acked + 1;
            if let (true, Some(record)) = (damageable, self.index.record) {
                killed.damage(record);
                next.push((Move("consumer", "is killed with the store, whose record is damaged"), killed));
            }
        }
        if self.faults.pauses > 0 && self.consumers[1 - who].role == Role::Absent {
            for held in 0..=u8::from(consumer.next() < frame.messages()) {
                let mut paused = *self;
                paused.faults.pauses -= 1;
                paused.delivered = self.delivered.max(consumer.next() + held);
                paused.consumers[who] = consumer.paused(held);
                paused.consumers[1 - who] = Consumer::owner(self.acked, paused.delivered);
                next.push((Move("consumer", "is paused, and another takes over"), paused));
            }
        }
    }

    pub(super) fn add(&mut self, chunk: Chunks) {
        self.index.chunks = self.index.chunks.with(chunk);
        self.scrolls().for_each(|scroll| scroll.came(chunk));
    }

    pub(super) fn remove(&mut self, chunk: Chunks) {
        self.index.chunks = self.index.chunks.without(chunk);
        self.scrolls().for_each(|scroll| scroll.went(chunk));
    }

    fn scrolls(&mut self) -> impl Iterator<Item = &mut super::scroll::Scroll> {
        let consumers = self.consumers.iter_mut().filter_map(|consumer| consumer.scroll.as_mut());
        consumers.chain(self.janitor.scroll.as_mut()).chain(self.reader.query())
    }

    pub(super) fn set_record(&mut self, record: Record) {
        self.index.record = Some(record);
        self.reader.record_moved(&record);
    }

    /// Whoever waits for the grace waits no longer: the query that began before is over.
    pub(super) fn query_ended(&mut self) {
        self.consumers.iter_mut().for_each(|consumer| consumer.waits = false);
        self.janitor.waits = false;
    }

    pub(super) fn has_zombie(&self) -> bool {
        self.consumers.iter().any(|consumer| consumer.role == Role::Zombie)
    }

    /// Everything is applied, and nobody is at work any more.
    pub(super) fn is_quiet(&self, frame: Frame<'_>) -> bool {
        let at_rest = |consumer: &Consumer| consumer.role == Role::Absent || consumer.is_idle();
        self.acked == frame.messages()
            && !self.has_zombie()
            && self.consumers.iter().all(at_rest)
            && self.janitor.is_idle()
    }

    /// The first thing in this state that must not be.
    pub(super) fn broken(&self, frame: Frame<'_>) -> Option<Broken> {
        self.seen.or_else(|| self.resurrected(frame)).or_else(|| self.unequal(frame))
    }

    fn resurrected(&self, frame: Frame<'_>) -> Option<Broken> {
        let record = self.index.record.filter(|record| record.content.is_some() && !record.damaged)?;
        let over = frame.scenario.queue[..usize::from(self.acked)].iter().any(|message| match message.says {
            Says::Delete => record.revision <= message.revision,
            Says::Barrier => record.revision < message.revision,
            Says::Put(_) | Says::Repair(_) | Says::Elsewhere => false,
        });
        over.then_some(Broken::Resurrected)
    }

    fn unequal(&self, frame: Frame<'_>) -> Option<Broken> {
        if !self.is_quiet(frame) {
            return None;
        }
        let record = self.index.record;
        if record.and_then(|record| record.content) != frame.scenario.source || self.index.is_damaged() {
            return Some(Broken::WrongState);
        }
        let listed = self.index.listed();
        if !listed.within(self.index.chunks) || !record.is_none_or(Record::is_complete) {
            return Some(Broken::Missing);
        }
        // A pass of the janitor comes after everything, in time.
        let tidied = match record {
            Some(record) if self.abandoned && frame.keep(Rule::Janitor) => {
                self.index.chunks.and(listed.with(self.index.chunks.without(Chunks::up_to(record.revision))))
            }
            _ => self.index.chunks,
        };
        (!tidied.within(listed)).then_some(Broken::Orphan)
    }
}
