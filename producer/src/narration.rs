//! A line on stdout for each change and for its confirmation, for a person who watches.

use std::io::Write;

use crate::message::Message;

/// Says what is relayed, if it is to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narration {
    aloud: bool,
}

impl Narration {
    /// Aloud or not at all.
    pub(crate) fn new(aloud: bool) -> Self {
        Self { aloud }
    }

    /// A change is on its way.
    pub(crate) fn relayed(self, message: &Message) {
        self.say("→", message);
    }

    /// The broker has it.
    pub(crate) fn confirmed(self, message: &Message) {
        self.say("✓ confirmed", message);
    }

    fn say(self, what: &str, message: &Message) {
        if !self.aloud {
            return;
        }
        // Who watches may have closed the pipe: no reason to stop relaying.
        let _ = writeln!(std::io::stdout(), "{what:<11} {} · {}", message.title, message.lane);
    }
}
