//! What has to be true at the end of every drill under a load.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::load::Wrote;
use super::site::{PATIENCE, Site};
use super::verdict::Verdict;
use crate::chaos::judgement::{Findings, check};
use crate::chaos::outcome::outcome;

/// Waits until all that was written is relayed, then holds the ledger against it: missing 0, inversions 0, repeats
/// bounded, and whoever follows the ledger by revisions ends with what MongoDB holds.
///
/// # Errors
/// None so far.
pub(crate) async fn relayed(site: &Site, wrote: &Wrote, verdict: &mut Verdict) -> Result<Findings> {
    let since = Instant::now();
    let findings = loop {
        site.ledger.settle(Duration::from_secs(2)).await;
        let findings = check(&site.ledger.entries(), &wrote.written);
        if findings.faults.is_empty() || since.elapsed() > PATIENCE {
            break findings;
        }
    };
    let faults = |kind: &str| findings.faults.iter().filter(|fault| fault.contains(kind)).cloned().collect::<Vec<_>>();
    let (missing, inverted) = (faults("missing: "), faults("inverted: "));
    let is_other = |fault: &&String| !missing.contains(fault) && !inverted.contains(fault);
    let others: Vec<String> = findings.faults.iter().filter(is_other).cloned().collect();
    let seen = format!(
        "{} of {} writes ({:.0} a second), {} events",
        missing.len(),
        wrote.count,
        wrote.rate(),
        findings.events
    );
    verdict.judge("missing 0", seen, missing);
    verdict.judge("inversions 0", format!("{}", inverted.len()), inverted);
    let seen = format!("{} in all, at most {} in a row", findings.repeats, findings.longest_repeat);
    verdict.judge("repeats: only what was not checkpointed, no more than the window and half a second", seen, others);
    let ends = outcome(&site.ledger.entries());
    let stands: BTreeMap<String, Option<i64>> =
        wrote.live.iter().map(|(key, version)| (key.to_string(), Some(*version))).collect();
    let differs = |(key, version): &(&String, &Option<i64>)| ends.get(*key) != Some(*version);
    let mut faults: Vec<String> = stands
        .iter()
        .filter(differs)
        .map(|(key, version)| format!("{key}: {:?} relayed last, {version:?} stands", ends.get(key)))
        .collect();
    faults.extend(
        ends.keys().filter(|key| !stands.contains_key(*key)).map(|key| format!("{key} lives on after its delete")),
    );
    verdict.judge(
        "by revision order the relayed ends where MongoDB does",
        format!("{} live documents", stands.len()),
        faults,
    );
    Ok(findings)
}

/// The longest, and the one that 99 of 100 do not exceed, in words.
pub(crate) fn percentiles(durations: &[Duration]) -> (Duration, String) {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        sorted.get(((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or_default()
    };
    let (median, p99, longest) = (at(0.5), at(0.99), at(1.0));
    (p99, format!("p50 {median:.2?}, p99 {p99:.2?}, longest {longest:.2?}, of {}", sorted.len()))
}
