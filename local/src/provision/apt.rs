//! Debian packages, unpacked into a folder: downloaded by apt, which checks them against its signed lists, and installed nowhere.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::cache::Cache;
use super::command::{Finished, Tool};
use super::error::{At, ProvisionError};
use super::progress::Step;
use super::watch::watch;

const REMEDY: &str = "this way of running needs Debian or one of its kin with apt; elsewhere use containers";
const NO_MORE_THAN_NEEDED: &[&str] = &[
    "--recurse",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
    "--no-pre-depends",
];

/// apt with lists and caches of its own where the system's are missing or stale; it changes nothing of the system's.
pub(super) struct Apt {
    cache: Cache,
    updated: OnceCell<Finished>,
}

/// Whose package lists are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    System,
    Own,
}

/// Whether a package of a closure is wanted.
pub(super) type Wanted<'a> = &'a (dyn Fn(&str) -> bool + Sync);

impl Apt {
    pub(super) fn new(cache: &Cache) -> Self {
        Self { cache: cache.clone(), updated: OnceCell::new() }
    }

    /// Unpacks the wanted ones of all that `roots` depend on, themselves included; returns their names.
    ///
    /// The system's lists are tried first; they may be missing, as in a container image, or name versions that are gone.
    pub(super) async fn unpack(
        &self,
        roots: &[&str],
        wanted: Wanted<'_>,
        target: &Path,
        step: &Step,
    ) -> Result<Vec<String>, ProvisionError> {
        let downloads = target.with_extension("debs");
        let packages = match self.download(Lists::System, roots, wanted, &downloads, step).await {
            Err(ProvisionError::Tool { .. }) => {
                step.doing("fetching package lists");
                let updated = self.updated.get_or_try_init(|| self.update()).await?;
                let fetched = self.download(Lists::Own, roots, wanted, &downloads, step).await;
                fetched.map_err(|error| self.because(error, updated))?
            }
            other => other?,
        };
        step.doing("unpacking");
        fs::create_dir_all(target).at(target)?;
        for entry in fs::read_dir(&downloads).at(&downloads)? {
            let package = entry.at(&downloads)?.path();
            let call = Tool::new("dpkg-deb", REMEDY).arg("-x").arg(&package).arg(target);
            call.run().await?.succeeded("unpacking Debian packages", &self.cache)?;
        }
        fs::remove_dir_all(&downloads).at(&downloads)?;
        Ok(packages)
    }

    /// Names of the packages that the system has.
    pub(super) async fn installed(&self) -> Result<Vec<String>, ProvisionError> {
        let call = Tool::new("dpkg-query", REMEDY).args(["-W", "-f", "${db:Status-Status} ${Package}\n"]);
        let said = call.run().await?.succeeded("asking for installed packages", &self.cache)?.stdout;
        Ok(said.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect())
    }

    async fn download(
        &self,
        lists: Lists,
        roots: &[&str],
        wanted: Wanted<'_>,
        folder: &Path,
        step: &Step,
    ) -> Result<Vec<String>, ProvisionError> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).at(folder)?;
        let what = format!("Debian packages of {}", roots.join(", "));
        let depends = self.tool("apt-cache", lists)?.arg("depends").args(NO_MORE_THAN_NEEDED).args(roots).run().await?;
        let packages = closure(&depends.succeeded(&what, &self.cache)?.stdout, wanted);
        let listed = self
            .tool("apt-get", lists)?
            .args(["--print-uris", "download"])
            .args(&packages)
            .run()
            .await?
            .succeeded(&what, &self.cache)?;
        step.downloading(sizes(&listed.stdout));
        let call = self.tool("apt-get", lists)?.args(["-q", "download"]).args(&packages).folder(folder);
        watch(call.run(), folder, step).await?.succeeded(&what, &self.cache)?;
        Ok(packages)
    }

    /// Fails only where apt cannot be run: a source that is not needed may well be out of reach.
    async fn update(&self) -> Result<Finished, ProvisionError> {
        let call = self.tool("apt-get", Lists::Own)?.args(["-q", "update"]);
        call.run().await
    }

    /// A package that is not known although the lists were just fetched: they were not.
    fn because(&self, error: ProvisionError, updated: &Finished) -> ProvisionError {
        match updated.fault("Debian's package lists", &self.cache) {
            Some(
                network @ (ProvisionError::NoNetwork { .. }
                | ProvisionError::Untrusted { .. }
                | ProvisionError::NoSpace { .. }),
            ) => network,
            _ => error,
        }
    }

    fn tool(&self, program: &str, lists: Lists) -> Result<Tool, ProvisionError> {
        Ok(Tool::new(program, REMEDY).arg("-c").arg(self.configuration(lists)?))
    }

    fn configuration(&self, lists: Lists) -> Result<PathBuf, ProvisionError> {
        let own = self.cache.partial("apt");
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = own.join(folder);
            fs::create_dir_all(&folder).at(&folder)?;
        }
        let path = own.join(if lists == Lists::Own { "own.conf" } else { "system.conf" });
        fs::write(&path, settings(&own, lists)).at(&path)?;
        Ok(path)
    }
}

/// Read after the system's settings. Hooks of the system are switched off; as root, apt would else drop to a user who cannot enter the cache.
fn settings(own: &Path, lists: Lists) -> String {
    let mut text = format!(
        "Dir::Cache \"{}\";\nAPT::Sandbox::User \"root\";\nAcquire::Retries \"2\";\n",
        own.join("cache").display()
    );
    if lists == Lists::Own {
        text += &format!("Dir::State::Lists \"{}\";\nAcquire::Languages \"none\";\n", own.join("lists").display());
        text += "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n";
    }
    text
}

/// Names at the start of a line; what follows indented are their dependencies, `<…>` are virtual, and `name:other` belongs to another architecture.
fn closure(depends: &str, wanted: Wanted<'_>) -> Vec<String> {
    let names = depends
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()) && !line.contains(':'));
    names.map(str::trim).filter(|name| wanted(name)).map(str::to_owned).collect()
}

/// The sum of the third column of `'url' file size hash`.
fn sizes(listed: &str) -> u64 {
    listed
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closure_has_real_and_wanted_packages_only() {
        let depends = "rabbitmq-server\n  Depends: erlang-base\n    erlang-base-hipe\n |Depends: <erlang-abi>\n<erlang-abi>\nerlang-base\nadduser\nerlang-base:i386\n";
        let wanted = |name: &str| name.starts_with("erlang-") || name == "rabbitmq-server";
        assert_eq!(closure(depends, &wanted), ["rabbitmq-server", "erlang-base"]);
    }

    #[test]
    fn the_size_of_a_download_is_the_sum_of_its_files() {
        assert_eq!(sizes("Reading…\n'http://a/x.deb' x.deb 100 SHA256:1\n'http://a/y.deb' y.deb 23 SHA256:2\n"), 123);
    }
}
