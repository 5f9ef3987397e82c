//! Ports of 127.0.0.1: a free one for a private server, and who holds one that is taken.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex};

use crate::process;

/// Below the range that the kernel gives to outgoing connections (from 32768 on): a server killed and restarted on its port finds it free.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port nobody listens on and that this process has not been given before.
pub fn free_port() -> u16 {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        let random = RandomState::new().hash_one(given.len());
        let port = RANGE.start + u16::try_from(random % RANGE.len() as u64).unwrap_or_default();
        if given.insert(port) && is_free(port) {
            return port;
        }
    }
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Who listens on the port, as far as `/proc` shows: `mongod, pid 4711`.
pub(crate) fn holder(port: u16) -> Option<String> {
    let pid = listener(port)?;
    Some(format!("{}, pid {pid}", process::name(pid).unwrap_or_else(|| "a process".to_owned())))
}

fn listener(port: u16) -> Option<u32> {
    let inodes = listening_inodes(port);
    let wanted: HashSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    process::all().into_iter().find(|pid| has_open(*pid, &wanted))
}

/// The inodes of the sockets in state LISTEN (0A) on the port, by `/proc/net/tcp` and `tcp6` (proc(5)).
fn listening_inodes(port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        (fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A")
            .then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
    .collect()
}

fn has_open(pid: u32, links: &HashSet<String>) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        std::fs::read_link(descriptor.path()).is_ok_and(|link| link.to_str().is_some_and(|link| links.contains(link)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let port = free_port();
        assert!(is_free(port));
        assert_eq!(holder(port), None);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        assert!(holder(port).unwrap().ends_with(&format!("pid {}", std::process::id())));
    }

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    }
}
