//! Which grammar a file is read by, by its name.

use tree_sitter_language::LanguageFn;

/// Names of files without an ending of their own.
const NAMES: [(&str, &str); 4] = [("rakefile", "rb"), ("gemfile", "rb"), (".bashrc", "sh"), (".profile", "sh")];

/// A language's grammar.
pub(super) struct Grammar {
    pub(super) language: LanguageFn,
    /// What stands between a name and the one that it is in.
    pub(super) separator: &'static str,
}

impl Grammar {
    /// The grammar for the file at `path`.
    pub(super) fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, ending)| *ending);
        let ending = named.or_else(|| name.rsplit_once('.').map(|(_, ending)| ending))?;
        let (language, separator) = match ending {
            "rs" => (tree_sitter_rust::LANGUAGE, "::"),
            "py" | "pyi" => (tree_sitter_python::LANGUAGE, "."),
            "js" | "mjs" | "cjs" | "jsx" => (tree_sitter_javascript::LANGUAGE, "."),
            "ts" | "mts" | "cts" => (tree_sitter_typescript::LANGUAGE_TYPESCRIPT, "."),
            "tsx" => (tree_sitter_typescript::LANGUAGE_TSX, "."),
            "go" => (tree_sitter_go::LANGUAGE, "."),
            "java" => (tree_sitter_java::LANGUAGE, "."),
            "c" => (tree_sitter_c::LANGUAGE, "::"),
            // A header may be either's; C++ reads C as well.
            "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "ipp" => (tree_sitter_cpp::LANGUAGE, "::"),
            "cs" => (tree_sitter_c_sharp::LANGUAGE, "."),
            "rb" | "rake" | "gemspec" => (tree_sitter_ruby::LANGUAGE, "::"),
            "php" => (tree_sitter_php::LANGUAGE_PHP, "::"),
            "sh" | "bash" => (tree_sitter_bash::LANGUAGE, "."),
            _ => return None,
        };
        Some(Self { language, separator })
    }
}
