//! One command at a time starts or stops a stack.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;

use super::StackError;
use crate::layout::Layout;

/// Given back when dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _locked: File,
}

impl Lock {
    pub(super) fn take(layout: &Layout) -> Result<Self, StackError> {
        let path = layout.lock();
        let broken = |error| StackError::Io { what: path.display().to_string(), error };
        std::fs::create_dir_all(layout.run()).map_err(broken)?;
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(broken(error)),
            Err(TryLockError::WouldBlock) => {
                let pid = std::fs::read_to_string(&path).ok().and_then(|pid| pid.trim().parse().ok());
                return Err(StackError::Locked { pid, folder: layout.root().to_owned() });
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(broken)?;
        Ok(Self { _locked: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let first = Lock::take(&layout).unwrap();
        let refusal = Lock::take(&layout).unwrap_err().to_string();
        assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
        drop(first);
        Lock::take(&layout).unwrap();
    }
}
