//! `local logs`: the end of each log, and what is added to it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use super::contained::Contained;
use super::{Settings, StackError};
use crate::layout::Layout;
use crate::log_file;

const SERVICES: [&str; 6] = ["supervisor", "mongod", "rabbitmq", "qdrant", "producer", "consumer"];
const LOOK: Duration = Duration::from_millis(200);

/// Prints the last lines of one service's log or of all; with `follow`, goes on until Ctrl-C.
pub async fn logs(settings: &Settings, service: Option<&str>, follow: bool) -> Result<(), StackError> {
    if let Some(contained) = Contained::started(settings).await? {
        return contained.logs(service, follow).await;
    }
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    let services = match service {
        None => SERVICES.to_vec(),
        Some(name) => vec![
            *SERVICES.iter().find(|known| **known == name).ok_or_else(|| StackError::NoSuchService(name.to_owned()))?,
        ],
    };
    let lines = if services.len() == 1 { 100 } else { 10 };
    let mut followed: Vec<Followed> = Vec::new();
    for service in services {
        followed.push(Followed {
            service,
            at: std::fs::metadata(layout.log(service)).map_or(0, |metadata| metadata.len()),
        });
        if print(service, &log_file::tail(&layout.log(service), lines)).is_err() {
            return Ok(()); // The reader has seen enough: `local logs | head`.
        }
    }
    if follow {
        while followed.iter_mut().all(|log| log.print_new(&layout).is_ok()) {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

struct Followed {
    service: &'static str,
    at: u64,
}

impl Followed {
    /// Prints the whole lines added since; starts over where the log has been cut.
    fn print_new(&mut self, layout: &Layout) -> io::Result<()> {
        let Ok(mut file) = File::open(layout.log(self.service)) else {
            return Ok(());
        };
        if file.metadata().is_ok_and(|metadata| metadata.len() < self.at) {
            self.at = 0;
        }
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(self.at)).and_then(|_| file.read_to_end(&mut bytes)).is_err() {
            return Ok(());
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.at += whole as u64;
        print(self.service, &String::from_utf8_lossy(&bytes[..whole]))
    }
}

fn print(service: &str, text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in text.lines() {
        writeln!(out, "{service:<10} {line}")?;
    }
    out.flush()
}
