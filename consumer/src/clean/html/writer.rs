//! Writes Markdown from a stream of tags and texts.

use super::parts::Parts;

/// Levels of lists and quotes that show as indentation.
const MAX_INDENT: usize = 6;

#[derive(Default)]
pub(super) struct Writer {
    out: String,
    /// Line ends due before the next text: 1 a new line, 2 a new block.
    gap: usize,
    /// A space is due before the next text.
    space: bool,
    /// Begins the next line: `# `, `* `, `1. `.
    mark: String,
    lists: Vec<Option<usize>>,
    quotes: usize,
    heading: bool,
    /// Where it begins, and its address if that leads away from the page.
    link: Option<(usize, Option<String>)>,
    pre: Option<Preformatted>,
}

#[derive(Default)]
struct Preformatted {
    language: String,
    text: String,
}

impl Writer {
    pub(super) fn start(&mut self, name: &str, attribute: impl Fn(&str) -> Option<String>) {
        if let Some(pre) = &mut self.pre {
            match name {
                "br" => pre.text.push('\n'),
                "code" if pre.language.is_empty() => pre.language = language(attribute("class")),
                _ => {}
            }
            return;
        }
        match name {
            "br" if self.heading => self.space = true,
            "br" | "dt" | "dd" => self.new_line(),
            "tr" => self.new_line(),
            "td" | "th" => self.inline(if self.gap > 0 || self.out.is_empty() { "| " } else { " | " }),
            "ul" => self.list(None),
            "ol" => self.list(Some(1)),
            "li" => self.item(),
            "blockquote" => {
                self.new_block();
                self.quotes += 1;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.new_block();
                self.heading = true;
                self.mark = format!("{} ", "#".repeat(usize::from(name.as_bytes()[1] - b'0')));
            }
            "pre" => {
                self.new_block();
                self.pre = Some(Preformatted { language: language(attribute("class")), text: String::new() });
            }
            "code" => self.inline("`"),
            "a" => {
                let href = attribute("href").unwrap_or_default();
                let is_link = leads_away(&href) || href.starts_with('#');
                self.link = is_link.then(|| {
                    self.inline("");
                    (self.out.len(), leads_away(&href).then_some(href))
                });
            }
            "img" => self.image(attribute("alt"), attribute("src")),
            name if is_block(name) => self.new_block(),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, name: &str) {
        if self.pre.is_some() {
            if name == "pre" {
                self.end_pre();
            }
            return;
        }
        match name {
            "ul" | "ol" => {
                self.lists.pop();
                self.new_block();
            }
            "li" | "tr" => self.new_line(),
            "blockquote" => {
                self.new_block();
                self.quotes = self.quotes.saturating_sub(1);
            }
            "code" => self.out.push('`'),
            "a" => self.end_link(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.heading = false;
                self.mark.clear();
                self.new_block();
            }
            name if is_block(name) => self.new_block(),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(pre) = &mut self.pre {
            pre.text.push_str(text);
            return;
        }
        let mut words = text.split_ascii_whitespace();
        self.space |= text.starts_with(|c: char| c.is_ascii_whitespace());
        let Some(first) = words.next() else {
            return;
        };
        self.inline(first);
        for word in words {
            self.out.push(' ');
            self.out.push_str(word);
        }
        self.space = text.ends_with(|c: char| c.is_ascii_whitespace());
    }

    pub(super) fn length(&self) -> usize {
        self.out.len()
    }

    /// What `parts` chooses of it.
    pub(super) fn finish(mut self, parts: Parts, is_page: bool) -> String {
        self.end_pre();
        let mut text = String::new();
        for range in parts.chosen(self.out.len(), is_page) {
            // Blanks that were due there may have been written otherwise since.
            let (from, to) = (self.out.floor_char_boundary(range.start), self.out.floor_char_boundary(range.end));
            let piece = self.out[from..to].trim_matches('\n');
            if !piece.trim().is_empty() {
                text.push_str(if text.is_empty() { "" } else { "\n\n" });
                text.push_str(piece);
            }
        }
        text
    }

    fn new_line(&mut self) {
        self.gap = self.gap.max(1);
    }

    fn new_block(&mut self) {
        if self.heading {
            self.space = true;
        } else {
            self.gap = if self.mark.is_empty() { 2 } else { self.gap };
        }
    }

    fn list(&mut self, counter: Option<usize>) {
        if self.lists.is_empty() {
            self.new_block();
        } else {
            self.new_line();
        }
        self.lists.push(counter);
    }

    fn item(&mut self) {
        self.gap = self.gap.max(1);
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(MAX_INDENT));
        self.mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{indent}{}. ", *number - 1)
            }
            _ => format!("{indent}* "),
        };
    }

    /// Writes what is due, then `text`.
    fn inline(&mut self, text: &str) {
        if self.gap > 0 {
            self.out.truncate(self.out.trim_end().len());
            if !self.out.is_empty() {
                self.out.push_str(if self.gap == 1 { "\n" } else { "\n\n" });
            }
            self.out.push_str(&"> ".repeat(self.quotes.min(MAX_INDENT)));
            self.gap = 0;
            self.space = false;
        }
        if !self.mark.is_empty() {
            self.out.push_str(&self.mark);
            self.mark.clear();
            self.space = false;
        }
        self.space_now();
        self.out.push_str(text);
    }

    fn space_now(&mut self) {
        if self.space && self.gap == 0 && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        self.space = false;
    }

    fn end_link(&mut self) {
        let Some((start, href)) = self.link.take() else {
            return;
        };
        // Text that goes over several blocks is no link in Markdown; neither is none.
        let text = self.out.get(start..).unwrap_or_default();
        let Some(href) = href else {
            // The sign beside a heading that one may link to it by.
            if !text.contains(char::is_alphanumeric) {
                self.out.truncate(start);
            }
            return;
        };
        let blanks = text.len() - text.trim_start().len();
        if text.trim().is_empty() || text.trim().contains('\n') {
            return;
        }
        self.out.insert(start + blanks, '[');
        self.out.push_str("](");
        self.out.push_str(href.trim());
        self.out.push(')');
    }

    fn image(&mut self, alt: Option<String>, src: Option<String>) {
        let alt = alt.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let src = src.filter(|src| leads_away(src) && !src.starts_with("data:")).unwrap_or_default();
        if !alt.is_empty() {
            self.inline(&format!("![{alt}]({})", src.trim()));
        }
    }

    fn end_pre(&mut self) {
        let Some(Preformatted { language, text }) = self.pre.take() else {
            return;
        };
        let text = text.trim_matches('\n');
        if !text.trim().is_empty() {
            let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
            let fence = "`".repeat((longest + 1).max(3));
            self.mark.clear();
            self.inline(&format!("{fence}{language}\n{text}\n{fence}"));
        }
        self.new_block();
    }
}

fn language(class: Option<String>) -> String {
    let class = class.unwrap_or_default();
    let language =
        class.split_whitespace().find_map(|name| name.strip_prefix("language-").or(name.strip_prefix("lang-")));
    language.filter(|name| name.len() < 20 && !name.contains('`')).unwrap_or_default().to_owned()
}

fn leads_away(href: &str) -> bool {
    let href = href.trim();
    !href.is_empty()
        && !href.starts_with(['#', '?'])
        && !href.starts_with("javascript:")
        && !href.contains(['\n', ' ', ')'])
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "article"
            | "section"
            | "main"
            | "header"
            | "footer"
            | "aside"
            | "figure"
            | "figcaption"
            | "table"
            | "dl"
            | "hr"
            | "form"
            | "fieldset"
            | "details"
            | "summary"
            | "address"
            | "body"
            | "thead"
            | "tbody"
            | "caption"
            | "center"
    )
}
