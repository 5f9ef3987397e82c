//! What an element is to the text of its page, by its name and what it is called.

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Marked as the text of the page.
    Article,
    /// Marked as the main part of the page.
    Main,
    /// Called something that stands around a text.
    Surroundings,
    /// May hold other blocks.
    Container,
    /// A heading.
    Heading,
    /// A paragraph and its like.
    Block,
    /// A part of a list or a table.
    Item,
}

/// Words in the class or id of what stands around a text.
const SURROUNDINGS: [&str; 61] = [
    "ad",
    "ads",
    "adsense",
    "advert",
    "advertisement",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "byline",
    "comment",
    "comments",
    "consent",
    "cookie",
    "cookies",
    "disqus",
    "footer",
    "gdpr",
    "hidden",
    "login",
    "masthead",
    "menu",
    "menubar",
    "modal",
    "more",
    "nav",
    "navbar",
    "navigation",
    "newsletter",
    "outbrain",
    "overlay",
    "pager",
    "pagination",
    "popular",
    "popup",
    "print",
    "promo",
    "promotion",
    "ranking",
    "recommend",
    "recommendation",
    "recommendations",
    "recommended",
    "register",
    "related",
    "respond",
    "share",
    "shares",
    "sharing",
    "sidebar",
    "signin",
    "signup",
    "skip",
    "social",
    "sponsor",
    "sponsored",
    "subscribe",
    "subscription",
    "taboola",
    "tags",
    "toolbar",
    "trending",
];

impl Role {
    /// Whether all of a page's text may be in such an element. What is called something else may be around it.
    pub(super) fn is_container(self) -> bool {
        matches!(self, Self::Article | Self::Main | Self::Container | Self::Surroundings)
    }
}

/// The role of an element that is a block; `None` for what stands in a line.
pub(super) fn role(name: &str, attribute: impl Fn(&str) -> Option<String>) -> Option<Role> {
    let plain = match name {
        "article" => Role::Article,
        "main" => Role::Main,
        "aside" | "footer" => Role::Surroundings,
        "div" | "section" | "header" | "body" | "form" | "center" | "fieldset" | "details" => Role::Container,
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Role::Heading,
        "p" | "pre" | "blockquote" | "ul" | "ol" | "dl" | "table" | "figure" | "figcaption" | "address" => Role::Block,
        "li" | "dt" | "dd" | "tr" | "td" | "th" | "thead" | "tbody" | "caption" => Role::Item,
        _ => return None,
    };
    let given = attribute("role").unwrap_or_default();
    let is_hidden = attribute("hidden").is_some()
        || attribute("aria-hidden").is_some_and(|hidden| hidden == "true")
        || attribute("style").is_some_and(|style| style.replace(' ', "").contains("display:none"));
    Some(match given.as_str() {
        _ if is_hidden => Role::Surroundings,
        "main" => Role::Main,
        "article" => Role::Article,
        "navigation" | "banner" | "contentinfo" | "complementary" | "search" | "dialog" | "alertdialog" | "menu" => {
            Role::Surroundings
        }
        _ if attribute("itemprop").is_some_and(|of| of.eq_ignore_ascii_case("articlebody")) => Role::Article,
        _ if matches!(plain, Role::Container | Role::Block)
            && !matches!(name, "body" | "p" | "pre" | "blockquote")
            && ["class", "id"].into_iter().filter_map(&attribute).any(|names| is_surroundings(&names)) =>
        {
            Role::Surroundings
        }
        _ => plain,
    })
}

/// Whether one of the words in these names says so: `post-comments`, `relatedStories`.
fn is_surroundings(names: &str) -> bool {
    let mut words = names.split(|c: char| !c.is_ascii_alphabetic()).flat_map(camel_words);
    words.any(|word| SURROUNDINGS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok())
}

fn camel_words(name: &str) -> impl Iterator<Item = &str> {
    let starts = name.char_indices().scan(false, |was_lower, (at, c)| {
        let starts = at == 0 || (*was_lower && c.is_ascii_uppercase());
        *was_lower = c.is_ascii_lowercase();
        Some((at, starts))
    });
    let starts: Vec<usize> = starts.filter(|(_, starts)| *starts).map(|(at, _)| at).collect();
    (0..starts.len()).map(move |index| &name[starts[index]..starts.get(index + 1).copied().unwrap_or(name.len())])
}
