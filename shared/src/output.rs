//! What a command prints.

use std::io::{ErrorKind, Result, Write};

/// Output to a reader who may have seen enough and leave (`| head`): the rest is not printed, and the command goes on
/// to its end and its own exit code.
#[derive(Debug)]
pub struct Output<W> {
    out: W,
    has_left: bool,
}

impl<W: Write> Output<W> {
    /// Of this output.
    pub fn of(out: W) -> Self {
        Self { out, has_left: false }
    }

    fn tell<T>(&mut self, unheard: T, say: impl FnOnce(&mut W) -> Result<T>) -> Result<T> {
        if self.has_left {
            return Ok(unheard);
        }
        match say(&mut self.out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.has_left = true;
                Ok(unheard)
            }
            said => said,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.tell(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        self.tell((), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind, usize);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            self.1 += 1;
            Err(self.0.into())
        }

        fn flush(&mut self) -> Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_who_leaves_is_no_error_and_is_told_no_more() {
        let mut output = Output::of(Failing(ErrorKind::BrokenPipe, 0));
        writeln!(output, "one").unwrap();
        writeln!(output, "two").unwrap();
        output.flush().unwrap();
        assert_eq!(output.out.1, 1);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut output = Output::of(Failing(ErrorKind::StorageFull, 0));
        assert_eq!(writeln!(output, "one").unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
