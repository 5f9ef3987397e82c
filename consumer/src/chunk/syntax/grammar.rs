//! Which grammar a file is read by, by its name.

use std::sync::LazyLock;

use tree_sitter::Language;
use tree_sitter_language::LanguageFn;

use super::kind::Roles;

/// Names of files without an ending of their own.
const NAMES: [(&str, &str); 4] = [("rakefile", "rb"), ("gemfile", "rb"), (".bashrc", "sh"), (".profile", "sh")];

/// All grammars, each with the endings of its files.
static GRAMMARS: LazyLock<[(&[&str], Grammar); 13]> = LazyLock::new(|| {
    [
        (&["rs"], Grammar::new(tree_sitter_rust::LANGUAGE, "::")),
        (&["py", "pyi"], Grammar::new(tree_sitter_python::LANGUAGE, ".")),
        (&["js", "mjs", "cjs", "jsx"], Grammar::new(tree_sitter_javascript::LANGUAGE, ".")),
        (&["ts", "mts", "cts"], Grammar::new(tree_sitter_typescript::LANGUAGE_TYPESCRIPT, ".")),
        (&["tsx"], Grammar::new(tree_sitter_typescript::LANGUAGE_TSX, ".")),
        (&["go"], Grammar::new(tree_sitter_go::LANGUAGE, ".")),
        (&["java"], Grammar::new(tree_sitter_java::LANGUAGE, ".")),
        (&["c"], Grammar::new(tree_sitter_c::LANGUAGE, "::")),
        // A header may be either's; C++ reads C as well.
        (&["h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "ipp"], Grammar::new(tree_sitter_cpp::LANGUAGE, "::")),
        (&["cs"], Grammar::new(tree_sitter_c_sharp::LANGUAGE, ".")),
        (&["rb", "rake", "gemspec"], Grammar::new(tree_sitter_ruby::LANGUAGE, "::")),
        (&["php"], Grammar::new(tree_sitter_php::LANGUAGE_PHP, "::")),
        (&["sh", "bash"], Grammar::new(tree_sitter_bash::LANGUAGE, ".")),
    ]
});

/// A language's grammar.
pub(super) struct Grammar {
    pub(super) language: Language,
    /// What its kinds of nodes are to chunking.
    pub(super) roles: Roles,
    /// What stands between a name and the one that it is in.
    pub(super) separator: &'static str,
}

impl Grammar {
    /// The grammar for the file at `path`.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, ending)| *ending);
        let ending = named.or_else(|| name.rsplit_once('.').map(|(_, ending)| ending))?;
        GRAMMARS.iter().find(|(endings, _)| endings.contains(&ending)).map(|(_, grammar)| grammar)
    }

    fn new(language: LanguageFn, separator: &'static str) -> Self {
        let language = Language::from(language);
        Self { roles: Roles::of(&language), language, separator }
    }
}
