//! What a run found, for people: a table in Markdown, a line, a picture.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::fault::Fault;
use super::judgement::Findings;
use super::promise::{self, Promise};
use super::reader::Sightings;
use super::run::Plan;
use super::sampler::Sample;
use super::stage::Stages;
use super::timeline::draw;
use crate::audit::Audit;

/// A stage that was hit less often was not tried.
const ENOUGH_HITS: u64 = 5;

/// A fault as it happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band {
    /// Which.
    pub(crate) fault: Fault,
    /// Since the run began.
    pub(crate) from: Duration,
    /// Until it was mended.
    pub(crate) to: Duration,
}

/// All that is known after a run.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    duration: Duration,
    instances: usize,
    promises: Vec<Promise>,
    stages: Stages,
    writes: u64,
    rested: Duration,
    /// For the picture.
    pub(crate) bands: Vec<Band>,
    /// For the picture.
    pub(crate) samples: Vec<Sample>,
    /// For the picture: when an answer was given and how stale it was, both in seconds.
    pub(crate) staleness: Vec<(f64, f64)>,
    /// The end of the programs' logs, where a promise was broken.
    pub(crate) logs: String,
}

impl Report {
    /// What is known before anything is judged but the reader's sightings.
    pub(crate) fn new(
        plan: &Plan,
        instances: usize,
        begun: Instant,
        bands: Vec<Band>,
        samples: &[Sample],
        sightings: &Sightings,
        stages: Stages,
    ) -> Self {
        let staleness =
            sightings.staleness.iter().map(|(at, stale)| ((*at - begun).as_secs_f64(), stale.as_secs_f64())).collect();
        let mut report = Self {
            seed: plan.seed,
            duration: plan.duration,
            instances,
            promises: Vec::new(),
            stages,
            writes: 0,
            rested: Duration::ZERO,
            bands,
            samples: samples.to_vec(),
            staleness,
            logs: String::new(),
        };
        let seen = format!("{} answers, {} without one", sightings.answered, sightings.unanswered);
        let mut faults = sightings.faults.clone();
        if sightings.answered == 0 {
            faults.push("no question was answered".to_owned());
        }
        report.judge("a reader sees each document in one revision, always", seen, faults);
        report
    }

    fn judge(&mut self, what: &'static str, seen: String, faults: Vec<String>) {
        self.promises.push(Promise { what: what.to_owned(), seen, faults });
    }

    /// The index equals the source, and the source what was written.
    pub(crate) fn hold_index(&mut self, audit: &Audit, rested: Duration) {
        let (live, gone, chunks) = (audit.live.len(), audit.tombstones.len(), audit.chunks.len());
        let seen =
            format!("{live} documents, {gone} tombstones, {chunks} chunks; {:.1} s to rest", rested.as_secs_f64());
        self.rested = rested;
        self.judge("index equals source", seen, Vec::new());
    }

    /// Every marker was where it belongs.
    pub(crate) fn hold_markers(&mut self, questions: usize) {
        self.judge("every marker where it belongs", format!("{questions} searches"), Vec::new());
    }

    /// What the ledger says.
    pub(crate) fn hold_ledger(&mut self, findings: Findings, writes: u64) {
        let Findings { events, repeats, longest_repeat, faults } = findings;
        let seen = format!("{writes} writes, {events} events, {repeats} repeats, at most {longest_repeat} in a row");
        self.writes = writes;
        self.judge("every write relayed, in order, repeats bounded", seen, faults);
    }

    /// Nothing was given up.
    pub(crate) fn hold_dead_letters(&mut self, letters: Result<u32>) {
        let faults = match &letters {
            Ok(0) => Vec::new(),
            Ok(letters) => vec![format!("{letters} dead letters")],
            Err(error) => vec![format!("{error:#}")],
        };
        self.judge("no dead letters", "twin.dead-letters is empty".to_owned(), faults);
    }

