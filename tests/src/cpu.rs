//! What a process has used, as `/proc` says.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// CPU time of a process since it started, all its threads, those that have ended too. In steps of a clock tick (10 ms).
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} has ended"))?;
    // The name, in brackets, may hold blanks: counted from behind it, where proc(5)'s field 3 is the first.
    let fields = stat.rsplit_once(')').context("proc(5)")?.1;
    let mut fields = fields.split_whitespace().skip(14 - 3);
    let mut ticks = || fields.next().context("proc(5)")?.parse::<u64>().context("proc(5)");
    let both = ticks()? + ticks()?;
    Ok(Duration::from_secs_f64(both as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    /// Resident now, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.resident as f64 / f64::from(1 << 20)
    }
}

/// Memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("proc(5)")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// CPU times of several processes from one moment on.
pub(crate) struct Meter<const N: usize> {
    begun: Instant,
    before: [(u32, Duration); N],
}

/// What was used from one moment to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used<const N: usize> {
    /// Seconds by the clock.
    pub(crate) seconds: f64,
    /// CPU seconds of each process, in the order of [`Meter::start`].
    pub(crate) cpu: [f64; N],
}

impl<const N: usize> Meter<N> {
    /// From now on.
    pub(crate) fn start(pids: [u32; N]) -> Result<Self> {
        let mut before = [(0, Duration::ZERO); N];
        for (slot, pid) in before.iter_mut().zip(pids) {
            *slot = (pid, cpu_time(pid)?);
        }
        Ok(Self { begun: Instant::now(), before })
    }

    /// Up to now.
    pub(crate) fn read(&self) -> Result<Used<N>> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut cpu = [0.0; N];
        for (slot, (pid, before)) in cpu.iter_mut().zip(self.before) {
            *slot = (cpu_time(pid)? - before).as_secs_f64();
        }
        Ok(Used { seconds, cpu })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_to_work() {
        let meter = Meter::start([std::process::id()]).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
        let used = meter.read().unwrap();
        assert!(used.seconds >= 0.1 && used.cpu[0] <= used.seconds * 64.0);
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
    }
}
