//! What has been read and is not yet confirmed without a gap. The only file that can advance the checkpoint.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::{RawDocument, Timestamp};
use shared::DocumentType;
use uuid::Uuid;

use crate::message::{Lane, Message};
use crate::position::Position;
use crate::snapshot::{Copied, SnapshotKey};

/// First and longest wait before a refused lane is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A position up to which everything is confirmed. Only [`Window`] can make one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reached(Position);

impl Reached {
    /// The position itself.
    pub(crate) fn into_position(self) -> Position {
        self.0
    }
}

/// A fact that becomes true once everything before it is confirmed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mark {
    /// The stream is relayed up to here.
    Reached(Reached),
    /// A snapshot of this type is due.
    Requested(DocumentType),
    /// The collection was dropped at this clusterTime: no older snapshot of it goes on.
    Voided(DocumentType, Timestamp),
    /// All rows of a snapshot up to here are relayed; the last such mark: all there are.
    Copied { key: SnapshotKey, copied: Copied, is_last: bool },
    /// The snapshot's rows are relayed, and its sweep where it ends in one.
    Finished(SnapshotKey),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    InFlight,
    Confirmed,
    Refused,
}

#[derive(Debug)]
enum Entry {
    Message(Arc<Message>, State),
    Mark(Mark),
}

/// A lane that the broker refused: tried again with its first message alone, so that nothing overtakes it.
#[derive(Debug)]
struct Blocked {
    until: Instant,
    wait: Duration,
    probe: Option<u64>,
}

/// Messages and marks in the order in which they were read, bounded by count and bytes.
#[derive(Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    /// Number of the first entry; numbers are never used twice.
    first: u64,
    unsent: BTreeSet<u64>,
    blocked: HashMap<Lane, Blocked>,
    /// The clusterTime that events are still arriving for, with the token of the last.
    open: Option<(Timestamp, Position)>,
    messages: usize,
    bytes: usize,
    limits: (usize, usize),
    suspect: bool,
}

