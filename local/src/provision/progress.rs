//! What a person sees while something takes long: on a terminal a line per step that moves, elsewhere plain lines, in both cases how much and how long.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Without a terminal, at most a line per step in this time.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
const SPIN_EVERY: Duration = Duration::from_millis(120);

/// Where progress is shown. Clones show in the same place.
#[derive(Debug, Clone)]
pub struct Progress {
    shown: Shown,
    log: Option<Arc<Mutex<File>>>,
}

#[derive(Debug, Clone)]
enum Shown {
    Bars(MultiProgress),
    Lines,
    Nowhere,
}

/// One thing under way. Dropped without `done`, it shows as stopped.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    what: String,
    started: Instant,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    doing: String,
    downloading: bool,
    bytes: u64,
    total: u64,
    shown_at: Instant,
    finished: bool,
}

impl Progress {
    /// On stderr: bars on a terminal, else plain lines.
    pub fn stderr() -> Self {
        let bars = || Shown::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { shown: if io::stderr().is_terminal() { bars() } else { Shown::Lines }, log: None }
    }

    /// Nowhere: for tests.
    pub fn quiet() -> Self {
        Self { shown: Shown::Nowhere, log: None }
    }

    /// Also as plain lines at the end of a file.
    pub fn with_log(mut self, path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        self.log = Some(Arc::new(Mutex::new(file)));
        Ok(self)
    }

    /// Begins to show something.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = match &self.shown {
            Shown::Bars(bars) => Some(bars.add(spinner(&what))),
            Shown::Lines | Shown::Nowhere => None,
        };
        let started = Instant::now();
        let state = State {
            doing: "starting".to_owned(),
            downloading: false,
            bytes: 0,
            total: 0,
            shown_at: started,
            finished: false,
        };
        let step = Step { progress: self.clone(), what, started, bar, state: Mutex::new(state) };
        step.line("started");
        step
    }
}

impl Step {
    /// What it does now.
    pub fn doing(&self, text: &str) {
        self.change(|state| {
            text.clone_into(&mut state.doing);
            state.downloading = false;
        });
    }

    /// So many bytes more are to be downloaded.
    pub fn downloading(&self, more: u64) {
        self.change(|state| {
            state.doing = "downloading".to_owned();
            state.downloading = true;
            state.total += more;
        });
    }

    /// So many bytes of this download are here.
    pub fn received(&self, bytes: u64) {
        self.change(|state| state.bytes = bytes.min(state.total));
    }

    /// False before the download and after it.
    pub fn is_downloading(&self) -> bool {
        self.state().downloading
    }

    /// It has succeeded.
    pub fn done(self, result: impl Display) {
        let total = self.state().total;
        let size = if total > 0 { format!(", {}", megabytes(total)) } else { String::new() };
        self.finish(&format!("{result}{size}, {}", seconds(self.started.elapsed())));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let text = state.text();
        if let Some(bar) = &self.bar {
            bar.set_message(text.clone());
        }
        if state.shown_at.elapsed() >= PLAIN_EVERY {
            state.shown_at = Instant::now();
            drop(state);
            self.line(&format!("{text}, {}", seconds(self.started.elapsed())));
        }
    }

    fn finish(&self, text: &str) {
        self.state().finished = true;
        if let Some(bar) = &self.bar {
            bar.set_style(plain_style());
            bar.finish_with_message(text.to_owned());
        }
        self.line(text);
    }

    fn line(&self, text: &str) {
        let line = format!("{}: {text}", self.what);
        if matches!(self.progress.shown, Shown::Lines) {
            // A closed stderr is no reason to stop.
            let _ = writeln!(io::stderr(), "{line}");
        }
        if let Some(log) = &self.progress.log {
            let _ = writeln!(log.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.state().finished {
            let text = format!("stopped while {}, {}", self.state().text(), seconds(self.started.elapsed()));
            self.finish(&text);
        }
    }
}

impl State {
    fn text(&self) -> String {
        if !self.downloading {
            return self.doing.clone();
        }
        if self.bytes == self.total {
            // pip announces one file after the other: more may follow.
            return format!("{}, {} so far", self.doing, megabytes(self.total));
        }
        format!("{} {} of {}", self.doing, megabytes(self.bytes), megabytes(self.total))
    }
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner()
        .with_style(style("{spinner} {prefix}: {msg} {elapsed:.dim}"))
        .with_prefix(what.to_owned());
    bar.enable_steady_tick(SPIN_EVERY);
    bar
}

fn plain_style() -> ProgressStyle {
    style("  {prefix}: {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(act: impl FnOnce(&Progress)) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        act(&Progress::quiet().with_log(file.path()).unwrap());
        std::fs::read_to_string(file.path()).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_log_says_what_how_much_and_how_long() {
        let lines = lines(|progress| {
            let step = progress.step("MongoDB");
            step.downloading(42_000_000);
            step.received(20_000_000);
            step.done("ready");
        });
        assert_eq!(lines, ["MongoDB: started", "MongoDB: ready, 42 MB, 0 s"]);
    }

    #[test]
    fn a_dropped_step_shows_as_stopped() {
        let lines = lines(|progress| {
            let step = progress.step("MongoDB");
            step.downloading(42_000_000);
        });
        assert_eq!(lines[1], "MongoDB: stopped while downloading 0 kB of 42 MB, 0 s");
    }
}
