//! What is shown: words in rows and columns, told from a [`Board`] alone.

use self::Column::{Figures, Words};
use super::board::{Board, Program};
use super::figure::{count, rate, seconds, share};
use super::metrics::{ProducerMetrics, Quantiles};
use super::queues::Queue;
use super::track::Track;
use crate::stack::service_state::ServiceState;

/// A picture of the stack, before it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) title: Vec<Cell>,
    pub(super) services: Section,
    /// Who is not well, and why.
    pub(super) reasons: Vec<(String, String)>,
    /// One below the other; beside them, where there is room, what waits.
    pub(super) figures: Vec<Section>,
    pub(super) waiting: Vec<Section>,
}

/// Rows under a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Heads a column; figures stand at its right side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Words(&'static str),
    Figures(&'static str),
}

/// A word or figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Faint,
}

const NOT_KNOWN: &str = "not known";

const SERVICES: &[Column] =
    &[Words("service"), Words("state"), Figures("pid"), Figures("up"), Figures("memory"), Words("endpoint")];
const FLOW: &[Column] = &[Words(""), Figures("per second"), Figures("waiting")];
const LAG: &[Column] = &[Words(""), Figures("p50"), Figures("p99")];
const DEAD_LETTERS: &[Column] = &[Words(""), Figures("")];
const SNAPSHOT: &[Column] = &[Words(""), Figures("rows"), Figures("expected"), Figures(""), Figures("per second")];
const QUEUES: &[Column] = &[Words(""), Figures("ready"), Figures("unacked"), Figures("acked/s")];

impl Board {
    /// What there is to see now.
    pub(super) fn view(&self) -> View {
        View {
            title: self.title(),
            services: Section {
                title: "Services",
                columns: SERVICES,
                rows: self.services.iter().map(service).collect(),
            },
            reasons: self.reasons(),
            figures: vec![self.flow(), self.lag(), self.snapshot()],
            waiting: vec![self.queued(), self.dead_letters()],
        }
    }

    fn title(&self) -> Vec<Cell> {
        let (all, healthy) = (self.services.len(), self.services.iter().filter(|service| service.is_healthy()).count());
        let tone = match healthy {
            0 if all == 0 => Tone::Faint,
            healthy if healthy == all => Tone::Good,
            _ => Tone::Bad,
        };
        let stack = format!("LLM Twin, {}", self.kind);
        vec![Cell::plain(stack), Cell { text: format!("{healthy} of {all} services healthy"), tone }]
    }

    /// A program's own reasons say more than that it does not answer with 200.
    fn reasons(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<(String, String)> =
            self.engine.iter().map(|why| ("containers".to_owned(), why.clone())).collect();
        let own = [("producer", troubles(&self.producer)), ("consumer", troubles(&self.consumer))];
        for service in &self.services {
            let told = own.iter().any(|(name, troubles)| *name == service.name && !troubles.is_empty());
            if let Some(Err(why)) = &service.health
                && !(told && service.runs())
            {
                reasons.push((service.name.clone(), why.clone()));
            }
        }
        for (name, troubles) in own {
            let said = reasons.iter().any(|(said, _)| said == name);
            reasons.extend(troubles.into_iter().filter(|_| !said).map(|why| (name.to_owned(), why)));
        }
        reasons.extend(self.queues.trouble().map(|why| ("queues".to_owned(), why.to_owned())));
        reasons
    }

    fn flow(&self) -> Section {
        let producer = self.producer.latest().map(|program| &program.metrics);
        let consumer = self.consumer.latest().map(|program| &program.metrics);
        let in_flight = producer.and_then(|metrics| metrics.in_flight);
        let unacked = consumer.and_then(|metrics| metrics.unacked);
        let row = |name: &str, per_second: Option<f64>, waiting: String| {
            vec![Cell::plain(name), Cell::plain(rate(per_second)), Cell::faint(waiting)]
        };
        Section {
            title: "Flow",
            columns: FLOW,
            rows: vec![
                row("relayed", self.producer.rate(|program| program.metrics.relayed), String::new()),
                row("confirmed", self.producer.rate(|program| program.metrics.confirmed), count(in_flight)),
                row("applied, acknowledged", self.consumer.rate(|program| program.metrics.applied), count(unacked)),
                row("chunks embedded", self.consumer.rate(|program| program.metrics.embedded), String::new()),
            ],
        }
    }

