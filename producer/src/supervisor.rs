//! One turn of office after the other: as a standby, as the active producer, after a fault.

use std::sync::Arc;
use std::time::Duration;

use shared::health::Readiness;
use shared::settings::{MongoDbSettings, SettingsError};
use shared::shutdown::CancellationToken;
use shared::{Backoff, DocumentType};
use tokio::time::Instant;

use crate::change_stream::ChangeStream;
use crate::checkpoint::CheckpointStore;
use crate::checkpointer::Checkpointer;
use crate::console::Console;
use crate::error::{ProducerError, Verdict};
use crate::holder::Holder;
use crate::intake::Intake;
use crate::lease::{self, Lease};
use crate::mapping::Mapper;
use crate::oplog::OplogWatch;
use crate::partitions;
use crate::position::Position;
use crate::relay::Relay;
use crate::resync_inbox::ResyncInbox;
use crate::server::{Server, require_replica_set};
use crate::service::PARTS;
use crate::settings::{HistoryLostPolicy, Settings, SnapshotPolicy};
use crate::snapshot_queue::SnapshotQueue;
use crate::snapshot_report::SnapshotReport;
use crate::stream_query::StreamQuery;
use crate::telemetry;
use crate::watchdog::Watchdog;
use crate::window::Window;
use source::Source;

/// Resyncs without a change relayed in between before we give up.
const RESYNCS_IN_VAIN: u32 = 2;
/// A turn that lasted so long was a success: the next wait is short again.
const LASTING: Duration = Duration::from_secs(10);

/// Turn after turn until `shutdown`. An error is one that a person must mend; everything else is waited for.
pub(crate) async fn run(
    settings: Settings,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> Result<(), ProducerError> {
    let Some(source) = connect(&settings.mongodb, &readiness, &shutdown).await? else { return Ok(()) };
    let oplog = Arc::new(OplogWatch::begin(source.clone()));
    let mut supervisor =
        Supervisor { settings, readiness, source, oplog, server: None, resync: false, resyncs: 0, first: true };
    let mut backoff = Backoff::default();
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let Err(error) = supervisor.turn(&shutdown).await else { continue };
        supervisor.judge(error)?;
        backoff.wait_after(begun, LASTING, &shutdown).await;
    }
    Ok(())
}

/// Prepares the connection to MongoDB, waiting for the name service where it takes one (`mongodb+srv://`). None:
/// stopped before that.
async fn connect(
    settings: &MongoDbSettings,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) -> Result<Option<Source>, ProducerError> {
    let mut backoff = Backoff::default();
    loop {
        let prepared = tokio::select! {
            prepared = Source::new(settings, "producer") => prepared.map_err(ProducerError::from),
            () = shutdown.cancelled() => return Ok(None),
        };
        match prepared {
            Err(error) if error.verdict() == Verdict::Transient => {
                tracing::warn!(%error, "waiting, then trying again");
                readiness.set_down("mongodb", error.to_string());
            }
            prepared => return prepared.map(Some),
        }
        tokio::select! { () = backoff.wait() => {}, () = shutdown.cancelled() => return Ok(None) }
    }
}

struct Supervisor {
    settings: Settings,
    readiness: Readiness,
    source: Source,
    oplog: Arc<OplogWatch>,
    /// What MongoDB was found to be, last time.
    server: Option<Server>,
    /// The next turn relays everything anew.
    resync: bool,
    /// Resyncs since a change of the stream was last confirmed.
    resyncs: u32,
    /// No turn has begun in this process.
    first: bool,
}

impl Supervisor {
    /// Waits for the lease, then relays under it.
    async fn turn(&mut self, shutdown: &CancellationToken) -> Result<(), ProducerError> {
        let preparing = self.prepare();
        let (server, lease) = tokio::select! {
            prepared = preparing => prepared?,
            () = shutdown.cancelled() => return Ok(()),
        };
        if self.server.as_ref() != Some(&server) {
            tracing::info!("{server}");
        }
        self.server = Some(server);
        let mut relay = self.take_office(lease).await?;
        let ended = relay.run(shutdown).await;
        if relay.moved {
            self.resyncs = 0;
        }
        match ended {
            Err(error) if error.verdict() == Verdict::StandBy => Err(error),
            ended => ended.and(relay.leave().await),
        }
    }

    /// What has to be known before a turn, and the lease.
    async fn prepare(&self) -> Result<(Server, Lease), ProducerError> {
        self.readiness.set_down("lease", "asking for it");
        require_replica_set(&self.source).await?;
        let server = Server::probe(&self.source).await?;
        if server.is_too_old() {
            return Err(SettingsError::new("MONGODB_URI", format!("leads to {server}; 6.0 or newer is needed")).into());
        }
        partitions::agree(&self.source, self.settings.rabbitmq.partitions).await?;
        self.readiness.set_up("mongodb");
        let holder = Holder::this();
        let lease = lease::acquire(&self.source, &holder, || {
            // As a standby we are as ready as we can be: the active producer's broker is its own affair.
            for part in PARTS {
                self.readiness.set_up(part);
            }
        });
        Ok((server, lease.await?))
    }

