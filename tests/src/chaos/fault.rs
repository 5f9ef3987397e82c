//! Faults: their names, and what they do to a site.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, bail};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::proxy::Weather;

/// Something that can be killed and paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// One of the producers.
    Producer,
    /// One of the consumers.
    Consumer,
    /// The primary.
    MongoDb,
    /// The broker.
    RabbitMq,
    /// The store.
    Qdrant,
}

/// Something that can be slowed down and cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wire {
    /// All that goes to and from the primary, also from the other nodes.
    MongoDb,
    /// Between producers and broker.
    Publishing,
    /// Between consumers and broker.
    Consuming,
    /// Between consumers and store.
    Storing,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// kill -9, and a restart.
    Kill(Target),
    /// SIGSTOP, and SIGCONT.
    Pause(Target),
    /// The primary is told to step down.
    StepDown,
    /// Every piece takes longer.
    Slow(Wire),
    /// Every connection ends, and none is accepted for a while.
    Reset(Wire),
    /// Connections stay open and nothing comes through.
    Blackhole(Wire),
}

const TARGETS: [(&str, Target); 5] = [
    ("producer", Target::Producer),
    ("consumer", Target::Consumer),
    ("mongodb", Target::MongoDb),
    ("rabbitmq", Target::RabbitMq),
    ("qdrant", Target::Qdrant),
];

const WIRES: [(&str, Wire); 4] = [
    ("mongodb", Wire::MongoDb),
    ("publishing", Wire::Publishing),
    ("consuming", Wire::Consuming),
    ("storing", Wire::Storing),
];

impl Fault {
    /// Every kind, with its name.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let on_target = |kind: &str, fault: fn(Target) -> Self| {
            TARGETS.map(|(name, target)| (format!("{kind}-{name}"), fault(target))).to_vec()
        };
        let on_wire = |kind: &str, fault: fn(Wire) -> Self| {
            WIRES.map(|(name, wire)| (format!("{kind}-{name}"), fault(wire))).to_vec()
        };
        [
            on_target("kill", Self::Kill),
            on_target("pause", Self::Pause),
            vec![("stepdown".to_owned(), Self::StepDown)],
            on_wire("slow", Self::Slow),
            on_wire("reset", Self::Reset),
            on_wire("blackhole", Self::Blackhole),
        ]
        .concat()
    }

    /// As it is given on the command line.
    pub(crate) fn name(self) -> String {
        let named = Self::all().into_iter().find(|(_, fault)| *fault == self);
        named.map(|(name, _)| name).unwrap_or_default()
    }

    /// What a link does meanwhile.
    pub(crate) fn weather(self) -> Weather {
        match self {
            Self::Slow(_) => Weather::Slow(Duration::from_millis(40)),
            Self::Blackhole(_) => Weather::Blackhole,
            Self::Kill(_) | Self::Pause(_) | Self::StepDown | Self::Reset(_) => Weather::Reset,
        }
    }
}

/// Which kinds a run uses: names, or the beginnings of names (`kill`), separated by commas; `all`; `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub(crate) Vec<Fault>);

impl FromStr for Faults {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut chosen = Vec::new();
        for wanted in text.split(',').map(str::trim).filter(|wanted| *wanted != "none") {
            let fits = |name: &str| wanted == "all" || name == wanted || name.starts_with(&format!("{wanted}-"));
            let fitting: Vec<Fault> =
                Fault::all().into_iter().filter(|(name, _)| fits(name)).map(|(_, fault)| fault).collect();
            if fitting.is_empty() {
                let names: Vec<String> = Fault::all().into_iter().map(|(name, _)| name).collect();
                bail!("`{wanted}` is no fault; there are: all, none, {}", names.join(", "));
            }
            chosen.extend(fitting);
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(Self(chosen))
    }
}

/// One fault of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// How long nothing happens before it.
    pub(crate) after: Duration,
    /// What happens.
    pub(crate) fault: Fault,
    /// How long it lasts; for a kill, until the restart.
    pub(crate) lasting: Duration,
    /// Which of several instances it hits.
    pub(crate) instance: usize,
}

/// The faults of a run, one after another, 2 to 8 s apart: they follow from the seed alone.
pub(crate) struct Schedule {
    random: StdRng,
    faults: Vec<Fault>,
}

impl Schedule {
    /// Of these kinds.
    pub(crate) fn new(seed: u64, faults: &Faults) -> Self {
        // Another stream than the writer's, which has the same seed.
        Self { random: StdRng::seed_from_u64(seed ^ 0xFA17), faults: faults.0.clone() }
    }
}

impl Iterator for Schedule {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        let fault = *self.faults.choose(&mut self.random)?;
        let after = Duration::from_millis(self.random.random_range(2_000..8_000));
        let lasting = match fault {
            Fault::Kill(_) => self.random.random_range(0..2_000),
            // Longer than a lease, and shorter.
            Fault::Pause(_) | Fault::Blackhole(_) | Fault::Slow(_) => self.random.random_range(1_000..6_000),
            Fault::StepDown | Fault::Reset(_) => self.random.random_range(100..1_000),
        };
        let instance = self.random.random_range(0..usize::MAX);
        Some(Planned { after, fault, lasting: Duration::from_millis(lasting), instance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_alone_by_kind_and_all_at_once() {
        let parse = |text: &str| text.parse::<Faults>().unwrap().0;
        assert_eq!(parse("kill-producer"), [Fault::Kill(Target::Producer)]);
        assert_eq!(parse("kill").len(), 5);
        assert_eq!(parse("all").len(), Fault::all().len());
        assert_eq!(parse("none"), []);
        assert_eq!(Fault::Blackhole(Wire::Storing).name(), "blackhole-storing");
        assert!("kil".parse::<Faults>().unwrap_err().to_string().contains("kill-producer"));
    }

    #[test]
    fn a_schedule_follows_from_its_seed() {
        let faults: Faults = "all".parse().unwrap();
        let schedule = |seed| Schedule::new(seed, &faults).take(20).collect::<Vec<_>>();
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
    }
}
