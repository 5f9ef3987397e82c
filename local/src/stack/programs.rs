//! `.local/bin`: copies of the built programs, so that a build under way does not touch what runs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::StackError;
use super::settings::built;
use crate::layout::Layout;

/// The programs of the stack, of which the first two are services.
pub(super) const PROGRAMS: [&str; 3] = ["producer", "consumer", "retrieval"];
/// This program: the supervisor runs from a copy too.
pub(super) const SUPERVISOR: &str = "local";

/// True if the copy is not what has been built last.
pub(super) fn is_outdated(layout: &Layout, name: &str) -> Result<bool, StackError> {
    let built = built(name).map_err(StackError::io(name))?;
    if !built.is_file() {
        return Err(StackError::NotBuilt(built));
    }
    Ok(!same_content(&built, &layout.program(name)).map_err(StackError::io(built.display().to_string()))?)
}

/// Replaces the copy at once (rename): what runs keeps the old one.
pub(super) fn install(layout: &Layout, name: &str) -> Result<(), StackError> {
    let copy = || {
        let new = layout.bin().join(format!("{name}.new"));
        std::fs::copy(built(name)?, &new)?;
        std::fs::rename(new, layout.program(name))
    };
    copy().map_err(StackError::io(format!("copying {name}")))
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (Ok(mut one), Ok(mut other)) = (File::open(one), File::open(other)) else {
        return Ok(false);
    };
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let (a, b, c) = (path("a", "same"), path("b", "same"), path("c", "else"));
        assert!(same_content(&a, &b).unwrap());
        assert!(!same_content(&a, &c).unwrap());
        assert!(!same_content(&a, Path::new("missing")).unwrap());
    }
}
