//! The machine that a run was on: figures mean nothing without it.

use std::fs;
use std::process::Command;

use serde_json::{Map, Value};

/// What can be said of this machine now, by flat keys.
pub fn machine() -> Map<String, Value> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str, separator: char| -> String {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(separator));
        value.unwrap_or("unknown").trim().trim_matches('"').to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal", ':');
    let gigabytes = memory.trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / (1024.0 * 1024.0);
    let said = [
        ("machine_date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("machine_commit", said("git", &["describe", "--always", "--dirty"])),
        ("machine_rust", said("rustc", &["--version"])),
        ("machine_processor", field(&read("/proc/cpuinfo"), "model name", ':')),
        ("machine_cores", cores.to_string()),
        ("machine_memory", format!("{gigabytes:.1} GiB")),
        ("machine_system", field(&read("/etc/os-release"), "PRETTY_NAME", '=')),
        ("machine_kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("machine_load", load()),
    ];
    said.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

/// Load averages over 1, 5 and 15 minutes: what else runs here.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(|_| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
