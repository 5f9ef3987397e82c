//! In which stage a kill hit a program: the last stages that its log names (`RUST_LOG=stage=trace`).

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Target;

/// Hits by program and stage.
pub(crate) type Stages = BTreeMap<(Target, String), u64>;

/// Counts a kill: once for each stage that a partition of the program was in, by the last lines of its log.
pub(crate) fn count(stages: &mut Stages, target: Target, log: &str) {
    for stage in last(log) {
        *stages.entry((target, stage)).or_default() += 1;
    }
}

/// The last stage of each partition; of a program without partitions, its last stage.
fn last(log: &str) -> BTreeSet<String> {
    let mut stages = BTreeMap::new();
    for line in log.lines().rev() {
        let Some((before, stage)) = line.split_once("stage: ") else { continue };
        // `partition{number=3}:`, or nothing.
        let place = before.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(place, _)| place);
        stages.entry(place.to_owned()).or_insert_with(|| stage.to_owned());
    }
    stages.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_of_each_partition_counts() {
        let log = "TRACE partition{number=0}: stage: read\nTRACE partition{number=1}: stage: embed\n INFO other\n\
            TRACE partition{number=0}: stage: write chunks\n";
        assert_eq!(last(log), BTreeSet::from(["embed".to_owned(), "write chunks".to_owned()]));
        assert_eq!(last("TRACE stage: publish\nTRACE stage: confirm"), BTreeSet::from(["confirm".to_owned()]));
    }
}
