//! Secrets that were committed by mistake, by their well-known forms. In linear time, whatever the text holds.

use std::sync::LazyLock;

use regex::Regex;

const MASK: &str = "[masked secret]";

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        // Amazon: access key ids.
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        // GitHub: personal, OAuth, user, server and refresh tokens, fine-grained ones.
        r"\bgh[pousr]_[0-9A-Za-z]{36,255}\b",
        r"\bgithub_pat_[0-9A-Za-z_]{22,255}\b",
        // GitLab, Slack, Google, Stripe, npm, Hugging Face.
        r"\bglpat-[0-9A-Za-z_-]{20,64}",
        r"\bxox[abeoprs]-[0-9A-Za-z-]{10,255}",
        r"\bAIza[0-9A-Za-z_-]{35}",
        r"\b[rs]k_live_[0-9A-Za-z]{20,255}",
        r"\bnpm_[0-9A-Za-z]{36}\b",
        r"\bhf_[0-9A-Za-z]{30,64}\b",
        // OpenAI and Anthropic.
        r"\bsk-(?:proj-|ant-)?[0-9A-Za-z_-]{32,255}",
    ];
    pattern(&forms.join("|"))
});
static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----"));
/// What ends a private key: its last line, or what no key is written with.
static KEY_END: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(-----END [A-Z ]{0,20}PRIVATE KEY-----)|[^0-9A-Za-z+/=\\\s,:-]"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns here are valid")
}

/// `text` with every secret masked.
pub(super) fn mask(text: &str) -> String {
    SECRET.replace_all(&without_keys(text), MASK).into_owned()
}

/// `text` with every private key masked; one whose last line is missing reaches to the end of the text. (In one pattern
/// with the others, a key that comes to nothing would be looked at to its end again for each secret in it.)
fn without_keys(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(begin) = KEY.find_at(text, at) {
        let end = match KEY_END.captures_at(text, begin.end()) {
            None => text.len(),
            Some(end) if end.get(1).is_some() => end.get_match().end(),
            Some(end) => {
                kept.push_str(&text[at..end.get_match().end()]);
                at = end.get_match().end();
                continue;
            }
        };
        kept.push_str(&text[at..begin.start()]);
        kept.push_str(MASK);
        at = end;
    }
    kept.push_str(&text[at..]);
    kept
}
