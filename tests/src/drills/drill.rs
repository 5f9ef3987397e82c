//! A drill, and what is asked of one run of it.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;
use local::Installation;

use super::verdict::Verdict;

/// What a drill's function returns.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// One scripted scenario.
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Runs it.
    pub run: for<'a> fn(&'a Order, &'a mut Verdict) -> Running<'a>,
}

/// From this scale on a drill has the machine to itself, and times count as they are.
const FULL_ENOUGH: f64 = 0.2;

/// How a drill is to be run.
pub struct Order {
    /// Decides on every write, and on every choice that the drill makes.
    pub seed: u64,
    /// 1 is the full size; less is less of everything.
    pub scale: f64,
    /// Servers and model.
    pub installation: Installation,
    /// Says what goes on.
    pub say: fn(&str),
}

impl Order {
    /// So many, less at a smaller scale, but not below what makes sense.
    pub(crate) fn amount(&self, full: usize, least: usize) -> usize {
        ((full as f64 * self.scale).round() as usize).max(least)
    }

    /// So long, shorter at a smaller scale.
    pub(crate) fn lasting(&self, full: Duration, least: Duration) -> Duration {
        full.mul_f64(self.scale).max(least)
    }

    /// What is allowed for something that must not take longer than `full`. A small run is one of several on a machine,
    /// as in `make test`, and allows four times as much.
    pub(crate) fn allowance(&self, full: Duration) -> Duration {
        if self.scale < FULL_ENOUGH { full * 4 } else { full }
    }

    /// A line of progress.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        (self.say)(line.as_ref());
    }
}
