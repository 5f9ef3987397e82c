//! A [`View`] on the terminal: two columns where there is room, one where it is narrow; what does not fit is counted in the last line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::view::{Cell, Column, Section, Tone, View};

/// From this width on what waits stands beside the other figures.
const WIDE: u16 = 80;
const GAP: &str = "  ";
const KEYS: &str = "q, Esc or Ctrl-C leaves";

/// Draws over the whole of the terminal.
pub(super) fn draw(view: &View, frame: &mut Frame<'_>) {
    let [all, keys] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(KEYS.dim(), keys);
    let mut top = top(view, all.width.into());
    if all.width < WIDE {
        top.extend(sections(view.figures.iter().chain(&view.waiting), all));
        return fill(frame, all, top);
    }
    let height = u16::try_from(top.len()).unwrap_or(u16::MAX).min(all.height);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(all);
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).spacing(2).areas(below);
    fill(frame, above, top);
    fill(frame, left, sections(&view.figures, left));
    fill(frame, right, sections(&view.waiting, right));
}

/// Title, services, and who is not well.
fn top(view: &View, width: usize) -> Vec<Line<'static>> {
    let title = view.title.iter().flat_map(|cell| [styled(cell, cell.text.clone()).bold(), GAP.into()]);
    let mut lines = vec![title.collect::<Vec<_>>().into()];
    lines.extend(section(&view.services, width));
    lines.extend(reasons(view, width));
    lines
}

fn sections<'a>(sections: impl IntoIterator<Item = &'a Section>, area: Rect) -> Vec<Line<'static>> {
    sections.into_iter().flat_map(|part| section(part, area.width.into())).collect()
}

/// As many lines as there is room for; the last one says how many more there are.
fn fill(frame: &mut Frame<'_>, area: Rect, mut lines: Vec<Line<'_>>) {
    let room = usize::from(area.height);
    if lines.len() > room {
        let shown = room.saturating_sub(1);
        let more = lines.len() - shown;
        lines.truncate(shown);
        lines.push(format!("… {more} more lines").dim().into());
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn reasons(view: &View, width: usize) -> Vec<Line<'static>> {
    if view.reasons.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![rule("Not well", width)];
    for (who, why) in &view.reasons {
        lines.extend(wrapped(&format!("{who}: {why}"), width).into_iter().map(|line| line.red().into()));
    }
    lines
}

/// Broken after so many characters, so that nothing of a reason is lost.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    characters.chunks(width.max(1)).map(|line| line.iter().collect()).collect()
}

fn rule(title: &str, width: usize) -> Line<'static> {
    let rest = width.saturating_sub(title.chars().count() + 4);
    vec!["── ".dim(), title.to_owned().bold(), format!(" {}", "─".repeat(rest)).dim()].into()
}

/// The rule, the columns' heads if they have any, and the rows; each column as wide as its widest word.
fn section(section: &Section, width: usize) -> Vec<Line<'static>> {
    let heads: Vec<Cell> = section.columns.iter().map(|column| Cell::faint(column.head())).collect();
    let headed = heads.iter().any(|head| !head.text.is_empty());
    let rows: Vec<&Vec<Cell>> = headed.then_some(&heads).into_iter().chain(&section.rows).collect();
    let widths: Vec<usize> = (0..section.columns.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &&Vec<Cell>| -> Line<'static> {
        let cells = row.iter().zip(section.columns).zip(&widths);
        let spans = cells.flat_map(|((cell, column), width)| {
            let padded = match column {
                Column::Words(_) => format!("{:<width$}", cell.text),
                Column::Figures(_) => format!("{:>width$}", cell.text),
            };
            [styled(cell, padded), GAP.into()]
        });
        spans.collect::<Vec<_>>().into()
    };
    [rule(section.title, width)].into_iter().chain(rows.iter().map(line)).collect()
}

fn styled(cell: &Cell, text: String) -> Span<'static> {
    let style = match cell.tone {
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().green(),
        Tone::Bad => Style::new().red().bold(),
        Tone::Faint => Style::new().dim(),
    };
    Span::styled(text, style)
}
