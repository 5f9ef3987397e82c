//! Secrets that were committed by mistake, by their well-known forms.

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
        // The body of a private key; an end that is missing is made up for by what a key is written with.
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[0-9A-Za-z+/=\\\s,:-]*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\z)",
    ];
    Regex::new(&forms.join("|")).expect("the forms above are valid")
});

/// `text` with every secret masked.
pub(super) fn mask(text: &str) -> String {
    SECRET.replace_all(text, MASK).into_owned()
}
