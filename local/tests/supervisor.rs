//! The supervisor as a process of its own, keeping a real mongod; and the commands around it.

mod support;

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use local::Layout;
use local::supervisor::{Plan, Service};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use rustix::process::{Pid, Signal, kill_process};
use support::{eventually, installation, is_alive, is_free, processes_of};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(30);
const PROGRAM: &str = env!("CARGO_BIN_EXE_local");

/// A stack of one service, and its supervisor. Dropping it kills the supervisor; the guards do the rest.
struct Stack {
    layout: Layout,
    port: u16,
    supervisor: Child,
    folder: TempDir,
}

impl Stack {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        let port = free_port();
        let mongod = Service::mongodb(&installation().await.mongod, &layout, port).unwrap();
        Plan::new(vec![mongod]).write(&layout).unwrap();
        let stack = Self { supervisor: supervise(layout.root()), layout, port, folder };
        stack.writable().await;
        stack
    }

    fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.layout.pid_file("mongod")).ok()?.trim().parse().ok()
    }

    async fn writable(&self) {
        eventually(SOON, "mongod takes writes", async || self.write().await.is_ok()).await;
    }

    async fn write(&self) -> Result<(), mongodb::error::Error> {
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=500", self.port);
        let notes = Client::with_uri_str(uri).await?.database("twin").collection::<Document>("notes");
        notes.insert_one(doc! {}).await.map(|_| ())
    }

    async fn nothing_left(&self) {
        eventually(SOON, "no process is left", async || processes_of(self.layout.root()).is_empty()).await;
        assert!(is_free(self.port));
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        let deadline = Instant::now() + SOON; // The folder goes next: nobody may write there any more.
        while !processes_of(self.layout.root()).is_empty() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

fn supervise(folder: &Path) -> Child {
    Command::new(PROGRAM).arg("supervise").arg("--dir").arg(folder).stdout(Stdio::null()).spawn().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// The process that started another: for a service, its guard.
fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    Command::new(PROGRAM).args(arguments).arg("--dir").arg(folder).output().unwrap()
}

#[tokio::test]
async fn a_killed_service_is_back_within_two_seconds_and_its_data_too() {
    let stack = Stack::start().await;
    let before = stack.pid().unwrap();
    let killed = Instant::now();
    signal(before, Signal::KILL);
    eventually(SOON, "another pid", async || stack.pid().is_some_and(|pid| pid != before)).await;
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    assert!(is_alive(stack.pid().unwrap()));
    stack.writable().await;
    assert!(std::fs::metadata(stack.folder.path().join("log/mongod.log")).unwrap().len() > 0);
}

#[tokio::test]
async fn sigterm_ends_all_in_order_and_leaves_nothing() {
    let mut stack = Stack::start().await;
    signal(stack.supervisor.id(), Signal::TERM);
    assert!(stack.supervisor.wait().unwrap().success());
    assert_eq!(stack.pid(), None);
    assert_eq!(processes_of(stack.layout.root()), Vec::<String>::new());
    assert!(is_free(stack.port));
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_services_along_and_the_next_one_starts_them() {
    let mut stack = Stack::start().await;
    stack.supervisor.kill().unwrap();
    stack.supervisor.wait().unwrap();
    stack.nothing_left().await;

    stack.supervisor = supervise(stack.layout.root());
    stack.writable().await;
}

#[tokio::test]
async fn stop_ends_an_orphan_and_spares_a_stranger() {
    let mut stack = Stack::start().await;
    let orphan = stack.pid().unwrap();
    signal(parent_of(orphan), Signal::KILL); // its guard
    stack.supervisor.kill().unwrap();
    stack.supervisor.wait().unwrap();
    assert!(is_alive(orphan));
    // A number that now belongs to somebody else:
    let mut stranger = Command::new("sleep").arg("1000").current_dir("/").spawn().unwrap();
    std::fs::write(stack.layout.pid_file("producer"), stranger.id().to_string()).unwrap();

    let stopped = run(&["stop"], stack.layout.root());

    assert!(stopped.status.success());
    assert!(String::from_utf8_lossy(&stopped.stdout).contains("mongod was left behind"));
    stack.nothing_left().await;
    assert!(is_alive(stranger.id()));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_held_service_is_stopped_until_the_hold_is_gone() {
    let stack = Stack::start().await;
    let hold: PathBuf = stack.layout.hold_file("mongod");
    std::fs::write(&hold, std::process::id().to_string()).unwrap();
    eventually(SOON, "stopped", async || stack.pid().is_none()).await;
    assert!(is_free(stack.port));
    std::fs::remove_file(&hold).unwrap();
    stack.writable().await;
}

#[tokio::test]
async fn a_second_supervisor_is_refused() {
    let stack = Stack::start().await;
    let mut second = Command::new(PROGRAM)
        .args(["supervise", "--dir"])
        .arg(stack.layout.root())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!second.wait().unwrap().success());
    assert!(said.contains(&format!("pid {}", stack.supervisor.id())), "{said}");
    stack.write().await.unwrap();
}

#[tokio::test]
async fn status_shows_the_service_and_its_health() {
    let stack = Stack::start().await;
    let status = run(&["status"], stack.layout.root());
    let table = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success(), "{table}");
    let row = table.lines().find(|line| line.starts_with("mongod")).unwrap();
    assert!(row.contains(&stack.pid().unwrap().to_string()) && row.ends_with("healthy"), "{row}");
    assert!(run(&["logs", "mongod"], stack.layout.root()).stdout.starts_with(b"mongod"));
}

/// With `script`, which is Debian's own, as the terminal.
#[tokio::test]
async fn on_a_terminal_status_stays_until_q_and_gives_the_terminal_back() {
    let stack = Stack::start().await;
    std::fs::write(stack.layout.env_file(), "STACK=native\n").unwrap();
    let command = format!("stty cols 100 rows 40; exec {PROGRAM} status --dir {}", stack.layout.root().display());
    let mut terminal = tokio::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("PLAIN")
        .env_remove("STACK")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut shown = String::new();
    // Once in the title, and once mongod is.
    while shown.matches("healthy").count() < 2 {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(SOON, screen.read(&mut bytes)).await.expect("it draws").unwrap();
        assert!(read > 0, "it ended: {shown}");
        shown += &String::from_utf8_lossy(&bytes[..read]);
    }
    assert!(shown.contains("mongod") && shown.contains("producer: PRODUCER_HTTP_LISTEN is not in"), "{shown}");
    let back = "\u{1b}[?1049l";
    assert!(!shown.contains(back));
    keys.write_all(b"q").await.unwrap();
    let mut rest = String::new();
    tokio::time::timeout(SOON, screen.read_to_string(&mut rest)).await.expect("it leaves").unwrap();
    assert!(terminal.wait().await.unwrap().success(), "{rest}");
    assert!(rest.contains(back), "{rest}");
}

#[tokio::test]
async fn clean_stops_and_removes() {
    let mut stack = Stack::start().await;
    let cleaned = run(&["clean"], stack.layout.root());
    assert!(cleaned.status.success());
    assert!(stack.supervisor.wait().unwrap().success());
    stack.nothing_left().await;
    assert!(!stack.layout.root().exists());
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_holder_and_a_remedy() {
    installation().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["start", "--stack", "native", "--mongodb-port", &port.to_string(), "--dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let holder = format!("pid {}", std::process::id());
    assert!(said.contains(&format!("port {port} (MongoDB)")) && said.contains(&holder), "{said}");
    assert!(said.contains("LOCAL_MONGODB_PORT") && said.trim_end().lines().count() == 1, "{said}");
}

/// A client alone is no engine.
#[test]
fn containers_without_an_engine_are_refused_and_not_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let without = |command: &str, stack: &str| {
        let mut call = Command::new(PROGRAM);
        call.arg(command).arg("--dir").arg(folder.path()).env("STACK", stack).env("DOCKER_HOST", "tcp://127.0.0.1:1");
        call.output().unwrap()
    };
    let refused = without("start", "containers");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.starts_with("error: no container engine answers (") && said.lines().count() == 1, "{said}");
    let chosen = without("choose", "");
    assert_eq!((chosen.stdout.as_slice(), chosen.stderr.as_slice()), (b"native\n".as_slice(), b"".as_slice()));
}

#[test]
fn without_a_stack_each_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    for (command, code) in [("stop", 0), ("clean", 0), ("status", 1), ("logs", 1), ("test-cdc", 1), ("search", 1)] {
        let output = run(&[command], &nowhere);
        assert_eq!(output.status.code(), Some(code), "{command}");
    }
}

#[tokio::test]
async fn stop_ends_a_program_started_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::create(folder.path()).unwrap();
    std::fs::copy("/bin/sleep", layout.program("producer")).unwrap();
    let mut by_hand = Command::new(layout.program("producer")).arg("1000").current_dir("/").spawn().unwrap();
    std::fs::remove_file(layout.program("producer")).unwrap(); // as an exchange for a newer one does
    assert!(run(&["stop"], layout.root()).status.success());
    assert!(!by_hand.wait().unwrap().success());
}
