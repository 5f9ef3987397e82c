//! What was found: figures under flat keys, as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// All figures of a run, in the order of the table.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Section(String),
    Figure(Figure),
}

/// One figure.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) key: String,
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// The unit of what compares two things: these make the picture.
const RATIO: &str = "×";

impl Report {
    /// What follows is about this.
    pub(super) fn section(&mut self, title: impl Into<String>) {
        self.rows.push(Row::Section(title.into()));
    }

    /// A figure; `key` is a promise to those who compare runs.
    pub(super) fn figure(&mut self, key: impl Into<String>, what: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row::Figure(Figure { key: key.into(), what: what.into(), value, unit }));
    }

    /// A figure that compares two things.
    pub(super) fn ratio(&mut self, key: impl Into<String>, what: impl Into<String>, value: f64) {
        self.figure(key, what, value, RATIO);
    }

    /// A ratio if it was measured fairly, else the same figure with a warning and outside the picture.
    pub(super) fn comparison(&mut self, fair: bool, key: impl Into<String>, what: &str, value: f64) {
        if fair {
            self.ratio(key, what, value);
        } else {
            self.figure(key, format!("{what} (*unfair: unequal cores, the machine was busy*)"), value, "× ?");
        }
    }

    /// Takes over what another part found.
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
    }

    pub(super) fn ratios(&self) -> Vec<&Figure> {
        self.figures().filter(|figure| figure.unit == RATIO && figure.value.is_finite()).collect()
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.rows.iter().filter_map(|row| match row {
            Row::Figure(figure) => Some(figure),
            Row::Section(_) => None,
        })
    }

    /// `key: value`, flat.
    pub fn json(&self) -> Map<String, Value> {
        self.figures().map(|figure| (figure.key.clone(), Value::from(rounded(figure.value)))).collect()
    }

    /// A Markdown table.
    pub fn table(&self) -> String {
        let mut table = String::from("| | value | | key |\n| --- | ---: | --- | --- |\n");
        for row in &self.rows {
            let _ = match row {
                Row::Section(title) => writeln!(table, "| **{title}** | | | |"),
                Row::Figure(Figure { key, what, value, unit }) => {
                    writeln!(table, "| {what} | {} | {unit} | `{key}` |", readable(*value))
                }
            };
        }
        table
    }
}

/// Four digits that count: more would be noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Three digits that count, thousands apart.
pub(super) fn readable(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let plain = format!("{value:.decimals$}");
    if value.abs() < 10_000.0 {
        return plain;
    }
    let digits = plain.len();
    let apart = |(at, digit)| if at > 0 && (digits - at) % 3 == 0 { format!(" {digit}") } else { format!("{digit}") };
    plain.chars().enumerate().map(apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        let shown = [0.1234, 1.0, 12.34, 123.4, 1234.0, 12_345.0, 1_234_567.0].map(readable);
        assert_eq!(shown, ["0.123", "1.00", "12.3", "123", "1234", "12 345", "1 234 567"]);
    }

    #[test]
    fn keys_are_flat_and_only_ratios_are_pictured() {
        let mut report = Report::default();
        report.section("relay");
        report.figure("relay_events_per_second", "our producer", 1234.56, "events/s");
        report.ratio("relay_vs_limit", "of the limit", 0.5);
        assert_eq!(
            serde_json::to_string(&report.json()).unwrap(),
            r#"{"relay_events_per_second":1235.0,"relay_vs_limit":0.5}"#
        );
        report.comparison(false, "index_vs_embedding", "of bare embedding", 2.0);
        assert_eq!(report.ratios().len(), 1);
        assert_eq!(report.table().lines().count(), 6);
        assert!(report.json().contains_key("index_vs_embedding"));
    }
}
