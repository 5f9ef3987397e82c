//! What `/readyz` says: a line for each part of a program, `part: ok` or `part: reason`.

/// The parts that do not work, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Readiness {
    pub(super) troubles: Vec<String>,
}

impl Readiness {
    pub(super) fn parse(text: &str) -> Self {
        Self { troubles: text.lines().filter(|line| !line.ends_with(": ok")).map(str::to_owned).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ok_is_named_with_its_reason() {
        let readiness = Readiness::parse("mongodb: ok\nrabbitmq: connecting\nstream: opening: ok?\n");
        assert_eq!(readiness.troubles, ["rabbitmq: connecting", "stream: opening: ok?"]);
        assert_eq!(Readiness::parse("qdrant: ok\n"), Readiness::default());
    }
}
