//! The measures as a picture: a bar for each list, its interval as a line.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use super::measures::{MEASURES, Measured};

const SIZE: (u32, u32) = (900, 420);
const COLOURS: [RGBColor; 4] =
    [RGBColor(190, 105, 60), RGBColor(90, 120, 170), RGBColor(46, 125, 110), RGBColor(120, 90, 140)];

/// Draws a group of bars for each measure.
///
/// # Errors
/// As the file system.
pub fn draw(title: &str, rows: &[(String, [Measured; MEASURES.len()])], path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(40)
        .build_cartesian_2d(0.0..MEASURES.len() as f64, 0.0..1.0)?;
    let name = |at: &f64| {
        MEASURES.get(*at as usize).filter(|_| at.fract() == 0.5).map_or(String::new(), |name| (*name).into())
    };
    chart.configure_mesh().disable_x_mesh().x_labels(2 * MEASURES.len() + 1).x_label_formatter(&name).draw()?;
    let bar = 0.8 / rows.len().max(1) as f64;
    for (row, (name, measured)) in rows.iter().enumerate() {
        let colour = COLOURS[row % COLOURS.len()];
        let from = |measure: usize| measure as f64 + 0.1 + row as f64 * bar;
        let bars = measured.iter().enumerate().map(|(measure, measured)| {
            Rectangle::new([(from(measure), 0.0), (from(measure) + bar * 0.9, measured.mean)], colour.filled())
        });
        chart
            .draw_series(bars)?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        chart.draw_series(measured.iter().enumerate().map(|(measure, measured)| {
            let middle = from(measure) + bar * 0.45;
            PathElement::new([(middle, measured.low), (middle, measured.high)], BLACK.stroke_width(2))
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK)
        .label_font(("sans-serif", 14))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_and_measure_is_named() {
        let measured = [Measured { mean: 0.5, low: 0.4, high: 0.6 }; MEASURES.len()];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.svg");
        draw("found", &[("dense".into(), measured), ("hybrid".into(), measured)], &path).unwrap();
        let picture = std::fs::read_to_string(path).unwrap();
        for text in MEASURES.into_iter().chain(["dense", "hybrid", "found"]) {
            assert!(picture.contains(text), "{text}");
        }
    }
}
