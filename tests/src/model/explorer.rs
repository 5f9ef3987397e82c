//! Breadth first through every state that a scenario can come to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use super::rules::Rules;
use super::scenario::Scenario;
use super::state::{Broken, Frame, Move, State};

/// What was found.
#[derive(Debug)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// The shortest way to each thing that must not be, by kind.
    pub counterexamples: Vec<Counterexample>,
}

/// How it came to what must not be.
pub struct Counterexample {
    /// What it is.
    pub broken: Broken,
    way: Vec<Move>,
    end: State,
}

impl fmt::Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}:", self.broken)?;
        for (number, Move(who, what)) in self.way.iter().enumerate() {
            writeln!(f, "  {:2}. {who} {what}", number + 1)?;
        }
        writeln!(f, "  then {:?}", self.end.index)
    }
}

/// Explores every interleaving of the scenario under these rules.
pub fn explore(scenario: &Scenario, rules: Rules) -> Explored {
    let mut explorer = Explorer::new(State::first(scenario));
    explorer.run(Frame { scenario, rules });
    Explored { states: explorer.states.len(), counterexamples: explorer.counterexamples }
}

struct Explorer {
    states: Vec<State>,
    /// From which state each was first come to, and how.
    origin: Vec<(u32, Move)>,
    numbers: HashMap<State, u32>,
    /// Every step, against its direction.
    back: Vec<(u32, u32)>,
    /// States in which all is done.
    ends: Vec<u32>,
    counterexamples: Vec<Counterexample>,
}

impl Explorer {
    fn new(first: State) -> Self {
        Self {
            states: vec![first],
            origin: vec![(0, Move("", ""))],
            numbers: HashMap::from([(first, 0)]),
            back: Vec::new(),
            ends: Vec::new(),
            counterexamples: Vec::new(),
        }
    }

    fn run(&mut self, frame: Frame<'_>) {
        let mut at = 0;
        while at < self.states.len() {
            let (number, state) = (at as u32, self.states[at]);
            at += 1;
            if let Some(broken) = state.broken(frame) {
                self.report(broken, number);
                // What comes after it proves nothing.
                self.ends.push(number);
                continue;
            }
            if state.is_quiet(frame) {
                self.ends.push(number);
            }
            for (step, next) in state.next(frame) {
                let reached = self.number(next, number, step);
                self.back.push((reached, number));
            }
        }
        if let Some(stuck) = self.stuck() {
            self.report(Broken::Stuck, stuck);
        }
    }

    fn number(&mut self, state: State, from: u32, step: Move) -> u32 {
        match self.numbers.entry(state) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let number = self.states.len() as u32;
                new.insert(number);
                self.states.push(state);
                self.origin.push((from, step));
                number
            }
        }
    }

    /// The first state from which no way leads to an end.
    fn stuck(&mut self) -> Option<u32> {
        self.back.sort_unstable();
        let mut ends = vec![false; self.states.len()];
        let mut open = std::mem::take(&mut self.ends);
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut ends[state as usize], true) {
                continue;
            }
            let first = self.back.partition_point(|(to, _)| *to < state);
            open.extend(self.back[first..].iter().take_while(|(to, _)| *to == state).map(|(_, from)| *from));
        }
        ends.iter().position(|ends| !ends).map(|state| state as u32)
    }

    fn report(&mut self, broken: Broken, number: u32) {
        if self.counterexamples.iter().any(|known| known.broken == broken) {
            return;
        }
        let (mut way, mut at) = (Vec::new(), number);
        while at != 0 {
            let (from, step) = self.origin[at as usize];
            way.push(step);
            at = from;
        }
        way.reverse();
        self.counterexamples.push(Counterexample { broken, way, end: self.states[number as usize] });
    }
}
