//! RabbitMQ and Erlang: Debian's packages, unpacked, and their scripts told where they stand.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::command::Tool;
use super::error::{At, ProvisionError};
use super::installation::RabbitMqFiles;
use super::libraries;
use super::part::{Part, Workshop};
use super::progress::Step;

const ERLANG: &str = "usr/lib/erlang";
/// What Debian's scripts have written in.
const WRITTEN_IN: &str = "ROOTDIR=/usr/lib/erlang";
/// Crypto brings the one library that is loaded late.
const TRY: &str = "ok = crypto:start(), halt().";
/// To be raised when what is made of the packages changes.
const FORM: u32 = 2;

pub(super) struct RabbitMq {
    folder: PathBuf,
}

impl RabbitMq {
    /// Keyed by the distribution's release: the version is its choice, and its archive keeps only the newest.
    pub(super) fn new(cache: &Cache) -> Self {
        let release = release(&fs::read_to_string("/etc/os-release").unwrap_or_default());
        Self { folder: cache.path(&format!("rabbitmq-{release}-{}-{FORM}", std::env::consts::ARCH)) }
    }

    pub(super) fn found(&self) -> RabbitMqFiles {
        RabbitMqFiles { root: self.folder.clone() }
    }
}

impl Part for RabbitMq {
    fn title(&self) -> String {
        "RabbitMQ and Erlang".to_owned()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        let wanted = |package: &str| package == "rabbitmq-server" || package.starts_with("erlang-");
        workshop.apt.unpack(&["rabbitmq-server"], &wanted, target, step).await?;
        step.doing("trying it");
        let erlang = target.join(ERLANG);
        for script in scripts(&erlang)? {
            relocate(&script, &self.folder.join(ERLANG))?;
        }
        run(&erlang, &workshop.cache).await?;
        disable_port_mapper(&erlang)
    }
}

/// `debian-12` and the like.
fn release(os_release: &str) -> String {
    let field = |name: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    };
    format!("{}-{}", field("ID").unwrap_or("unknown"), field("VERSION_ID").unwrap_or("rolling"))
}

/// `erl` and `start`, which each stand in `bin` and in `erts-<version>/bin`.
fn scripts(erlang: &Path) -> Result<Vec<PathBuf>, ProvisionError> {
    let folders = fs::read_dir(erlang).at(erlang)?.flatten().map(|entry| entry.path());
    let runtimes = folders
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("erts-")))
        .map(|path| path.join("bin"));
    let folders = runtimes.chain([erlang.join("bin")]);
    Ok(folders
        .flat_map(|folder| [folder.join("erl"), folder.join("start")])
        .filter(|script| script.is_file())
        .collect())
}

/// `ERL_ROOTDIR` goes before the place that is written in, so that a script also runs where it was unpacked.
fn relocate(script: &Path, place: &Path) -> Result<(), ProvisionError> {
    let text = fs::read_to_string(script).at(script)?;
    fs::write(script, text.replace(WRITTEN_IN, &format!("ROOTDIR=\"${{ERL_ROOTDIR:-{}}}\"", place.display())))
        .at(script)
}

async fn run(erlang: &Path, cache: &Cache) -> Result<(), ProvisionError> {
    let call = Tool::new(erlang.join("bin/erl"), "unpacking it failed").env("ERL_ROOTDIR", erlang).env("HOME", erlang);
    let tried = call.args(["-noshell", "-eval", TRY]).run().await?;
    if !tried.success {
        for program in programs(erlang)? {
            let lacking = libraries::missing(&program, erlang, cache).await?;
            if !lacking.is_empty() {
                return Err(libraries::lacks(Path::new("Erlang"), &lacking));
            }
        }
    }
    tried.succeeded("starting Erlang", cache).map(|_| ())
}

/// RabbitMQ looks once a minute whether Erlang's port mapper runs, and starts one that would outlive it. Ours has no use for one
/// (see `server/rabbitmq.rs`), so there is nothing to start.
fn disable_port_mapper(erlang: &Path) -> Result<(), ProvisionError> {
    for program in below(erlang, "erts-", "bin/epmd")? {
        fs::write(&program, "#!/bin/sh\n").at(&program)?;
    }
    Ok(())
}

/// What may lack a library: the machine and crypto.
fn programs(erlang: &Path) -> Result<Vec<PathBuf>, ProvisionError> {
    let parts = [below(erlang, "erts-", "bin/beam.smp")?, below(&erlang.join("lib"), "crypto-", "priv/lib/crypto.so")?];
    Ok(parts.concat())
}

/// The files `rest` in the folders of `folder` whose names begin with `prefix`.
fn below(folder: &Path, prefix: &str, rest: &str) -> Result<Vec<PathBuf>, ProvisionError> {
    let entries = fs::read_dir(folder).at(folder)?.flatten();
    let matching = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    Ok(matching.map(|entry| entry.path().join(rest)).filter(|path| path.is_file()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_with_and_without_quotes() {
        assert_eq!(release("NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n"), "debian-12");
        assert_eq!(release(""), "unknown-rolling");
    }

    #[test]
    fn a_script_learns_its_place_and_heeds_the_environment() {
        let script = tempfile::NamedTempFile::new().unwrap();
        fs::write(script.path(), "    ROOTDIR=/usr/lib/erlang\nBINDIR=\"$ROOTDIR/erts/bin\"\n").unwrap();
        relocate(script.path(), Path::new("/c a/erlang")).unwrap();
        assert_eq!(
            fs::read_to_string(script.path()).unwrap(),
            "    ROOTDIR=\"${ERL_ROOTDIR:-/c a/erlang}\"\nBINDIR=\"$ROOTDIR/erts/bin\"\n"
        );
    }
}
