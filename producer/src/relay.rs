//! The relay: read → map → publish → confirm → checkpoint.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bson::DateTime;
use lapin::uri::AMQPUri;
use shared::Backoff;
use shared::resync::ResyncRequest;
use shared::shutdown::CancellationToken;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::binding;
use crate::checkpointer::Checkpointer;
use crate::console::Console;
use crate::error::{ProducerError, Verdict};
use crate::intake::{Intake, Next};
use crate::lease::Lease;
use crate::mapping::{Mapped, Mapper};
use crate::message::Message;
use crate::oplog::OplogWatch;
use crate::publisher::{Answer, Publisher};
use crate::raw_change::RawChange;
use crate::resync_inbox::ResyncInbox;
use crate::snapshot::Snapshot;
use crate::snapshot_queue::{SnapshotQueue, Taken};
use crate::snapshot_reader::Row;
use crate::snapshot_report::SnapshotReport;
use crate::telemetry;
use crate::watchdog::{Sight, Watchdog};
use crate::window::{Mark, Window};
use source::Source;

/// How often gauges are set, refused lanes tried again, and due snapshots begun.
const TICK: Duration = Duration::from_millis(250);
/// Resyncs of filters and keys that are under way at most; others wait where they were written.
const PARTIAL_SNAPSHOTS: usize = 2;
/// How long the window may take to drain at the end.
const DRAIN: Duration = Duration::from_secs(10);
/// A connection that lasted so long was a success: the next wait is short again.
const LASTING: Duration = Duration::from_secs(5);

/// One turn of office: everything that is done under one lease.
pub(crate) struct Relay {
    pub(crate) broker: AMQPUri,
    pub(crate) partitions: u16,
    pub(crate) source: Source,
    pub(crate) watchdog: Watchdog,
    pub(crate) oplog: Arc<OplogWatch>,
    pub(crate) console: Console,
    pub(crate) lease: Lease,
    pub(crate) intake: Intake,
    pub(crate) snapshots: SnapshotQueue,
    pub(crate) snapshot_report: SnapshotReport,
    pub(crate) resyncs: ResyncInbox,
    pub(crate) mapper: Mapper,
    pub(crate) window: Window,
    pub(crate) checkpointer: Checkpointer,
    /// Whether a change of the stream was confirmed under this lease. Neither an idle stream's token counts nor a row
    /// of a snapshot: a resync alone brings both.
    pub(crate) moved: bool,
}

impl Relay {
    /// Relays until shutdown, over as many connections to the broker as it takes. The window outlives them. Whatever
    /// else fails ends the turn: its tasks, lease and checkpoint are made anew with the next.
    pub(crate) async fn run(&mut self, shutdown: &CancellationToken) -> Result<(), ProducerError> {
        let mut backoff = Backoff::default();
        while !shutdown.is_cancelled() {
            let begun = Instant::now();
            let Err(error) = self.relay_over_one_connection(shutdown).await else { break };
            if error.verdict() != Verdict::Reconnect {
                return Err(error);
            }
            tracing::warn!(%error, in_flight = self.window.len(), "connection lost; replaying from the first unconfirmed");
            self.watchdog.disconnected(&error);
            self.window.rewind();
            telemetry::broker_reconnected();
            self.meanwhile(backoff.wait_after(begun, LASTING, shutdown)).await?;
        }
        Ok(())
    }

    /// Waits where there is no connection. What was confirmed before is still written down, and the metrics go on:
    /// while nothing is published history runs out.
    async fn meanwhile<T>(&mut self, waiting: impl Future<Output = T>) -> Result<T, ProducerError> {
        let mut tick = interval(TICK);
        let mut waiting = pin!(waiting);
        loop {
            tokio::select! {
                waited = &mut waiting => return Ok(waited),
                written = self.checkpointer.step() => {
                    written?;
                    self.stored();
                }
                _ = tick.tick() => self.observe(),
            }
        }
    }

    async fn relay_over_one_connection(&mut self, shutdown: &CancellationToken) -> Result<(), ProducerError> {
        let (broker, partitions) = (self.broker.clone(), self.partitions);
        let mut publisher = tokio::select! {
            publisher = self.meanwhile(Publisher::connect(&broker, partitions)) => publisher??,
            () = shutdown.cancelled() => return Ok(()),
        };
        // Nothing is published on a new connection before the lease is known to be ours: a paused predecessor of
        // another producer ends here.
        self.lease.renew().await?;
        binding::agree(&self.source, &self.broker).await?;
        self.watchdog.connected();
        self.relay(&mut publisher, shutdown).await?;
        self.drain(&mut publisher).await?;
        publisher.close().await;
        Ok(())
    }

