//! Stand-ins for the pinned images, under their names and tags, for machines whose engine can pull nothing: made from Debian's packages, from what the
//! native stack provisions, and from this machine's Rust. What each is and is not: `local/images/README.md`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::engine::LABEL;
use super::image::{checkout, pinned};
use crate::say::say;
use crate::{Installation, QdrantProgram};

/// The release that all stand on.
const DEBIAN: &str = "bookworm";

/// Makes those of the pinned images that the engine does not have, `debian` first, which the others stand on.
pub(crate) async fn stand_ins(installation: &Installation, debootstrap: &Path) -> Result<(), String> {
    let mut images = pinned(&checkout()).map_err(|error| format!("the pinned images: {error}"))?;
    images.sort_by_key(|image| name(image) != "debian");
    let base = images.first().cloned().ok_or("no image is pinned")?;
    for image in &images {
        let there = quiet(Command::new("docker").args(["image", "inspect", image])).await;
        if there {
            say(format_args!("  {image} is there"));
            continue;
        }
        say(format_args!("  {image} …"));
        let workshop = tempfile::tempdir().map_err(|error| error.to_string())?;
        if *image == base {
            bootstrap(debootstrap, image, workshop.path()).await?;
        } else {
            build(image, &base, installation, workshop.path()).await?;
        }
    }
    Ok(())
}

/// `qdrant` of `qdrant/qdrant:v1.20.0`.
fn name(image: &str) -> &str {
    let name = image.split(':').next().unwrap_or(image);
    name.rsplit('/').next().unwrap_or(name)
}

/// As in the official image: apt keeps neither what it has fetched nor its index of it.
const APT: &str = "Dir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n\
                   DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb\"; };\n";

/// A minimal Debian, without what the official slim image leaves out.
async fn bootstrap(debootstrap: &Path, image: &str, workshop: &Path) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("debootstrap works as root only: run this as root".to_owned());
    }
    let root = workshop.join("root");
    let mut call = Command::new("sh");
    call.arg(debootstrap.join("usr/sbin/debootstrap")).args(["--variant=minbase", DEBIAN]).arg(&root);
    run(call.env("DEBOOTSTRAP_DIR", debootstrap.join("usr/share/debootstrap")).stdout(Stdio::null())).await?;
    for folder in
        ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists", "var/cache/apt"]
    {
        let folder = root.join(folder);
        fs::remove_dir_all(&folder).and_then(|()| fs::create_dir(&folder)).map_err(at(&folder))?;
    }
    let clean = root.join("etc/apt/apt.conf.d/docker-clean");
    fs::write(&clean, APT).map_err(at(&clean))?;
    let archive = workshop.join("root.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".")).await?;
    let label = format!("LABEL {LABEL}={:?}", what("debian"));
    run(Command::new("docker")
        .args(["import", "--change", &label, "--change", "CMD [\"bash\"]"])
        .arg(&archive)
        .arg(image))
    .await
}

/// By the Dockerfile in `local/images`, with what it copies beside it.
async fn build(image: &str, base: &str, installation: &Installation, context: &Path) -> Result<(), String> {
    let name = name(image);
    copy(&checkout().join("local/images").join(name).join("."), context).await?;
    for (from, to) in files(name, installation).await? {
        copy(&from, &context.join(to)).await?;
    }
    let mut call = Command::new("docker");
    call.args(["build", "--quiet", "--tag", image, "--build-arg", &format!("BASE={base}")]);
    run(call.args(["--label", &format!("{LABEL}={}", what(name))]).arg(context).stdout(Stdio::null())).await
}

/// What the Dockerfile of a stand-in copies: where it stands here, and its name there.
async fn files(name: &str, installation: &Installation) -> Result<Vec<(PathBuf, &'static str)>, String> {
    Ok(match name {
        "mongo" => vec![(installation.mongod.program.clone(), "mongod")],
        "qdrant" => match &installation.qdrant {
            QdrantProgram::Edge { python_path, program, .. } => {
                vec![(python_path.clone(), "packages"), (program.clone(), "engine")]
            }
            QdrantProgram::Native(program) => {
                return Err(format!("{} is a server of this machine's own: unset QDRANT_BIN", program.display()));
            }
        },
        "rust" => {
            let toolchain = said(Command::new("rustc").args(["--print", "sysroot"])).await?;
            let part = |name: &str| Path::new(&toolchain).join(name);
            let trusted = PathBuf::from("/etc/ssl/certs/ca-certificates.crt");
            vec![(part("bin"), "toolchain/bin"), (part("lib"), "toolchain/lib"), (trusted, "ca-certificates.crt")]
        }
        _ => Vec::new(),
    })
}

/// What a stand-in says of itself in its label.
fn what(name: &str) -> &'static str {
    match name {
        "debian" => "a stand-in made by debootstrap",
        "mongo" => "a stand-in: mongod 6.0.5, and no shell but for the health check",
        "rabbitmq" => "a stand-in: Debian's RabbitMQ 3.10",
        "qdrant" => "a stand-in: Qdrant's engine behind its gRPC API, not the server",
        "rust" => "a stand-in: the Rust of the machine that made it",
        _ => "a stand-in",
    }
}

async fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    run(Command::new("cp").arg("-aL").arg(from).arg(to)).await
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

async fn run(command: &mut Command) -> Result<(), String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().await.map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed ({status})")) }
}

async fn said(command: &mut Command) -> Result<String, String> {
    super::engine::said(&command.output().await.map_err(|error| error.to_string())?)
}

async fn quiet(command: &mut Command) -> bool {
    command.output().await.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_image_but_the_base_has_a_stand_in() {
        for image in pinned(&checkout()).unwrap() {
            let dockerfile = checkout().join("local/images").join(name(&image)).join("Dockerfile");
            assert!(name(&image) == "debian" || dockerfile.is_file(), "{}", dockerfile.display());
        }
    }
}
