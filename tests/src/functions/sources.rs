//! The files of a language, as they lie in their packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::language::{DEBIAN, Language, PYTHON_SOURCES, Place, WHEELS};
use crate::crates::crate_folder;
use crate::packages::{self, files};

/// A file: its path in its package, and its text.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// All packages, fetched into `cache` at the first time.
///
/// # Errors
/// Names the package that is not to be had.
pub(super) fn unpacked(cache: &Path) -> Result<PathBuf> {
    packages::kept(cache, "functions", |folder| {
        for package in PYTHON_SOURCES {
            packages::python_source(folder, package)?;
        }
        for package in WHEELS {
            packages::wheel(folder, package)?;
        }
        packages::debian(folder, &DEBIAN)?;
        // Java's are in archives beside the programs.
        for archive in files(folder)?.iter().filter(|path| path.ends_with("src.zip")) {
            packages::unzip(folder, archive, &archive.with_extension(""))?;
        }
        Ok(())
    })
}

/// Files of the language that are text, by their paths.
pub(super) fn of(language: &Language, unpacked: &Path) -> Result<Vec<File>> {
    let mut found = Vec::new();
    for place in language.places {
        let folder = match place {
            Place::Crate(name, inside) => crate_folder(name)?.join(inside),
            Place::Unpacked(inside) => unpacked.join(inside),
        };
        for path in files(&folder)? {
            let is_of = |ending: &OsStr| language.endings.iter().any(|known| *known == ending);
            if path.extension().is_some_and(is_of)
                && let Ok(text) = String::from_utf8(fs::read(&path)?)
            {
                found.push(File { path: path.strip_prefix(&folder)?.display().to_string(), text });
            }
        }
    }
    Ok(found)
}
