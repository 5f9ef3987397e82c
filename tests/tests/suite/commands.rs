//! Our programs as a person runs them: a command that ends by itself.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::{World, binary};

/// What a command of the consumer gave in this world, with other settings first.
pub(crate) async fn consumer(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let (program, mut environment) = (binary("consumer"), world.environment());
    environment.retain(|(name, _)| *name != "RUST_LOG");
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let settings: Vec<(String, String)> = settings.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let run = move || Command::new(program).args(arguments).env_clear().envs(environment).envs(settings).output();
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: status.code(), out: text(stdout), errors: text(stderr) }
}

/// The exit code of a command whose output nobody reads, as after `| head -0`.
pub(crate) async fn consumer_unheard(world: &World, arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(binary("consumer"));
    command.args(arguments).env_clear().envs(world.environment()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = command.spawn().unwrap();
    drop(running.stdout.take());
    tokio::task::spawn_blocking(move || running.wait()).await.unwrap().unwrap().code()
}

/// Exit code and output.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Outcome {
    /// The lines of `--json`.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}"))).collect()
    }
}
