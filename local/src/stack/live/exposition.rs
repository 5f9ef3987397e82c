//! The text in which a program shows its metrics (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Comments and times are passed over.

/// All that a program shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exposition(Vec<Series>);

#[derive(Debug, Clone, PartialEq)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Exposition {
    /// Err: one line that names what is not of the format.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| series(line).ok_or_else(|| format!("no metric: {line}"))).collect::<Result<_, _>>().map(Self)
    }

    /// The value of a metric without labels.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.named(name).find(|series| series.labels.is_empty()).map(|series| series.value)
    }

    /// Each value of a label, with the metric's value there.
    pub(super) fn by<'a>(&'a self, name: &'a str, label: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.named(name).filter_map(move |series| {
            let (_, value) = series.labels.iter().find(|(name, _)| name == label)?;
            Some((value.as_str(), series.value))
        })
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Series> {
        self.0.iter().filter(move |series| series.name == name)
    }
}

fn series(line: &str) -> Option<Series> {
    let (name, rest) = line.split_at(line.find(|c: char| c == '{' || c.is_whitespace())?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then(|| Series { name: name.to_owned(), labels, value })
}

/// Up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name.trim().to_owned(), value));
        rest = behind.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Up to the closing quote, and what is behind it.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &rest[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_and_without_labels() {
        let text = "# HELP relayed Messages\n# TYPE relayed counter\nrelayed 42\n\nlag{quantile=\"0.5\"} 0.25\n\
                    lag{quantile=\"0.99\"} 1.5e0\nlag_sum 3\nlag_count 7 1700000000000\n";
        let shown = Exposition::parse(text).unwrap();
        assert_eq!(shown.value("relayed"), Some(42.0));
        assert_eq!(shown.value("lag_count"), Some(7.0));
        assert_eq!(shown.value("lag"), None, "only with labels");
        assert_eq!(shown.value("missing"), None);
        assert_eq!(shown.by("lag", "quantile").collect::<Vec<_>>(), [("0.5", 0.25), ("0.99", 1.5)]);
    }

    #[test]
    fn labels_may_hold_anything() {
        let shown = Exposition::parse(r#"a{ x="1}, \"\\\n" , y="ä",} +Inf"#).unwrap();
        assert_eq!(shown.by("a", "x").collect::<Vec<_>>(), [("1}, \"\\\n", f64::INFINITY)]);
        assert_eq!(shown.by("a", "y").count(), 1);
        assert!(Exposition::parse("a NaN").unwrap().value("a").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_is_no_metric_is_named() {
        for line in ["<html>", "a", "a b", "a{x=\"1\"", "a{x=\"1} 2", "a{x} 1", "{x=\"1\"} 1"] {
            assert_eq!(Exposition::parse(&format!("good 1\n{line}\n")), Err(format!("no metric: {line}")));
        }
    }
}
