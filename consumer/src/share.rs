//! The part of the partitions that is an instance's own, where several work on one set.

use std::fmt;
use std::str::FromStr;

/// Which of how many: `1/3` is the first of three. An instance subscribes to its own partitions at once, and stands by
/// for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    /// From 0.
    place: u16,
    of: u16,
}

impl Share {
    /// Whether the partition is this share's.
    pub(crate) fn owns(self, partition: u16) -> bool {
        partition % self.of == self.place
    }

    /// The share that a partition belongs to, among as many as this one is of.
    pub(crate) fn owner(self, partition: u16) -> Self {
        Self { place: partition % self.of, ..self }
    }
}

impl Default for Share {
    /// All of them.
    fn default() -> Self {
        Self { place: 0, of: 1 }
    }
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<u16>().ok();
        match text.split_once('/').map(|(place, of)| (number(place), number(of))) {
            Some((Some(place), Some(of))) if (1..=of).contains(&place) => Ok(Self { place: place - 1, of }),
            _ => Err("is not which/of how many instances, as 1/3"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_belongs_to_one_share() {
        let shares: Vec<Share> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).into();
        for partition in 0..8 {
            let owners: Vec<&Share> = shares.iter().filter(|share| share.owns(partition)).collect();
            assert_eq!(owners, [&shares[0].owner(partition)]);
        }
        assert!((0..8).all(|partition| Share::default().owns(partition)));
    }

    #[test]
    fn a_share_is_written_as_it_is_read_and_nonsense_is_refused() {
        assert_eq!("2/3".parse::<Share>().unwrap().to_string(), "2/3");
        for nonsense in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/3"] {
            assert!(nonsense.parse::<Share>().is_err(), "{nonsense}");
        }
    }
}
