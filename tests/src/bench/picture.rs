//! The comparisons as a picture: a bar for each, from 1 (equal) to the left where ours is behind, to the right where it is ahead.

use std::path::Path;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::{Figure, Report, readable};

const WIDTH: u32 = 900;
const ROW: u32 = 34;
const MARGIN: u32 = 60;
const AHEAD: RGBColor = RGBColor(46, 125, 110);
const BEHIND: RGBColor = RGBColor(190, 105, 60);

/// Draws every ratio of the report; nothing where there is none.
pub fn draw(report: &Report, path: &Path) -> Result<()> {
    let ratios = report.ratios();
    if ratios.is_empty() {
        return Ok(());
    }
    let area = SVGBackend::new(path, (WIDTH, ROW * ratios.len() as u32 + 2 * MARGIN)).into_drawing_area();
    area.fill(&WHITE)?;
    bars(&area, &ratios)?;
    area.present()?;
    Ok(())
}

fn bars(area: &DrawingArea<SVGBackend<'_>, Shift>, ratios: &[&Figure]) -> Result<()> {
    let values = || ratios.iter().map(|figure| figure.value);
    let (least, most) = (values().fold(0.5, f64::min) * 0.7, values().fold(2.0, f64::max) * 1.8);
    let rows = ratios.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("times as fast as (logarithmic; 1 = equal)", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(250)
        .build_cartesian_2d((least..most).log_scale(), 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(8)
        .x_label_formatter(&|at| readable(*at))
        .draw()?;
    for (at, figure) in ratios.iter().rev().enumerate() {
        let (low, high) = (at as f64 + 0.2, at as f64 + 0.8);
        let color = if figure.value < 1.0 { BEHIND } else { AHEAD };
        chart.draw_series([Rectangle::new([(1.0, low), (figure.value, high)], color.filled())])?;
        let beside = figure.value.max(1.0) * 1.05;
        chart.draw_series([Text::new(readable(figure.value), (beside, high - 0.1), ("sans-serif", 15))])?;
        let (_, middle) = chart.backend_coord(&(1.0, f64::midpoint(low, high)));
        area.draw(&Text::new(figure.key.clone(), (16, middle - 8), ("sans-serif", 15)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_for_each_ratio_bears_its_key() {
        let mut report = Report::default();
        report.ratio("relay_vs_limit", "", 0.4);
        report.ratio("relay_vs_tutorial", "", 60.0);
        report.figure("relay_events_per_second", "", 5.0, "events/s");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.svg");
        draw(&report, &path).unwrap();
        let picture = std::fs::read_to_string(path).unwrap();
        assert!(picture.contains("relay_vs_limit") && picture.contains("relay_vs_tutorial"));
        assert!(!picture.contains("relay_events_per_second"));
    }
}
