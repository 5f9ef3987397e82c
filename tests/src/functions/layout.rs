//! Functions as they stand in formatted code: from a first line that looks like one to the line that closes it under its beginning.

use regex::Regex;

/// Lines between a function's first one and the brace.
const LONGEST_HEAD: usize = 12;
/// First words of lines that look like heads of functions in the languages of C.
const NO_FUNCTIONS: [&str; 14] = [
    "case", "catch", "do", "else", "for", "if", "new", "return", "switch", "throw", "typedef", "using", "while", "with",
];

/// What a function ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// A brace under its beginning.
    Braces,
    /// The word under its beginning.
    End,
    /// What is indented no more than it.
    Indented,
}

/// A line and where it begins.
type Line<'a> = (usize, &'a str);

/// The functions of a text, each from its first line to its last; one may be in another.
pub(super) fn functions<'a>(text: &'a str, head: &Regex, body: Body) -> Vec<&'a str> {
    let mut at = 0;
    let lines: Vec<Line<'a>> = text
        .split('\n')
        .map(|line| {
            let start = at;
            at += line.len() + 1;
            (start, line)
        })
        .collect();
    let ended = |first: usize| {
        let (start, line) = lines[first];
        if !head.is_match(line) || !is_head(line) {
            return None;
        }
        let last = match body {
            Body::Braces => closed(&lines[first..]),
            Body::End => ended_by_word(&lines[first..]),
            Body::Indented => indented(&lines[first..]),
        };
        let (end, last) = lines[first + last?];
        Some(text[start..end + last.len()].trim())
    };
    (0..lines.len()).filter_map(ended).collect()
}

fn is_head(line: &str) -> bool {
    let line = line.trim_start();
    let word = line.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    !NO_FUNCTIONS.contains(&word) && !line.starts_with("function (") && !line.starts_with("function(")
}

fn closed(lines: &[Line<'_>]) -> Option<usize> {
    let indent = indentation(lines[0].1);
    let ends_head = |line: &str| line.is_empty() || line.ends_with(['{', '}', ';']);
    let head = lines.iter().take(LONGEST_HEAD).position(|(_, line)| ends_head(line.trim_end()))?;
    let opens = lines[head].1.trim_end();
    if head == 0 && opens.ends_with('}') && opens.contains('{') {
        return Some(0);
    }
    let rest = lines.iter().enumerate().skip(head + 1);
    let (last, (_, line)) =
        rest.into_iter().find(|(_, (_, line))| line.starts_with(&format!("{indent}}}")) || leaves(line, indent))?;
    (opens.ends_with('{') && !leaves(line, indent)).then_some(last)
}

fn ended_by_word(lines: &[Line<'_>]) -> Option<usize> {
    let (indent, first) = (indentation(lines[0].1), lines[0].1.trim_end());
    if first.ends_with(" end") || first.contains(") = ") {
        return Some(0);
    }
    let end = format!("{indent}end");
    let is_end = |line: &str| line == end || line.starts_with(&format!("{end} "));
    let (last, (_, line)) =
        lines.iter().enumerate().skip(1).find(|(_, (_, line))| is_end(line) || leaves(line, indent))?;
    is_end(line).then_some(last)
}

fn indented(lines: &[Line<'_>]) -> Option<usize> {
    let indent = indentation(lines[0].1);
    let ends_head = |line: &str| line.split('#').next().unwrap_or_default().trim_end().ends_with(':');
    let head = lines.iter().take(3 * LONGEST_HEAD).position(|(_, line)| ends_head(line))?;
    let deeper = |line: &str| line.trim().is_empty() || indentation(line).len() > indent.len();
    let body = lines[head + 1..].iter().take_while(|(_, line)| deeper(line)).count();
    (body > 0).then_some(head + body)
}

/// Whether a line is outside of what is indented like this.
fn leaves(line: &str, indent: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with(indent) && !line.starts_with('#')
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

#[cfg(test)]
mod tests {
    use super::super::language::LANGUAGES;
    use super::*;

    fn found<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
        let language = LANGUAGES.iter().find(|language| language.name == name).unwrap();
        functions(text, &Regex::new(language.head).unwrap(), language.body)
    }

    #[test]
    fn a_function_ends_under_its_beginning() {
        let text = "impl A {\n    pub(crate) async fn moor(\n        &self,\n    ) -> usize {\n        if x {\n        }\n    }\n\n    fn b() {}\n}\n";
        let moor = "pub(crate) async fn moor(\n        &self,\n    ) -> usize {\n        if x {\n        }\n    }";
        assert_eq!(found("Rust", text), [moor, "fn b() {}"]);
        let c = "int a(int b);\n\nstatic int\na(int b)\n{\n#if X\n    if (b) {\n    }\n#endif\n}\n";
        assert_eq!(found("C", c), ["a(int b)\n{\n#if X\n    if (b) {\n    }\n#endif\n}"]);
        assert_eq!(
            found("Ruby", "class A\n  def b\n    if c\n    end\n  end\nend\n"),
            ["def b\n    if c\n    end\n  end"]
        );
        let python = "class A:\n    def b(\n        self,\n    ):\n        pass\n\n    x = 1\n";
        assert_eq!(found("Python", python), ["def b(\n        self,\n    ):\n        pass"]);
    }

    #[test]
    fn what_only_looks_like_a_function_is_none() {
        assert!(found("C++", "  if (a(b)) {\n  }\n  return a(b);\n  else if (c (d)) {\n  }\n").is_empty());
        assert!(found("JavaScript", "  while (a) {\n  }\n  function (a) {\n  }\n").is_empty());
        assert!(found("Java", "    public abstract int a(int b);\n\n    int c = 1;\n    {\n    }\n").is_empty());
    }
}
