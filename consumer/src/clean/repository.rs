//! The files of a repository: which are read, and how.

use serde_json::Value;

use super::cleaned_document::{Format, Section};
use super::fields::{self, CleanError};
use super::{code, prose, secrets};

/// Bytes of a file; what is larger is data or generated.
const MAX_FILE: usize = 1024 * 1024;
/// A line this long in code, or such an average, is a machine's.
const MAX_LINE: usize = 5_000;
const MAX_AVERAGE_LINE: usize = 300;
/// An average needs some text to mean anything.
const MIN_FOR_AVERAGE: usize = 4_096;
/// Where generators leave their note.
const HEAD: usize = 1_000;

/// Folders of other people's or generated files.
const FOREIGN_FOLDERS: [&str; 19] = [
    "node_modules",
    "bower_components",
    "vendor",
    "third_party",
    "dist",
    "target",
    "site-packages",
    "__pycache__",
    "venv",
    ".venv",
    ".git",
    ".idea",
    ".gradle",
    ".tox",
    ".next",
    ".nuxt",
    ".mypy_cache",
    ".pytest_cache",
    ".ipynb_checkpoints",
];

/// Lock files that do not end in `.lock`.
const LOCK_FILES: [&str; 8] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "packages.lock.json",
    "go.sum",
    "go.work.sum",
    "gradle.lockfile",
    "bun.lockb",
];

/// Endings of files that are not read: binary, minified, or drawings in XML.
const UNREAD: [&str; 52] = [
    "7z",
    "a",
    "avi",
    "bin",
    "bmp",
    "bz2",
    "class",
    "dll",
    "dylib",
    "eot",
    "exe",
    "gif",
    "gz",
    "heic",
    "ico",
    "jar",
    "jpeg",
    "jpg",
    "lock",
    "map",
    "min.css",
    "min.js",
    "mov",
    "mp3",
    "mp4",
    "npy",
    "npz",
    "o",
    "ogg",
    "onnx",
    "otf",
    "parquet",
    "pdf",
    "pickle",
    "pkl",
    "png",
    "psd",
    "pt",
    "pyc",
    "rar",
    "so",
    "safetensors",
    "svg",
    "tar",
    "tgz",
    "tiff",
    "ttf",
    "wasm",
    "webp",
    "woff",
    "woff2",
    "zip",
];

const MARKDOWN: [&str; 4] = ["md", "mdx", "markdown", "mkd"];
const PLAIN: [&str; 5] = ["txt", "rst", "adoc", "asciidoc", "org"];
/// Prose by custom, without an ending.
const PLAIN_NAMES: [&str; 8] =
    ["readme", "license", "licence", "changelog", "authors", "contributing", "notice", "copying"];

/// A section for each file that is worth reading, by path. A plain string is the text of the whole repository.
pub(super) fn sections(content: &Value) -> Result<Vec<Section>, CleanError> {
    let files = fields::texts(content)?;
    let read = files.into_iter().filter(|(path, raw)| is_read(path, raw)).map(|(path, raw)| section(path, raw));
    Ok(read.filter(|section| !section.text.is_empty()).collect())
}

fn section(path: String, raw: &str) -> Section {
    let format = if path.is_empty() { Format::Markdown } else { format_of(&path) };
    let text = match format {
        Format::Code => code::clean(raw),
        Format::Markdown | Format::Plain => secrets::mask(&prose::clean(raw)),
    };
    Section { path: (!path.is_empty()).then_some(path), format, text }
}

fn format_of(path: &str) -> Format {
    let name = file_name(path);
    match name.rsplit_once('.') {
        Some((_, ending)) if MARKDOWN.contains(&ending) => Format::Markdown,
        Some((_, ending)) if PLAIN.contains(&ending) => Format::Plain,
        None if PLAIN_NAMES.contains(&name.as_str()) => Format::Plain,
        _ => Format::Code,
    }
}

fn is_read(path: &str, raw: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    !is_foreign(path)
        && !is_unread(&file_name(path))
        && raw.len() <= MAX_FILE
        && !is_binary(raw)
        && (format_of(path) != Format::Code || !(is_minified(raw) || is_generated(raw)))
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase()
}

fn is_foreign(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| FOREIGN_FOLDERS.contains(&folder))
}

fn is_unread(name: &str) -> bool {
    let ended = |ending: &&str| name.strip_suffix(*ending).is_some_and(|stem| stem.ends_with('.'));
    LOCK_FILES.contains(&name) || UNREAD.iter().any(ended)
}

/// Bytes that were no text when they were read: a NUL, or more than one in a hundred that could not be decoded.
fn is_binary(raw: &str) -> bool {
    let lost = raw.matches('\u{fffd}').count();
    raw.contains('\0') || lost * 100 > raw.len()
}

fn is_minified(raw: &str) -> bool {
    let (longest, lines) = raw.lines().fold((0, 0), |(longest, lines), line| (longest.max(line.len()), lines + 1));
    longest > MAX_LINE || (raw.len() > MIN_FOR_AVERAGE && raw.len() / lines.max(1) > MAX_AVERAGE_LINE)
}

fn is_generated(raw: &str) -> bool {
    let head = fields::bounded(raw, HEAD);
    head.contains("@generated") || (head.contains("DO NOT EDIT") && head.to_ascii_lowercase().contains("generated"))
}
