//! How much of a download has come, by looking at the folder it comes into: neither pip nor apt says so without a terminal.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::progress::Step;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs `work` and shows the size of `folder` on `step` while it is downloading.
pub(super) async fn watch<T>(work: impl Future<Output = T>, folder: &Path, step: &Step) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if step.is_downloading() {
                    step.received(size(folder));
                }
            }
        }
    }
}

/// Bytes of all files below; what vanishes meanwhile does not count.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                size(&entry.path())
            } else {
                entry.metadata().map_or(0, |file| file.len())
            }
        })
        .sum()
}
