//! The picture of a run: faults as bands, rates, staleness and memory as curves.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, Palette, Palette99, PathElement,
    RGBColor, Rectangle, SVGBackend, Text, WHITE,
};

use super::fault::{Fault, Target};
use super::report::Report;

const SIZE: (u32, u32) = (1200, 900);
/// Samples that a rate is taken over: two seconds.
const SPAN: usize = 4;

/// A curve with its name.
type Curve = (&'static str, Vec<(f64, f64)>);

/// Draws it into a file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn draw(report: &Report, duration: Duration, file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let panels = root.split_evenly((3, 1));
    let end = report.samples.last().map_or(duration.as_secs_f64(), |sample| sample.at).max(duration.as_secs_f64());
    let rate = |count: fn(&super::sampler::Sample) -> u64| {
        report
            .samples
            .windows(SPAN + 1)
            .map(|span| {
                let (first, last) = (&span[0], &span[SPAN]);
                (last.at, (count(last) - count(first)) as f64 / (last.at - first.at))
            })
            .collect()
    };
    let memory = |of: fn(&super::sampler::Sample) -> f64| report.samples.iter().map(|s| (s.at, of(s))).collect();
    let curves: [(&str, Vec<Curve>); 3] = [
        ("events a second", vec![("written", rate(|s| s.written)), ("relayed, with repeats", rate(|s| s.relayed))]),
        ("staleness of an answer, seconds", vec![("staleness", report.staleness.clone())]),
        (
            "resident memory, MiB",
            vec![
                ("producer", memory(|s| s.producer)),
                ("consumer", memory(|s| s.consumer)),
                ("qdrant", memory(|s| s.qdrant)),
            ],
        ),
    ];
    for (panel, (title, curves)) in panels.iter().zip(&curves) {
        draw_panel(panel, title, curves, report, end).map_err(|error| anyhow!("{error}"))?;
    }
    root.present().map_err(|error| anyhow!("{error}"))
}

fn draw_panel(
    panel: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    curves: &[Curve],
    report: &Report,
    end: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let highest = curves.iter().flat_map(|(_, points)| points).map(|(_, value)| *value).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 18))
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..end, 0.0..highest)?;
    chart.configure_mesh().disable_x_mesh().x_desc("seconds").draw()?;
    for (place, band) in report.bands.iter().enumerate() {
        // A kill is a moment: it gets a breadth that can be seen.
        let (from, to) = (band.from.as_secs_f64(), band.to.as_secs_f64().max(band.from.as_secs_f64() + end / 400.0));
        chart.draw_series([Rectangle::new([(from, 0.0), (to, highest)], color(band.fault).mix(0.25).filled())])?;
        // Names on four heights, so that neighbours do not cover each other.
        let height = highest * (0.97 - 0.07 * (place % 4) as f64);
        let style = ("sans-serif", 10).into_font().color(&BLACK.mix(0.8));
        chart.draw_series([Text::new(band.fault.name(), (from, height), style)])?;
    }
    for (place, (name, points)) in curves.iter().enumerate() {
        let color = Palette99::pick(place);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.4)).draw()?;
    Ok(())
}

/// By what is hit.
fn color(fault: Fault) -> RGBColor {
    match fault {
        Fault::Kill(Target::Producer) | Fault::Pause(Target::Producer) => RGBColor(31, 119, 180),
        Fault::Kill(Target::Consumer) | Fault::Pause(Target::Consumer) => RGBColor(44, 160, 44),
        Fault::Kill(_) | Fault::Pause(_) => RGBColor(214, 39, 40),
        Fault::StepDown => RGBColor(140, 86, 75),
        Fault::Slow(_) | Fault::Reset(_) | Fault::Blackhole(_) => RGBColor(255, 127, 14),
    }
}