    fn lag(&self) -> Section {
        let row = |name: &str, quantiles: Option<Quantiles>| {
            let of = |quantile: fn(Quantiles) -> Option<f64>| Cell::plain(seconds(quantiles.and_then(quantile)));
            vec![Cell::plain(name), of(|quantiles| quantiles.p50), of(|quantiles| quantiles.p99)]
        };
        Section {
            title: "From a change, in the last minute",
            columns: LAG,
            rows: vec![
                row("to its confirmation", self.producer.latest().map(|program| program.metrics.lag)),
                row("to its acknowledgement", self.consumer.latest().map(|program| program.metrics.age)),
            ],
        }
    }

    fn dead_letters(&self) -> Section {
        let row = |name: &str, letters: Option<f64>| {
            let tone = if letters.is_some_and(|letters| letters > 0.0) { Tone::Bad } else { Tone::Plain };
            vec![Cell::plain(name), Cell { text: count(letters), tone }]
        };
        let queue = self.queues.latest().and_then(|queues| queues.dead_letters.as_ref());
        let mut rows = vec![row("in twin.dead-letters", queue.and_then(Queue::messages))];
        let reasons = self.consumer.latest().map(|program| &program.metrics.dead_letters);
        rows.extend(
            reasons.into_iter().flatten().map(|(reason, letters)| row(&format!("new: {reason}"), Some(*letters))),
        );
        Section { title: "Dead letters", columns: DEAD_LETTERS, rows }
    }

    fn snapshot(&self) -> Section {
        let snapshots = self.producer.latest().map(|program| &program.metrics.snapshots);
        let none = if snapshots.is_some() { "none" } else { NOT_KNOWN };
        let snapshots = snapshots.into_iter().flatten().filter(|(_, rows)| !rows.is_empty());
        let rows = snapshots.map(|(document_type, rows)| {
            let relayed = |program: &Program<_>| relayed(program, document_type);
            vec![
                Cell::plain(document_type),
                Cell::plain(count(Some(rows.relayed))),
                Cell::plain(count(rows.expected)),
                Cell::plain(share(rows.relayed, rows.expected)),
                Cell::plain(rate(self.producer.rate(relayed))),
            ]
        });
        Section { title: "Snapshots since the producer's start", columns: SNAPSHOT, rows: or(none, rows.collect()) }
    }

    fn queued(&self) -> Section {
        let mut rows = Vec::new();
        if let Some(queues) = self.queues.latest() {
            rows.push(queue("all", &queues.total()));
            rows.extend(queues.partitions.iter().map(|(partition, waiting)| queue(&partition.to_string(), waiting)));
        }
        Section { title: "Queues by partition", columns: QUEUES, rows: or("not known (see waiting)", rows) }
    }
}

fn relayed(program: &Program<ProducerMetrics>, document_type: &str) -> Option<f64> {
    program.metrics.snapshots.get(document_type).map(|rows| rows.relayed)
}

/// The rows, or what to say where there are none.
fn or(none: &str, rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    if rows.is_empty() { vec![vec![Cell::faint(none)]] } else { rows }
}

/// Why a program is not ready, or why it is not known.
fn troubles<M>(track: &Track<Program<M>>) -> Vec<String> {
    let own = track.latest().map(|program| program.readiness.troubles.clone()).unwrap_or_default();
    own.into_iter().chain(track.trouble().map(str::to_owned)).collect()
}

fn service(service: &ServiceState) -> Vec<Cell> {
    let state = match &service.health {
        None => Cell::faint("asked"),
        Some(Ok(())) => Cell { text: "healthy".to_owned(), tone: Tone::Good },
        Some(Err(_)) if service.runs() => Cell { text: "not ready".to_owned(), tone: Tone::Bad },
        Some(Err(_)) => Cell { text: "down".to_owned(), tone: Tone::Bad },
    };
    let known = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "-".to_owned()));
    vec![
        Cell::plain(&service.name),
        state,
        known(service.pid.map(|pid| pid.to_string())),
        known(service.up.clone()),
        known(service.memory.clone()),
        Cell::faint(&service.endpoint),
    ]
}

fn queue(name: &str, queue: &Queue) -> Vec<Cell> {
    vec![
        Cell::plain(name),
        Cell::plain(count(queue.ready)),
        Cell::plain(count(queue.unacked)),
        Cell::plain(rate(queue.acked())),
    ]
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }

    pub(super) fn faint(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Faint }
    }
}

impl Column {
    pub(super) fn head(self) -> &'static str {
        match self {
            Words(head) | Figures(head) => head,
        }
    }
}