    /// A promise that was broken in one way.
    pub(crate) fn fail(&mut self, what: &'static str, fault: String) {
        self.judge(what, String::new(), vec![fault]);
    }

    /// Whether every promise was kept.
    pub fn held(&self) -> bool {
        self.promises.iter().all(Promise::is_kept)
    }

    /// The run in one line.
    pub fn summary(&self) -> String {
        let broken: Vec<&str> =
            self.promises.iter().filter(|promise| !promise.is_kept()).map(|promise| promise.what.as_str()).collect();
        let outcome = if broken.is_empty() { "held".to_owned() } else { format!("BROKEN: {}", broken.join("; ")) };
        let minutes = self.duration.as_secs_f64() / 60.0;
        format!(
            "seed {}: {outcome} · {minutes:.1} min · {} writes · {} faults · {} promises",
            self.seed,
            self.writes,
            self.bands.len(),
            self.promises.len()
        )
    }

    /// The whole report in Markdown. `picture` is how it names the picture.
    pub fn markdown(&self, picture: &str) -> String {
        let mut text = format!("# Run of seed {}\n\n{}\n\n", self.seed, self.summary());
        let plural = if self.instances == 1 { "one producer, one consumer" } else { "two producers, two consumers" };
        let _ = writeln!(text, "MongoDB in three nodes, {plural}.\n\n![timeline]({picture})\n");
        text.push_str(&promise::table(&self.promises));
        text.push_str("\n| fault | times | seconds in all |\n| --- | --- | --- |\n");
        let mut faults: Vec<Fault> = self.bands.iter().map(|band| band.fault).collect();
        faults.sort_unstable();
        faults.dedup();
        for fault in faults {
            let bands = self.bands.iter().filter(|band| band.fault == fault);
            let (times, seconds) =
                bands.fold((0, 0.0), |(times, sum), band| (times + 1, sum + (band.to - band.from).as_secs_f64()));
            let _ = writeln!(text, "| {} | {times} | {seconds:.1} |", fault.name());
        }
        text.push_str(&stages(&self.stages));
        if !self.logs.is_empty() {
            let _ = writeln!(text, "\n## The end of the logs\n\n```\n{}\n```", self.logs);
        }
        text
    }

    /// What each kill of this run hit.
    fn add_stages_to(&self, all: &mut Stages) {
        for (stage, hits) in &self.stages {
            *all.entry(stage.clone()).or_default() += hits;
        }
    }

    /// Draws the timeline as SVG.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn draw(&self, file: &Path) -> Result<()> {
        draw(self, self.duration, file)
    }

    fn row(&self) -> String {
        let kept = if self.held() { "held" } else { "**broken**" };
        let seen =
            |what: &str| self.promises.iter().find(|promise| promise.what.contains(what)).map_or("", |p| &p.seen);
        format!(
            "| {} | {kept} | {} | {} | {} | {} | {} | {:.1} s |\n",
            self.seed,
            self.instances,
            self.bands.len(),
            seen("relayed"),
            seen("reader"),
            seen("index").split(';').next().unwrap_or_default(),
            self.rested.as_secs_f64()
        )
    }
}

fn stages(stages: &Stages) -> String {
    let mut text = String::from("\n| killed | in stage | hits | |\n| --- | --- | --- | --- |\n");
    for ((target, stage), hits) in stages {
        let note = if *hits < ENOUGH_HITS { "too few: untested" } else { "" };
        let _ = writeln!(text, "| {} | {stage} | {hits} | {note} |", format!("{target:?}").to_lowercase());
    }
    text
}

/// The table of all runs.
pub fn table(reports: &[Report]) -> String {
    let mut text = String::from(
        "| seed | outcome | instances | faults | ledger | reader | index | to rest |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut all = Stages::new();
    for report in reports {
        text.push_str(&report.row());
        report.add_stages_to(&mut all);
    }
    text.push_str(&stages(&all));
    text
}
