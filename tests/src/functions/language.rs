//! The languages: where files of each are from, and how a function stands in them.

use super::layout::Body;

/// Where files are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In a folder of a crate that this program is built from.
    Crate(&'static str, &'static str),
    /// In a folder of what is unpacked.
    Unpacked(&'static str),
}

/// A language.
pub(super) struct Language {
    pub(super) name: &'static str,
    pub(super) places: &'static [Place],
    pub(super) endings: &'static [&'static str],
    /// The first line of a function, as a regular expression. Not all functions begin so, but what begins so is one.
    pub(super) head: &'static str,
    pub(super) body: Body,
}

/// Source distributions of PyPI.
pub(super) const PYTHON_SOURCES: [&str; 1] = ["pythonnet==3.2.1"];
/// Wheels of PyPI. This one holds its TypeScript.
pub(super) const WHEELS: [&str; 1] = ["panel==1.5.5"];
/// Packages of Debian.
pub(super) const DEBIAN: [&str; 20] = [
    "bash-completion",
    "composer",
    "dracut-core",
    "golang-github-gorilla-mux-dev",
    "golang-github-spf13-cobra-dev",
    "libcli11-dev",
    "libspdlog-dev",
    "nlohmann-json3-dev",
    "node-commander",
    "node-express",
    "node-semver",
    "openjdk-17-demo",
    "php-monolog",
    "php-symfony-console",
    "php-twig",
    "python3-flask",
    "python3-requests",
    "ruby-activesupport",
    "ruby-rack",
    "ruby-sinatra",
];

const JAVASCRIPT: &str = r"^\s*(?:export (?:default )?)?(?:async )?function\b\*? ?\w|^\s*(?:(?:const|let|var) )?[\w$.]+ = (?:async )?function\b|^\s*(?:export )?(?:const|let|var) [\w$]+ = (?:async )?(?:\([^()]*\)|\w+) => \{$|^\s+(?:(?:static|async|get|set) )*[\w$#]+ ?\([^()]*\) \{$";
const TYPESCRIPT: &str = r"^\s*(?:export (?:default )?)?(?:async )?function\b\*? ?\w|^\s*(?:export )?(?:const|let) [\w$]+ = (?:async )?\([^()]*\)(?:: [^=]+)? => \{$|^\s+(?:(?:public|private|protected|static|readonly|override|async|get|set) )*[\w$#]+(?:<[^>]*>)?\([^()]*\)(?:: [^={}]+)? \{$";
const JAVA: &str = r"^\s+(?:(?:public|protected|private|static|final|abstract|synchronized|native|default|strictfp) )+[\w<>\[\],.? ]*\w\s?\(";
const CPP: &str = r"^\s*[A-Za-z_][\w:<>,&*~\[\] ]*[ &*][~\w:]+\(";
const C_SHARP: &str = r"^\s+(?:(?:public|private|protected|internal|static|virtual|override|async|sealed|unsafe|extern|partial|abstract|new|readonly) )+[\w<>\[\],.?() ]*\w\s?(?:<[\w, ]+>)?\(";

pub(super) const LANGUAGES: [Language; 12] = [
    Language {
        name: "Rust",
        places: &[Place::Crate("axum", "src"), Place::Crate("tokio-util", "src"), Place::Crate("url", "src")],
        endings: &["rs"],
        head: r#"^\s*(?:pub(?:\([^)]*\))? )?(?:(?:default|const|async|unsafe) |extern "[^"]*" )*fn \w"#,
        body: Body::Braces,
    },
    Language {
        name: "Python",
        places: &[Place::Unpacked("usr/lib/python3/dist-packages")],
        endings: &["py"],
        head: r"^\s*(?:async )?def \w",
        body: Body::Indented,
    },
    Language {
        name: "JavaScript",
        places: &[Place::Unpacked("usr/share/nodejs")],
        endings: &["js", "mjs"],
        head: JAVASCRIPT,
        body: Body::Braces,
    },
    Language {
        name: "TypeScript",
        places: &[Place::Unpacked("panel/panel")],
        endings: &["ts"],
        head: TYPESCRIPT,
        body: Body::Braces,
    },
    Language {
        name: "Go",
        places: &[Place::Unpacked("usr/share/gocode/src")],
        endings: &["go"],
        head: "^func ",
        body: Body::Braces,
    },
    Language {
        name: "Java",
        places: &[Place::Unpacked("usr/share/doc/openjdk-17-jre-headless/demo")],
        endings: &["java"],
        head: JAVA,
        body: Body::Braces,
    },
    Language {
        name: "C",
        places: &[Place::Crate("zstd-sys", "zstd/lib")],
        endings: &["c"],
        head: r"^[A-Za-z_][\w\s*]*\(",
        body: Body::Braces,
    },
    Language {
        name: "C++",
        places: &[Place::Unpacked("usr/include")],
        endings: &["h", "hpp", "cpp"],
        head: CPP,
        body: Body::Braces,
    },
    Language {
        name: "C#",
        places: &[Place::Unpacked("pythonnet")],
        endings: &["cs"],
        head: C_SHARP,
        body: Body::Braces,
    },
    Language {
        name: "Ruby",
        places: &[Place::Unpacked("usr/share/rubygems-integration")],
        endings: &["rb"],
        head: r"^\s*def ",
        body: Body::End,
    },
    Language {
        name: "PHP",
        places: &[Place::Unpacked("usr/share/php")],
        endings: &["php"],
        head: r"^\s*(?:(?:public|protected|private|static|final|abstract) )*function &?\w+ ?\(",
        body: Body::Braces,
    },
    Language {
        name: "Bash",
        places: &[Place::Unpacked("usr/lib/dracut"), Place::Unpacked("usr/share/bash-completion")],
        endings: &["sh", "bash"],
        head: r"^\s*(?:function [\w:.-]+\s*(?:\(\))?|[\w:.-]+\s*\(\))\s*\{?",
        body: Body::Braces,
    },
];
