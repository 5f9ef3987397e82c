//! Shared libraries that a program needs and the system lacks.

use std::fs;
use std::path::Path;

use super::apt::Apt;
use super::cache::Cache;
use super::command::Tool;
use super::error::{At, ProvisionError};
use super::progress::Step;

/// Which packages may hold a library, newest name first (Debian 13 renamed those whose time_t grew).
const PACKAGES: &[(&str, &[&str])] = &[
    ("libcurl.so.4", &["libcurl4t64", "libcurl4"]),
    ("libssl.so.3", &["libssl3t64", "libssl3"]),
    ("libcrypto.so.3", &["libssl3t64", "libssl3"]),
    ("liblzma.so.5", &["liblzma5"]),
    ("libz.so.1", &["zlib1g"]),
    ("libtinfo.so.6", &["libtinfo6"]),
    ("libstdc++.so.6", &["libstdc++6"]),
    ("libsystemd.so.0", &["libsystemd0"]),
];

/// The libraries that `program` does not find, with `folder` searched first.
pub(super) async fn missing(program: &Path, folder: &Path, cache: &Cache) -> Result<Vec<String>, ProvisionError> {
    let call = Tool::new("ldd", "install libc-bin").env("LD_LIBRARY_PATH", folder).arg(program);
    let said = call.run().await?;
    if !said.success && said.output.contains("not a dynamic executable") {
        let what = program.display().to_string();
        return Err(ProvisionError::Architecture {
            what,
            machine: std::env::consts::ARCH.to_owned(),
            why: "the program is of another architecture".to_owned(),
        });
    }
    Ok(not_found(&said.succeeded("looking for shared libraries", cache)?.stdout))
}

/// Unpacks what `program` lacks into `folder`, as bare libraries; an error names what could not be had.
pub(super) async fn supply(
    program: &Path,
    folder: &Path,
    apt: &Apt,
    cache: &Cache,
    step: &Step,
) -> Result<(), ProvisionError> {
    let lacking = missing(program, folder, cache).await?;
    if lacking.is_empty() {
        return Ok(());
    }
    step.doing("fetching libraries that this system lacks");
    let installed = apt.installed().await?;
    let wanted = |package: &str| package.starts_with("lib") && !installed.iter().any(|name| name == package);
    let root = folder.with_extension("root");
    for choice in 0..2 {
        // One generation of names at a time: the other is unknown to this system's archive.
        let packages: Vec<&str> = lacking
            .iter()
            .filter_map(|library| candidates(library))
            .map(|names| names[choice.min(names.len() - 1)])
            .collect();
        if !packages.is_empty() && apt.unpack(&packages, &wanted, &root, step).await.is_ok() {
            gather(&root, folder)?;
            break;
        }
    }
    let _ = fs::remove_dir_all(&root);
    match missing(program, folder, cache).await? {
        lacking if lacking.is_empty() => Ok(()),
        lacking => Err(lacks(program, &lacking)),
    }
}

/// The one line that says what to install.
pub(super) fn lacks(program: &Path, libraries: &[String]) -> ProvisionError {
    let mut packages: Vec<&str> = libraries
        .iter()
        .map(|library| candidates(library).and_then(<[_]>::last).map_or(library.as_str(), |name| *name))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    ProvisionError::MissingLibrary {
        program: program.display().to_string(),
        libraries: libraries.join(", "),
        packages: packages.join(" "),
    }
}

fn candidates(library: &str) -> Option<&'static [&'static str]> {
    PACKAGES.iter().find(|(name, _)| *name == library).map(|(_, packages)| *packages)
}

/// Lines such as `libcurl.so.4 => not found`.
fn not_found(said: &str) -> Vec<String> {
    let mut names: Vec<String> =
        said.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Moves every library below `root` (`usr/lib/<triplet>`, `lib/<triplet>`) into one folder; links there are relative and stay true.
fn gather(root: &Path, folder: &Path) -> Result<(), ProvisionError> {
    fs::create_dir_all(folder).at(folder)?;
    for library in libraries(root).at(root)? {
        let Some(name) = library.file_name() else { continue };
        fs::rename(&library, folder.join(name)).at(&library)?;
    }
    Ok(())
}

fn libraries(folder: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(libraries(&entry.path())?);
        } else if entry.file_name().to_string_lossy().contains(".so.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ldd_does_not_find_is_listed_once() {
        let said = "\tlinux-vdso.so.1 (0x0)\n\tlibcurl.so.4 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)\n\tlibcurl.so.4 => not found\n";
        assert_eq!(not_found(said), ["libcurl.so.4"]);
    }

    #[test]
    fn a_missing_library_names_the_package_to_install() {
        let error = lacks(
            Path::new("mongod"),
            &["libcrypto.so.3".to_owned(), "libssl.so.3".to_owned(), "libodd.so.9".to_owned()],
        );
        assert_eq!(
            error.to_string(),
            "mongod needs libcrypto.so.3, libssl.so.3, libodd.so.9, which this system lacks: as root, apt-get install libodd.so.9 libssl3"
        );
    }
}