impl Window {
    /// Holds so many messages and bytes; one more of each at most, and the partitions of a barrier.
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            unsent: BTreeSet::new(),
            blocked: HashMap::new(),
            open: None,
            messages: 0,
            bytes: 0,
            limits: (messages, bytes),
            suspect: false,
        }
    }

    /// Whether more may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.messages < self.limits.0 && self.bytes < self.limits.1
    }

    /// Whether everything that was read is confirmed.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Messages that are not confirmed without a gap.
    pub(crate) fn len(&self) -> usize {
        self.messages
    }

    /// The same in bytes of their bodies.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lanes that the broker refused and has taken nothing of since.
    pub(crate) fn refused_lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<_> = self.blocked.keys().copied().collect();
        lanes.sort_unstable();
        lanes
    }

    /// An event of the stream was read; its messages follow. Only when an event of another clusterTime arrives is the
    /// former one known to be over, and only then may the checkpoint rest at its end: a restart counts the events of
    /// a transaction from its first.
    pub(crate) fn begin_change(&mut self, cluster_time: Timestamp, token: &RawDocument) {
        match self.open.replace((cluster_time, Position::after(token))) {
            Some((former, position)) if former != cluster_time => self.reach(position),
            _ => {}
        }
    }

    /// The stream has nothing more for now, and goes on after this token: no clusterTime is open.
    pub(crate) fn idle(&mut self, token: &RawDocument) {
        self.open = None;
        self.reach(Position::after(token));
    }

    fn reach(&mut self, position: Position) {
        let mark = Mark::Reached(Reached(position));
        match self.entries.back_mut() {
            // Events that led to no message leave one mark, not thousands.
            Some(Entry::Mark(last @ Mark::Reached(_))) => *last = mark,
            _ => self.entries.push_back(Entry::Mark(mark)),
        }
    }

    /// A mark becomes true after everything pushed so far.
    pub(crate) fn push_mark(&mut self, mark: Mark) {
        self.entries.push_back(Entry::Mark(mark));
    }

    /// A message is to be published.
    pub(crate) fn push(&mut self, message: Message) {
        self.messages += 1;
        self.bytes += message.body.len();
        self.unsent.insert(self.first + self.entries.len() as u64);
        self.entries.push_back(Entry::Message(Arc::new(message), State::Unsent));
    }

    /// The next message to publish, with its number. None while a refusal is not yet understood.
    pub(crate) fn next_unsent(&mut self, now: Instant) -> Option<(u64, Arc<Message>)> {
        if self.suspect {
            return None;
        }
        let number = self.unsent.iter().copied().find(|&number| self.may_go(number, now))?;
        self.unsent.remove(&number);
        let (message, state) = self.message_mut(number)?;
        *state = State::InFlight;
        let message = Arc::clone(message);
        if let Some(blocked) = self.blocked.get_mut(&message.lane) {
            blocked.probe = Some(number);
        }
        Some((number, message))
    }

    fn may_go(&self, number: u64, now: Instant) -> bool {
        let Some(Entry::Message(message, _)) = self.entries.get((number - self.first) as usize) else { return false };
        let open = |blocked: &Blocked| blocked.probe.is_none() && now >= blocked.until;
        self.blocked.get(&message.lane).is_none_or(open)
    }

    /// The broker has this message. (Unless its return surfaces with another's confirm: see [`Self::judge`].)
    pub(crate) fn confirm(&mut self, number: u64) -> Option<Arc<Message>> {
        let (message, state) = self.message_mut(number)?;
        if *state != State::InFlight {
            return None;
        }
        *state = State::Confirmed;
        Some(Arc::clone(message))
    }

    /// The broker could not store this message.
    pub(crate) fn refuse(&mut self, number: u64) -> Option<Arc<Message>> {
        self.suspect = true;
        let (message, state) = self.message_mut(number)?;
        *state = State::Refused;
        Some(Arc::clone(message))
    }

    /// The broker found no queue for the message of this id. Confirmed ones too: a returned message is confirmed as well.
    pub(crate) fn refuse_id(&mut self, id: Option<Uuid>) -> Option<Arc<Message>> {
        self.suspect = true;
        let mut found = None;
        for entry in &mut self.entries {
            if let Entry::Message(message, state) = entry
                && Some(message.id) == id
                && *state != State::Unsent
            {
                *state = State::Refused;
                found = Some(Arc::clone(message));
            }
        }
        found
    }

    /// Settles refusals. The client library hands a returned message to whichever confirm comes next, so after a
    /// refusal no confirm counts until `all_answered`: then every return has surfaced.
    pub(crate) fn judge(&mut self, now: Instant, all_answered: bool) {
        if self.suspect && !all_answered {
            return;
        }
        if std::mem::take(&mut self.suspect) {
            self.block_refused(now);
        }
        let entries = &self.entries;
        let confirmed = |number: u64| match number.checked_sub(self.first).and_then(|at| entries.get(at as usize)) {
            Some(Entry::Message(_, state)) => *state == State::Confirmed,
            _ => true,
        };
        self.blocked.retain(|_, blocked| !blocked.probe.is_some_and(confirmed));
    }

    /// A refused lane goes again from its first refused message on, confirmed ones too: in order.
    fn block_refused(&mut self, now: Instant) {
        let mut refused = BTreeSet::new();
        for (number, entry) in (self.first..).zip(&mut self.entries) {
            let Entry::Message(message, state) = entry else { continue };
            if *state == State::Refused {
                refused.insert(message.lane);
            }
            if refused.contains(&message.lane) {
                *state = State::Unsent;
                self.unsent.insert(number);
            }
        }
        for lane in refused {
            let wait = self.blocked.get(&lane).map_or(RETRY.0, |former| (former.wait * 2).min(RETRY.1));
            self.blocked.insert(lane, Blocked { until: now + wait, wait, probe: None });
        }
    }

    /// Takes out what is confirmed without a gap and returns its marks in order. **This is where the checkpoint
    /// advances: nothing passes a message that is not confirmed and routed.**
    pub(crate) fn advance(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        while !self.suspect {
            match self.entries.front() {
                Some(Entry::Message(message, State::Confirmed)) => {
                    self.messages -= 1;
                    self.bytes -= message.body.len();
                }
                Some(Entry::Mark(mark)) => marks.push(mark.clone()),
                Some(Entry::Message(..)) | None => break,
            }
            self.entries.pop_front();
            self.first += 1;
        }
        marks
    }

    /// The connection is lost, and with it every confirm: all that is here goes again, in order.
    pub(crate) fn rewind(&mut self) {
        self.suspect = false;
        self.blocked.clear();
        for (number, entry) in (self.first..).zip(&mut self.entries) {
            if let Entry::Message(_, state) = entry {
                *state = State::Unsent;
                self.unsent.insert(number);
            }
        }
    }

    fn message_mut(&mut self, number: u64) -> Option<(&Arc<Message>, &mut State)> {
        match self.entries.get_mut(number.checked_sub(self.first)? as usize)? {
            Entry::Message(message, state) => Some((message, state)),
            Entry::Mark(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
