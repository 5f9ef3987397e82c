//! What a drill found, for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::chaos::promise::{self, Promise};

/// The promises of one drill, and what was seen of them.
#[derive(Debug)]
pub struct Verdict {
    drill: &'static str,
    seed: u64,
    scale: f64,
    part: Option<&'static str>,
    promises: Vec<Promise>,
    /// Set by the runner.
    pub(crate) lasted: Duration,
    /// The end of the programs' logs; shown where a promise was broken.
    pub(crate) logs: String,
}

impl Verdict {
    /// Nothing is known yet.
    pub(crate) fn new(drill: &'static str, seed: u64, scale: f64) -> Self {
        Self { drill, seed, scale, part: None, promises: Vec::new(), lasted: Duration::ZERO, logs: String::new() }
    }

    /// The promises that follow are of this part of the drill.
    pub(crate) fn part(&mut self, part: &'static str) {
        self.part = Some(part);
    }

    /// A promise, the figures seen, and what speaks against it, a line each.
    pub(crate) fn judge(&mut self, what: impl Into<String>, seen: impl Into<String>, faults: Vec<String>) {
        let what = self.part.map_or_else(String::new, |part| format!("{part}: ")) + &what.into();
        self.promises.push(Promise { what, seen: seen.into(), faults });
    }

    /// A promise that was kept or not, and the figures that say so.
    pub(crate) fn hold(&mut self, what: impl Into<String>, kept: bool, seen: impl Into<String>) {
        let seen = seen.into();
        let faults = if kept { Vec::new() } else { vec![seen.clone()] };
        self.judge(what, seen, faults);
    }

    /// Whether there were promises and each was kept.
    pub fn held(&self) -> bool {
        !self.promises.is_empty() && self.promises.iter().all(Promise::is_kept)
    }

    /// A line for each promise, and one for the drill.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for promise in &self.promises {
            let kept = if promise.is_kept() { "kept  " } else { "BROKEN" };
            let _ = writeln!(text, "  {kept} {}: {}", promise.what, promise.seen);
        }
        let _ = write!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let kept = self.promises.iter().filter(|promise| promise.is_kept()).count();
        let outcome = if self.held() { "held" } else { "BROKEN" };
        let (drill, seed, scale, seconds) = (self.drill, self.seed, self.scale, self.lasted.as_secs());
        format!(
            "{drill}: {outcome} · {kept} of {} promises · {seconds} s · seed {seed}, scale {scale}",
            self.promises.len()
        )
    }

    /// Everything, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n\n{}", self.drill, self.summary(), promise::table(&self.promises));
        if !self.held() && !self.logs.is_empty() {
            let _ = writeln!(text, "\n## The end of the logs\n\n```\n{}\n```", self.logs);
        }
        text
    }

    fn row(&self) -> String {
        let outcome = if self.held() { "held" } else { "**broken**" };
        let seen: Vec<String> =
            self.promises.iter().map(|promise| format!("{}: {}", promise.what, promise.seen)).collect();
        let (drill, seed, scale, seconds) = (self.drill, self.seed, self.scale, self.lasted.as_secs());
        format!("| {drill} | {outcome} | {seed} | {scale} | {seconds} s | {} |\n", seen.join("<br>"))
    }
}

/// The table of several drills.
pub fn table(verdicts: &[Verdict]) -> String {
    let head = "| drill | outcome | seed | scale | lasted | seen |\n| --- | --- | --- | --- | --- | --- |\n";
    head.to_owned() + &verdicts.iter().map(Verdict::row).collect::<String>()
}