    /// The loop. Progress moves after durability: a message counts once its own confirm has come and no return has,
    /// and the checkpoint follows only what is confirmed without a gap.
    async fn relay(&mut self, publisher: &mut Publisher, shutdown: &CancellationToken) -> Result<(), ProducerError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.advance(publisher)?;
            self.publish(publisher);
            let room = self.window.has_room();
            tokio::select! {
                answers = publisher.answers() => self.settle(answers?)?,
                next = self.intake.next(), if room => self.take(next?)?,
                taken = self.snapshots.next(), if room => self.take_row(taken?)?,
                request = self.resyncs.next(), if self.snapshots.partial() < PARTIAL_SNAPSHOTS => {
                    self.take_request(request?);
                }
                written = self.checkpointer.step() => {
                    written?;
                    self.stored();
                }
                () = self.lease.lost() => return Err(ProducerError::LeaseLost),
                () = shutdown.cancelled() => return Ok(()),
                _ = tick.tick() => self.tick(publisher).await?,
            }
        }
    }

    /// Publishes what may go. Not without a lease: a process that was paused for longer finds it run out.
    fn publish(&mut self, publisher: &mut Publisher) {
        while self.lease.holds()
            && let Some((number, message)) = self.window.next_unsent(std::time::Instant::now())
        {
            tracing::trace!(target: "stage", "publish");
            publisher.publish(number, message);
        }
    }

    /// Takes over what is confirmed without a gap.
    fn advance(&mut self, publisher: &Publisher) -> Result<(), ProducerError> {
        self.window.judge(std::time::Instant::now(), publisher.all_answered());
        for mark in self.window.advance() {
            self.snapshot_report.observe(&mark);
            let read = match &mark {
                Mark::Copied { key, is_last: true, .. } => self.snapshots.finish(*key),
                _ => None,
            };
            self.checkpointer.advance(mark);
            if let Some(snapshot) = read {
                self.end(&snapshot)?;
            }
        }
        Ok(())
    }

    /// Every row of a snapshot is confirmed. Only now its sweep: a row that came after it would lose against it.
    fn end(&mut self, snapshot: &Snapshot) -> Result<(), ProducerError> {
        if snapshot.is_whole() {
            self.push(self.mapper.sweep(snapshot)?)?;
        }
        self.window.push_mark(Mark::Finished(snapshot.key()));
        Ok(())
    }

    fn settle(&mut self, answers: Vec<Answer>) -> Result<(), ProducerError> {
        self.watchdog.answered();
        for answer in answers {
            match answer {
                Answer::Confirmed(number) => {
                    if let Some(message) = self.window.confirm(number) {
                        tracing::trace!(target: "stage", "confirm");
                        self.moved |= message.happened.is_some();
                        observe_confirmed(&message);
                        self.console.confirmed(&message);
                    }
                }
                Answer::Nacked(number) => {
                    telemetry::nacked();
                    if let Some(message) = self.window.refuse(number) {
                        tracing::error!(event = %message.id, lane = ?message.lane, "broker could not store a message; checkpoint frozen, trying again");
                    }
                }
                Answer::Returned(id) => {
                    telemetry::returned();
                    let message = self.window.refuse_id(id).ok_or(ProducerError::UnknownReturn)?;
                    tracing::error!(event = %message.id, lane = ?message.lane, "no queue took a message; checkpoint frozen, trying again");
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, next: Next) -> Result<(), ProducerError> {
        match next {
            Next::Change(change) => self.take_change(&change),
            Next::Idle(token) => {
                let due = self.mapper.finish();
                self.push(due)?;
                self.window.idle(&token);
                Ok(())
            }
        }
    }

    fn take_change(&mut self, change: &RawChange) -> Result<(), ProducerError> {
        tracing::trace!(target: "stage", "read");
        let malformed = crate::mapping::MapError::from;
        let time = change.cluster_time().map_err(malformed)?;
        let due = self.mapper.turn_to(time);
        self.push(due)?;
        self.window.begin_change(time, change.token().map_err(malformed)?);
        let mapped = self.mapper.map(change)?;
        self.push(mapped)
    }

    fn take_row(&mut self, taken: Taken) -> Result<(), ProducerError> {
        let mapped = match taken {
            Taken::Row(snapshot, Row::Present(row)) => self.mapper.row(&snapshot, &row)?,
            Taken::Row(snapshot, Row::Absent(identity)) => self.mapper.absent(&snapshot, identity)?,
            Taken::Page { key, copied, is_last } => {
                self.window.push_mark(Mark::Copied { key, copied, is_last });
                return Ok(());
            }
        };
        tracing::trace!(target: "stage", "snapshot row");
        self.push(vec![mapped])
    }

    fn take_request(&mut self, request: ResyncRequest) {
        let id = request.id;
        if !self.checkpointer.ask(request) {
            // Killed after it was stored and before it was removed.
            self.resyncs.remove(id);
        }
    }

    fn push(&mut self, mapped: Vec<Mapped>) -> Result<(), ProducerError> {
        for consequence in mapped {
            match consequence {
                Mapped::Event(event, partition) => {
                    self.push_message(Message::event(&event, partition, self.source.name())?);
                }
                Mapped::DeadLetter(letter) => self.push_message(Message::dead_letter(letter)?),
                Mapped::Voided(document_type, dropped_at) => {
                    self.snapshots.void(document_type, dropped_at);
                    self.window.push_mark(Mark::Voided(document_type, dropped_at));
                }
                Mapped::Requested(document_type) => self.window.push_mark(Mark::Requested(document_type)),
                Mapped::NullLookup => telemetry::null_lookup(),
                Mapped::Unwanted => {}
            }
        }
        Ok(())
    }

    fn push_message(&mut self, message: Message) {
        telemetry::relayed();
        self.console.relayed(&message);
        self.window.push(message);
    }

    async fn tick(&mut self, publisher: &mut Publisher) -> Result<(), ProducerError> {
        publisher.check()?;
        let refused = self.window.refused_lanes();
        let all_answered = publisher.all_answered();
        let unstored = self.checkpointer.unstored();
        self.watchdog
            .look(Sight { blocked: publisher.blocked(), all_answered, refused: &refused, unstored }, Instant::now());
        self.observe();
        match self.checkpointer.begin_requested().await {
            Ok(begun) => self.begin(begun),
            Err(error) if error.verdict() == Verdict::Transient => {
                tracing::warn!(%error, "snapshot not begun; trying again");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sets the gauges.
    fn observe(&mut self) {
        telemetry::in_flight(self.window.len(), self.window.bytes());
        self.checkpointer.observe();
        self.snapshot_report.tell(&self.checkpointer.progress().snapshots);
        self.oplog.observe(self.checkpointer.progress().position.as_ref());
    }

    /// The checkpoint was written: readers of snapshots may go on.
    fn stored(&mut self) {
        self.snapshots.stored(|key| self.checkpointer.pages_stored(key));
    }

    fn begin(&mut self, snapshots: Vec<Snapshot>) {
        self.stored();
        self.snapshot_report.begin(&snapshots);
        for snapshot in snapshots {
            self.resyncs.remove(snapshot.id);
            self.snapshots.push(snapshot);
        }
    }

    /// The end: nothing more is read; what was read is confirmed, as far as that succeeds in time.
    async fn drain(&mut self, publisher: &mut Publisher) -> Result<(), ProducerError> {
        let deadline = Instant::now() + DRAIN;
        while !self.window.is_empty() {
            self.publish(publisher);
            tokio::select! {
                answers = publisher.answers() => self.settle(answers?)?,
                () = sleep_until(deadline) => {
                    tracing::warn!(in_flight = self.window.len(), "not all was confirmed in time; it will be relayed again");
                    break;
                }
                () = tokio::time::sleep(TICK) => {}
            }
            self.advance(publisher)?;
        }
        Ok(())
    }

    /// Leaves office: the checkpoint is written and the lease given back.
    pub(crate) async fn leave(mut self) -> Result<(), ProducerError> {
        let written = self.checkpointer.write().await;
        let released = self.lease.release().await;
        written.and(released)
    }
}

fn observe_confirmed(message: &Message) {
    telemetry::confirmed();
    if let Some(happened) = message.happened {
        // Clocks of two machines: what seems to have happened later than now happened now.
        telemetry::lag(DateTime::now().saturating_duration_since(happened));
    }
}
