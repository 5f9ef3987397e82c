//! Measures as lines for a terminal, and in Markdown.

use super::measures::{MEASURES, Measured};

/// A line for each name, a column for each measure: the mean, and the interval below 1 without its zeros.
pub fn table(title: &str, rows: &[(String, [Measured; MEASURES.len()])]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(title.chars().count());
    let mut text = format!("| {title:width$} |");
    for measure in MEASURES {
        text += &format!(" {measure:17} |");
    }
    text += &format!("\n| {:-<width$} |", "");
    text += &format!(" {:-<17} |", "").repeat(MEASURES.len());
    for (name, measured) in rows {
        text += &format!("\n| {name:width$} |");
        for Measured { mean, low, high } in measured {
            text += &format!(" {mean:.3} ({low:.2}–{high:.2}) |");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_as_wide_as_the_head() {
        let measured = [Measured { mean: 0.5, low: 0.4, high: 0.6 }; MEASURES.len()];
        let text = table("lists", &[("dense".into(), measured), ("a longer name".into(), measured)]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 4);
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        assert!(text.contains("0.500 (0.40–0.60)"));
    }
}
