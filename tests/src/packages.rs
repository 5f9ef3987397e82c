//! Packages of PyPI and Debian, fetched by their own clients and unpacked: texts and sources that others have written.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The folder `name` in `cache`; filled by `fill` at the first time, wholly or not at all.
pub(crate) fn kept(cache: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = cache.join(name);
    if !folder.exists() {
        fs::create_dir_all(cache)?;
        let partial = tempfile::tempdir_in(cache)?;
        fill(partial.path())?;
        fs::rename(partial.keep(), &folder)?;
    }
    Ok(folder)
}

/// Fetches a source distribution of PyPI, `name==version`, and unpacks it.
pub(crate) fn python_source(folder: &Path, package: &str) -> Result<()> {
    let (name, version) = package.split_once("==").context("name==version")?;
    run(folder, "python3", &["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", package])?;
    let renamed = format!("s,^{name}-[^/]*,{name},");
    run(folder, "tar", &["--extract", "--file", &format!("{name}-{version}.tar.gz"), "--transform", &renamed])
}

/// Fetches a wheel of PyPI and unpacks it.
pub(crate) fn wheel(folder: &Path, package: &str) -> Result<()> {
    run(folder, "python3", &["-m", "pip", "download", "--quiet", "--no-deps", package])?;
    let name = package.split("==").next().unwrap_or(package);
    let is_wheel = |path: &&PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        path.extension() == Some(OsStr::new("whl")) && file.starts_with(name)
    };
    let files = files(folder)?;
    let wheel = files.iter().find(is_wheel).with_context(|| format!("PyPI has no wheel of {package}"))?;
    unzip(folder, wheel, Path::new(name))
}

/// Fetches packages of Debian and unpacks them one over the other.
pub(crate) fn debian(folder: &Path, packages: &[&str]) -> Result<()> {
    run(folder, "apt-get", &[&["download", "--quiet"], packages].concat())?;
    for package in files(folder)?.iter().filter(|path| path.extension() == Some(OsStr::new("deb"))) {
        run(folder, "dpkg-deb", &["--extract", &package.to_string_lossy(), "."])?;
    }
    Ok(())
}

/// Unpacks an archive into `into`, from `folder`.
pub(crate) fn unzip(folder: &Path, archive: &Path, into: &Path) -> Result<()> {
    run(folder, "python3", &["-m", "zipfile", "-e", &archive.to_string_lossy(), &into.to_string_lossy()])
}

/// Files in a folder and its folders, by path.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            // Debian's documentation links from one folder to another.
            let kind = if path.is_symlink() { continue } else { path.is_dir() };
            if kind { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.with_context(|| format!("{program}: not found"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", arguments.join(" "), said.trim());
    Ok(())
}