    async fn take_office(&mut self, lease: Lease) -> Result<Relay, ProducerError> {
        let watchdog = Watchdog::new(self.readiness.clone());
        self.readiness.set_down("stream", "opening");
        self.readiness.set_up("snapshot");
        self.readiness.set_up("lease");
        let (store, progress) = CheckpointStore::claim(&self.source, lease.epoch()).await?;
        let mut checkpointer = Checkpointer::new(store, progress);
        let selections = self.settings.selection.selections()?;
        let chosen_anew = checkpointer.select(selections.fingerprints());
        let position = self.begin(&mut checkpointer, &chosen_anew).await?;
        self.resync = false;
        self.first = false;
        let settings = &self.settings;
        let types = types(settings);
        let splits = self.server.as_ref().is_some_and(Server::splits_large_events);
        let query = StreamQuery { types: types.clone(), splits };
        let stream = ChangeStream::new(self.source.clone(), query, self.readiness.clone());
        let window =
            Window::new(settings.producer_window_events as usize, (settings.producer_window_mib as usize) << 20);
        Ok(Relay {
            broker: settings.rabbitmq.uri()?,
            partitions: settings.rabbitmq.partitions,
            source: self.source.clone(),
            watchdog,
            oplog: Arc::clone(&self.oplog),
            console: Console::new(settings.show_changes),
            lease,
            intake: Intake::open(stream, position),
            snapshots: SnapshotQueue::new(
                self.source.clone(),
                checkpointer.progress().snapshots.clone(),
                self.readiness.clone(),
            ),
            snapshot_report: SnapshotReport::new(&checkpointer.progress().snapshots),
            resyncs: ResyncInbox::open(self.source.clone(), types.clone()),
            mapper: Mapper::new(self.source.name().to_owned(), types, selections, settings.rabbitmq.partitions),
            window,
            checkpointer,
            moved: false,
        })
    }

    /// Where to go on, and which snapshots are due.
    async fn begin(
        &self,
        checkpointer: &mut Checkpointer,
        chosen_anew: &[DocumentType],
    ) -> Result<Position, ProducerError> {
        let types = types(&self.settings);
        match &checkpointer.progress().position {
            Some(position) if !self.resync => {
                let position = position.clone();
                match self.settings.snapshot {
                    SnapshotPolicy::Never => {
                        if !chosen_anew.is_empty() {
                            tracing::warn!(types = ?chosen_anew, "FILTER or EXCLUDE_FIELDS changed, and SNAPSHOT=never: documents relayed before stay as they were");
                        }
                        checkpointer.watch_from_now_on(&types);
                    }
                    SnapshotPolicy::Always if self.first => checkpointer.watch(&types, &types),
                    SnapshotPolicy::Initial | SnapshotPolicy::Always => checkpointer.watch(&types, chosen_anew),
                }
                Ok(position)
            }
            _ => {
                let rows = self.resync || self.settings.snapshot != SnapshotPolicy::Never;
                checkpointer.begin(&types, rows).await
            }
        }
    }

    /// What is done about an error that ended a turn.
    fn judge(&mut self, error: ProducerError) -> Result<(), ProducerError> {
        match error.verdict() {
            Verdict::Permanent => return Err(error),
            Verdict::Transient => {
                tracing::warn!(%error, "waiting, then trying again");
                self.readiness.set_down("mongodb", error.to_string());
            }
            // The relay itself sees to these; were one to come here, the next turn would be another connection too.
            Verdict::Reconnect => {
                tracing::warn!(%error, "waiting, then trying again");
                self.readiness.set_down("rabbitmq", error.to_string());
            }
            Verdict::StandBy => tracing::warn!(%error, "standing by"),
            Verdict::Resync => {
                if self.settings.on_history_lost == HistoryLostPolicy::Fail {
                    return Err(ProducerError::HistoryLostStop);
                }
                self.resyncs += 1;
                if self.resyncs > RESYNCS_IN_VAIN {
                    return Err(ProducerError::ResyncsInVain(self.resyncs));
                }
                tracing::error!(%error, "relaying everything anew");
                self.resync = true;
            }
            // Each time time has moved on past an event that no second attempt will bring: never in vain, and paced
            // by the wait between turns.
            Verdict::Gap => {
                if self.settings.on_history_lost == HistoryLostPolicy::Fail {
                    return Err(ProducerError::EventTooLargeStop);
                }
                telemetry::gap();
                tracing::error!(%error, "relaying everything anew, and the stream from now on");
                self.resync = true;
            }
        }
        Ok(())
    }
}

/// Each type once, in a fixed order.
fn types(settings: &Settings) -> Vec<DocumentType> {
    DocumentType::ALL.into_iter().filter(|known| settings.types.contains(known)).collect()
}
