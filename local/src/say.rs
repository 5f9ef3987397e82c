//! Lines for the person at the terminal.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line. Nobody may be reading any more (`make local-start | head`): the work goes on even so.
pub(crate) fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
