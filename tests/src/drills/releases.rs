//! A real edit history: the `.md` and `.rs` files of well-known crates in ten successive releases each, as cargo fetches
//! them; and one that is made up, for where nothing is to be fetched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::text::Text;

const RELEASES: usize = 10;
/// Small, edited by hand, without dependencies that are not asked for.
const CRATES: [(&str, [&str; RELEASES]); 6] = [
    ("anyhow", ["1.0.90", "1.0.91", "1.0.92", "1.0.93", "1.0.94", "1.0.95", "1.0.96", "1.0.97", "1.0.98", "1.0.99"]),
    ("bytes", ["1.5.0", "1.6.1", "1.7.0", "1.7.1", "1.7.2", "1.8.0", "1.9.0", "1.10.0", "1.10.1", "1.11.0"]),
    ("either", ["1.6.1", "1.7.0", "1.8.0", "1.8.1", "1.9.0", "1.10.0", "1.11.0", "1.12.0", "1.13.0", "1.14.0"]),
    ("log", ["0.4.18", "0.4.19", "0.4.20", "0.4.21", "0.4.22", "0.4.25", "0.4.26", "0.4.27", "0.4.28", "0.4.29"]),
    ("semver", ["1.0.17", "1.0.18", "1.0.19", "1.0.20", "1.0.21", "1.0.22", "1.0.23", "1.0.24", "1.0.25", "1.0.26"]),
    ("smallvec", ["1.11.1", "1.11.2", "1.12.0", "1.13.1", "1.13.2", "1.14.0", "1.15.0", "1.15.1", "1.15.2", "1.16.0"]),
];

/// Texts by path.
pub(super) type Files = BTreeMap<String, String>;

/// A crate's releases, the oldest first.
pub(super) struct History {
    pub(super) name: String,
    pub(super) releases: Vec<Files>,
}

/// The real ones; cargo fetches into its own cache what it does not have.
///
/// # Errors
/// There is no cargo, or no registry.
pub(super) fn fetched(folder: &Path) -> Result<Vec<History>> {
    let history = |(name, _): &(&str, _)| History { name: (*name).to_owned(), releases: Vec::new() };
    let mut histories: Vec<History> = CRATES.iter().map(history).collect();
    for release in 0..RELEASES {
        let sources = sources(&folder.join(format!("history-{release}")), release)?;
        for history in &mut histories {
            let source = sources.get(&history.name).with_context(|| format!("cargo gave no {}", history.name))?;
            let mut files = Files::new();
            collect(source, source, &mut files)?;
            ensure!(!files.is_empty(), "{} is empty", source.display());
            history.releases.push(files);
        }
    }
    Ok(histories)
}

/// Where cargo has unpacked the crates of this release, by name.
fn sources(folder: &Path, release: usize) -> Result<BTreeMap<String, PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut manifest =
        "[package]\nname = \"history\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n[dependencies]\n"
            .to_owned();
    for (name, versions) in CRATES {
        manifest += &format!("{name} = {{ version = \"={}\", default-features = false }}\n", versions[release]);
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("lib.rs"), "")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(["metadata", "--format-version", "1"]).current_dir(folder).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?.iter();
    let source = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some((package["name"].as_str()?.to_owned(), manifest.parent()?.to_owned()))
    };
    Ok(packages.filter_map(source).collect())
}

fn collect(root: &Path, folder: &Path, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "md" || ending == "rs") {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

/// One made-up crate: its releases change a line here and there, add a section, and leave files alone.
pub(super) fn made_up(seed: u64, releases: usize) -> Vec<History> {
    let mut text = Text::new(seed);
    let mut files =
        Files::from([("README.md".to_owned(), text.article(6)), ("CHANGELOG.md".to_owned(), text.article(3))]);
    for module in 0..4 {
        files.insert(format!("src/module_{module}.rs"), text.code(12));
    }
    let mut history = History { name: "made-up".into(), releases: vec![files.clone()] };
    for _ in 1..releases {
        let news = text.article(1);
        files.entry("CHANGELOG.md".to_owned()).and_modify(|log| *log = news + log);
        let module = format!("src/module_{}.rs", text.below(4));
        let comment = format!("    // {}\n", text.sentence());
        files.entry(module).and_modify(|code| insert_line(code, text.below(100), &comment));
        history.releases.push(files.clone());
    }
    vec![history]
}

/// After the line at so many hundredths of the text.
fn insert_line(text: &mut String, place: u64, line: &str) {
    let near = text.floor_char_boundary(text.len() * place as usize / 100);
    let at = text[near..].find('\n').map_or(text.len(), |end| near + end + 1);
    text.insert_str(at, line);
}
