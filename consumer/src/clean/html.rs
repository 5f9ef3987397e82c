//! HTML → Markdown, in one pass over the tokens of the HTML standard's own tokenizer. No tree is built: what is nested a
//! million deep, never closed or closed wrongly costs no stack and no more than linear time. Of a whole page only its text
//! is kept (`parts`).

mod detection;
mod parts;
mod pausing_reader;
mod role;
mod writer;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

use detection::{is_page, looks_like_html};
use parts::Parts;
use pausing_reader::PausingReader;
use writer::Writer;

/// Elements whose content nobody reads as text. The tokenizer takes it whole, so that it always ends.
const UNREADABLE: [&str; 6] = ["script", "style", "title", "iframe", "noembed", "noframes"];
/// Elements around the text: menus, controls, drawings.
const AROUND: [&str; 16] = [
    "script", "style", "title", "iframe", "noembed", "noframes", "nav", "button", "select", "textarea", "template",
    "svg", "canvas", "object", "noscript", "dialog",
];

/// The Markdown of `text` where that is HTML.
pub(super) fn to_markdown(text: &str) -> Option<String> {
    looks_like_html(text).then(|| {
        // A menu that never ends has swallowed the text: then the menu is kept as well.
        convert(text, &AROUND).or_else(|| convert(text, &UNREADABLE)).unwrap_or_default()
    })
}

/// `None` where a skipped element was still open at the end.
fn convert(html: &str, skipped: &[&str]) -> Option<String> {
    let mut writer = Writer::default();
    let (mut parts, mut skipping) = (Parts::default(), Skipping::default());
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    // Errors are the reader's pauses.
    for token in Tokenizer::new_with_emitter(PausingReader::new(html), emitter).flatten() {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let void = tag.self_closing && name == "svg";
                if !void && !skipping.start(&name, skipped) {
                    let attribute = |wanted: &str| {
                        let value = tag.attributes.get(wanted.as_bytes())?;
                        Some(String::from_utf8_lossy(value).into_owned())
                    };
                    parts.start(&name, attribute, writer.length());
                    writer.start(&name, attribute);
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name);
                if !skipping.end(&name) {
                    writer.end(&name);
                    parts.end(&name, writer.length());
                }
            }
            Token::String(text) if !skipping.is_on() => {
                let text = String::from_utf8_lossy(&text);
                parts.text(&text);
                writer.text(&text);
            }
            _ => {}
        }
    }
    let complete = !skipping.is_on() || UNREADABLE.contains(&skipping.element.as_str());
    complete.then(|| writer.finish(parts, is_page(html)))
}

/// The skipped element that is open, and how often in itself.
#[derive(Default)]
struct Skipping {
    element: String,
    depth: usize,
}

impl Skipping {
    fn is_on(&self) -> bool {
        self.depth > 0
    }

    /// Whether the element that starts here is skipped.
    fn start(&mut self, name: &str, skipped: &[&str]) -> bool {
        if !self.is_on() && skipped.contains(&name) {
            name.clone_into(&mut self.element);
            self.depth = 1;
        } else if self.is_on() && self.element == name {
            self.depth += 1;
        }
        self.is_on()
    }

    /// Whether the element that ends here is skipped.
    fn end(&mut self, name: &str) -> bool {
        let on = self.is_on();
        if on && self.element == name {
            self.depth -= 1;
        }
        on
    }
}
