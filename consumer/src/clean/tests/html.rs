//! HTML → Markdown.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_page_becomes_markdown_without_what_stands_around_it() {
    let page = r##"<!DOCTYPE html><html><head><title>Tab</title><style>p {color: red}</style><script>if (a < b) alert("x")</script></head>
        <body><nav><a href="/">Home</a><ul><li>Menu</li></ul></nav>
        <h1>Vector <em>search</em></h1><p>First   paragraph with a <a href="https://example.com/x">link</a>, <b>bold</b> &amp; <code>let x&lt;y</code>.<br>Next line.</p>
        <ul><li>one</li><li><p>two</p><ol><li>inner</li></ol></li></ul>
        <blockquote><p>Quoted</p></blockquote>
        <pre><code class="language-rust">fn main() {
    run();
}</code></pre>
        <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
        <img src="/i.png" alt="A plot"></body></html>"##;
    assert_eq!(
        text_of(page),
        "# Vector search\n\nFirst paragraph with a [link](https://example.com/x), bold & `let x<y`.\nNext line.\n\n* one\n* two\n\n  1. inner\n\n> Quoted\n\n```rust\nfn main() {\n    run();\n}\n```\n\n| a | b\n| 1 | 2\n\n![A plot](/i.png)"
    );
}

#[test]
fn the_main_part_is_preferred_where_it_is_marked() {
    let text = "The text of the article. ".repeat(10);
    let page = format!("<html><body><div>Sign in</div><main><p>{text}</p></main><div>Imprint</div></body></html>");
    assert_eq!(text_of(&page), text.trim());
    let hollow = format!("<html><body><main></main><p>{text}</p></body></html>");
    assert_eq!(text_of(&hollow), text.trim());
}

#[test]
fn what_stands_around_a_text_is_left_out_of_a_page_and_nothing_of_a_fragment() {
    let text = "The ship had been moored in the harbour for a week when the storm came in from the west. ".repeat(4);
    let links = r#"<ul><li><a href="/a">Ships</a><li><a href="/b">Tides</a><li><a href="/c">Moorings</a></ul>"#;
    let around = format!(
        r#"<div><h2>Latest</h2>{links}</div><div class="post-content"><h1>A storm</h1><p>{text}</p><div class="cookieConsent">We use cookies.</div>
        <div class="entry-comments"><p>First!</p></div><pre>let ship = 1;</pre><p>{text}</p></div><aside>Also read</aside><div hidden>Seen by none</div>"#
    );
    let kept = format!("# A storm\n\n{0}\n\n```\nlet ship = 1;\n```\n\n{0}", text.trim());
    assert_eq!(text_of(&format!("<html><body>{around}</body></html>")), kept);
    let fragment = text_of(&around);
    for words in ["Latest", "Moorings", "A storm", "We use cookies", "First!", "let ship", "Also read"] {
        assert!(fragment.contains(words), "{words}: {fragment}");
    }
}

#[test]
fn a_wrapper_that_is_called_something_else_keeps_its_text() {
    let text = "The ship had been moored in the harbour for a week when the storm came in from the west. ".repeat(4);
    let page = format!(r#"<html><body><div class="with-sidebar"><p>{text}</p></div><div>Imprint</div></body></html>"#);
    assert_eq!(text_of(&page), text.trim());
}

#[test]
fn a_page_of_links_or_short_lines_is_kept() {
    let page = r#"<html><body><h1>Contents</h1><ul><li><a href="/a">Ships</a><li><a href="/b">Tides</a><li><a href="/c">Moorings</a></ul></body></html>"#;
    assert_eq!(text_of(page), "# Contents\n\n* [Ships](/a)\n* [Tides](/b)\n* [Moorings](/c)");
    assert_eq!(text_of("<html><body><h2>Name</h2><p>ship - a ship</p>"), "## Name\n\nship - a ship");
}

#[test]
fn the_sign_beside_a_heading_is_no_text() {
    let page = r##"<html><h2>Ships<a class="headerlink" href="#ships">¶</a></h2><p>See <a href="#tides">tides</a>."##;
    assert_eq!(text_of(page), "## Ships\n\nSee tides.");
}

#[test]
fn a_fragment_is_html_too() {
    assert_eq!(text_of("<p>One &mdash; two</p>\n<p>Three</p>"), "One — two\n\nThree");
    assert_eq!(text_of("Intro <br> a<br/>b<br />c"), "Intro\na\nb\nc");
}

#[test]
fn markdown_with_some_html_stays_markdown() {
    for markdown in [
        "<p align=\"center\">logo</p>\n\n# Project\n\nText with <br> and </div> in it.",
        "Write `<p>` and close it with </p>.",
        "a < b and c > d",
        "```html\n<p>x</p>\n<p>y</p>\n<p>z</p>\n```",
    ] {
        assert_eq!(text_of(markdown), markdown);
    }
}

#[test]
fn what_was_never_closed_does_not_swallow_the_text() {
    assert_eq!(text_of("<html><nav>Menu<p>The text"), "Menu\n\nThe text");
    assert_eq!(text_of("<html><p>The text<pre>code"), "The text\n\n```\ncode\n```");
    assert_eq!(text_of("<html><p>The text<script>code"), "The text");
}

#[test]
fn hostile_html_takes_neither_stack_nor_time() {
    let start = Instant::now();
    let many = |text: &str| format!("<html><p>start</p>{}<p>end</p>", text.repeat(200_000 / text.len()));
    for text in [
        "<div>",
        "</div>",
        "<a href=x>a",
        "<ul><li>a",
        "<table><br>",
        "<b><p>",
        "<!--",
        "<",
        "&",
        "&am",
        "<blockquote>a",
        "<pre>",
        "<nav>",
        "<svg>",
        "<h1>a",
        "<div class=ad>a",
        "<div><p>A sentence that is long enough to be taken for prose by all who read it here.</div>",
    ] {
        assert!(text_of(&many(text)).starts_with("start"), "{text}");
    }
    for quote in ["", "'", "\""] {
        let attributes: String = (0..50_000).map(|number| format!(" a{number}={quote}b{quote}")).collect();
        assert_eq!(text_of(&format!("<html><p{attributes}>x</p>")), "x");
    }
    // Quadratic work at this size would take minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
