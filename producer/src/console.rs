//! A line on stdout for each change and for its confirmation, for a person who watches.

use crate::message::Message;
use crate::report::say;

/// Shows what is relayed, if it is to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    shown: bool,
}

impl Console {
    /// All of it or nothing.
    pub(crate) fn new(shown: bool) -> Self {
        Self { shown }
    }

    /// A change is on its way.
    pub(crate) fn relayed(self, message: &Message) {
        self.show("→", message);
    }

    /// The broker has it.
    pub(crate) fn confirmed(self, message: &Message) {
        self.show("✓ confirmed", message);
    }

    fn show(self, what: &str, message: &Message) {
        if self.shown {
            say(format_args!("{what:<11} {} · {}", message.title, message.lane));
        }
    }
}
