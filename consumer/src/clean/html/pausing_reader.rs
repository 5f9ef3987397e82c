//! The text as the tokenizer reads it, with pauses.

use std::convert::Infallible;

use html5gum::{Readable, Reader, StringReader};

/// Gives the bytes of a text, and before each part of a quoted attribute an error that stands for nothing.
///
/// From one quoted attribute to the next html5gum's states call each other, so that a tag of thousands overflows the
/// stack, of an optimised build too. An error leads out of all of these calls; the next token is then looked for from
/// the state and the byte where it occurred.
pub(super) struct PausingReader<'a> {
    text: StringReader<'a>,
    paused: bool,
}

/// Not an error of the text.
#[derive(Debug, thiserror::Error)]
#[error("a pause")]
pub(super) struct Pause;

impl<'a> PausingReader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.to_reader(), paused: false }
    }
}

impl Reader for PausingReader<'_> {
    type Error = Pause;

    fn read_byte(&mut self) -> Result<Option<u8>, Pause> {
        self.text.read_byte().map_err(never)
    }

    fn try_read_string(&mut self, wanted: &[u8], case_sensitive: bool) -> Result<bool, Pause> {
        self.text.try_read_string(wanted, case_sensitive).map_err(never)
    }

    fn read_until<'b>(&'b mut self, needle: &[u8], buffer: &'b mut [u8; 4]) -> Result<Option<&'b [u8]>, Pause> {
        // Looked for in the value of a quoted attribute and nowhere else: its end, or a reference to a character.
        let is_quoted = needle.starts_with(b"\"&");
        self.paused = is_quoted && !self.paused;
        if self.paused { Err(Pause) } else { self.text.read_until(needle, buffer).map_err(never) }
    }
}

fn never(infallible: Infallible) -> Pause {
    match infallible {}
}
