//! The table: cleaning, and whatever else has read the same pages.

use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use shared::{DocumentType, IdKind, Identity};

use super::expected::expected;
use super::shapes::{KINDS, kept};
use super::sources::{Page, Set, pages};
use super::words::Score;
use crate::cpu::Meter;
use crate::eval;

/// What one candidate made of the pages.
struct Outcome {
    name: String,
    scores: Vec<(Set, Score)>,
    shapes: [(usize, usize); KINDS.len()],
}

/// Cleans all pages and writes `<page>.html` and `ours/<page>.md` into `folder`; every other folder in there, with the Markdown that another
/// program made of the same pages, is a further line of the table.
///
/// # Errors
/// The pages are not to be had.
pub fn compare(cache: &Path, folder: &Path) -> Result<String> {
    let pages = pages(cache)?;
    let ours = folder.join("ours");
    fs::create_dir_all(&ours)?;
    let bytes: usize = pages.iter().map(|page| page.html.len()).sum();
    let meter = Meter::start([process::id()])?;
    let texts: Vec<String> = pages.iter().map(cleaned).collect();
    let [seconds] = meter.read()?.cpu;
    for (page, text) in pages.iter().zip(&texts) {
        fs::write(folder.join(format!("{}.html", page.name)), &page.html)?;
        fs::write(ours.join(format!("{}.md", page.name)), text)?;
    }
    let expected = pages.iter().map(expected).collect::<Result<Vec<String>>>()?;
    let mut outcomes = Vec::new();
    let mut candidates: Vec<_> = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    candidates.sort_unstable();
    for candidate in candidates.iter().filter(|path| path.is_dir()) {
        outcomes.push(outcome(candidate, &pages, &expected)?);
    }
    Ok(format!("{}\nours: {} pages, {:.1} MB/CPU s\n", table(&outcomes), pages.len(), bytes as f64 / 1e6 / seconds))
}

fn cleaned(page: &Page) -> String {
    let identity =
        Identity { document_type: DocumentType::Articles, id_kind: IdKind::Str, entry_id: page.name.clone() };
    let fields = [("content".to_owned(), json!({"Content": page.html}))].into_iter().collect();
    consumer::cleaned_text(&identity, &eval::event(&identity, &fields))
}

fn outcome(folder: &Path, pages: &[Page], expected: &[String]) -> Result<Outcome> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut scores, mut shapes) = (Vec::new(), [(0, 0); KINDS.len()]);
    for (page, expected) in pages.iter().zip(expected) {
        let path = folder.join(format!("{}.md", page.name));
        let markdown = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        scores.push((page.set, Score::of(&without_addresses(&markdown), expected)));
        for (sum, (found, all)) in shapes.iter_mut().zip(kept(page, &markdown)) {
            *sum = (sum.0 + found, sum.1 + all);
        }
    }
    ensure!(!scores.is_empty(), "there are no pages");
    Ok(Outcome { name, scores, shapes })
}

/// Markdown without where its links lead to.
fn without_addresses(markdown: &str) -> String {
    let mut parts = markdown.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push(' ');
        text.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    text
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = "| |".to_owned();
    for set in Set::ALL {
        text += &format!(" {} P / R / F1 |", set.name());
    }
    for kind in KINDS {
        text += &format!(" {kind} |");
    }
    text += &format!("\n| --- |{}\n", " ---: |".repeat(Set::ALL.len() + KINDS.len()));
    for Outcome { name, scores, shapes } in outcomes {
        text += &format!("| {name} |");
        for set in Set::ALL {
            let of: Vec<Score> = scores.iter().filter(|(of, _)| *of == set).map(|(_, score)| *score).collect();
            let Score { precision, recall, f1 } = Score::mean(&of);
            text += &format!(" {precision:.3} / {recall:.3} / {f1:.3} |");
        }
        for (found, all) in shapes {
            text += &format!(" {:.1}% |", 100.0 * *found as f64 / (*all).max(1) as f64);
        }
        text.push('\n');
    }
    text
}
