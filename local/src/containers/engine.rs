//! The container engine of this machine and the Compose that goes with it, by their command lines.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Where the engine is to be chosen by itself, who does not answer within this is not there.
const ANSWER: Duration = Duration::from_secs(5);
/// An engine that was asked for, or is in use, may be slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// How a stand-in says what it is.
pub(super) const LABEL: &str = "llm-twin.stand-in";

/// An engine that answers, with a Compose.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    compose: &'static [&'static str],
}

impl Engine {
    /// Waits five seconds for each answer. Err: one line why there is none; a client alone is no engine.
    pub(crate) async fn find() -> Result<Self, String> {
        Self::find_within(ANSWER).await
    }

    /// As [`Engine::find`], with a minute for each answer.
    pub(crate) async fn find_patiently() -> Result<Self, String> {
        Self::find_within(PATIENCE).await
    }

    async fn find_within(limit: Duration) -> Result<Self, String> {
        answer(&["docker", "version", "--format", "{{.Server.Version}}"], limit)
            .await
            .map_err(|why| format!("no container engine answers ({why})"))?;
        for compose in [&["docker", "compose"] as &[&str], &["docker-compose"]] {
            if answer(&[compose, &["version"]].concat(), limit).await.is_ok() {
                return Ok(Self { compose });
            }
        }
        Err("the container engine has no Compose".to_owned())
    }

    /// A call of Compose.
    pub(super) fn compose(&self) -> Command {
        let mut command = Command::new(self.compose[0]);
        command.args(&self.compose[1..]);
        command
    }

    /// What a stand-in says of itself, for each of these images that is one. Err: the first image that is not there.
    pub(crate) async fn stand_ins(&self, images: &[String]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for image in images {
            let format = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
            match answer(&["docker", "image", "inspect", "--format", &format, image], PATIENCE).await {
                Ok(label) if label.is_empty() || label == "<no value>" => {}
                Ok(label) => found.push(format!("{image} is {label}")),
                Err(_) => return Err(image.clone()),
            }
        }
        Ok(found)
    }

    /// Ok if a registry offers the image within five seconds. What was begun to be pulled is left to Compose.
    pub(crate) async fn offered(&self, image: &str) -> Result<(), String> {
        let mut pull = Command::new("docker")
            .args(["pull", image])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut lines = pull.stdout.take().map(|out| BufReader::new(out).lines()).ok_or("docker has no output")?;
        let asked = async {
            while let Ok(Some(line)) = lines.next_line().await {
                // Said once the registry has named the layers.
                if line.contains("Pulling from") {
                    return Ok(());
                }
            }
            let output = pull.wait_with_output().await.map_err(|error| error.to_string())?;
            said(&output).map(|_| ())
        };
        tokio::time::timeout(ANSWER, asked).await.unwrap_or_else(|_| Err(no_answer(ANSWER)))
    }
}

/// Runs a command to its end; what it printed, or its last word where it failed.
async fn answer(command: &[&str], limit: Duration) -> Result<String, String> {
    let mut call = Command::new(command[0]);
    call.args(&command[1..]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, call.output()).await.map_err(|_| no_answer(limit))?;
    said(&output.map_err(|error| format!("{}: {error}", command[0]))?)
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

/// What a call printed; or, where it failed, its last word.
pub(super) fn said(output: &Output) -> Result<String, String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed").trim().to_owned())
}
