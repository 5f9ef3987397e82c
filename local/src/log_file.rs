//! A log on disk: its tail for an error message, and a cap on its size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The last lines of a log, at most `lines` of them; empty if there is none. Reads no more than the last 64 KiB.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = last_bytes(log, 64 * 1024).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn last_bytes(log: &Path, limit: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Moves the content aside (`NAME.log.1`, replacing an older one) once it is larger than the cap. The writer keeps its file, opened for
/// appending, and goes on at its new start; lines written between copy and cut are lost.
pub(crate) fn rotate(log: &Path, cap: u64) -> io::Result<()> {
    if !std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > cap) {
        return Ok(());
    }
    std::fs::copy(log, log.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        assert_eq!(tail(&log, 2), "");
        std::fs::write(&log, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&log, 2), "two\nthree");
        assert_eq!(tail(&log, 9), "one\ntwo\nthree");
    }

    #[test]
    fn a_log_over_its_cap_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        std::fs::write(&log, "12345").unwrap();
        rotate(&log, 5).unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "12345");
        rotate(&log, 4).unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "");
        assert_eq!(std::fs::read_to_string(folder.path().join("a.log.1")).unwrap(), "12345");
    }
}
