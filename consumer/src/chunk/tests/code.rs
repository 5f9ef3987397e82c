//! Code by its syntax.

use std::time::Duration;

use super::syntax::processor_time;
use super::*;

fn code(path: &str, text: &str) -> CleanedDocument {
    document(Some("twin"), Some(path), Format::Code, text)
}

fn cut(path: &str, text: &str, limit: usize) -> Vec<Chunk> {
    let (document, tokens) = (code(path, text), tokens(limit));
    let chunks = chunk(&document, &tokens).unwrap();
    check(&document, &chunks, &tokens);
    chunks
}

fn symbols(path: &str, text: &str) -> Vec<String> {
    cut(path, text, 240).into_iter().map(|chunk| chunk.symbol.unwrap_or_default()).collect()
}

/// In every language two functions, of which one is in a type.
const SAMPLES: [(&str, &str, [&str; 2]); 15] = [
    (
        "a.rs",
        "// It says where the nearest harbour is.\n#[inline]\npub fn nearest_harbour(ship: &Ship) -> usize {\n    ship.distances().least()\n}\n\nimpl<T: Clone> fmt::Display for Fleet<T> {\n    /// Writes it.\n    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {\n        write!(f, \"{}\", self.vessels.count())\n    }\n}\n",
        ["nearest_harbour", "Fleet::fmt"],
    ),
    (
        "pkg/a.py",
        "@functools.cache\ndef nearest_harbour(ship):\n    \"\"\"It says where.\"\"\"\n    return min(ship.distances_to_harbours())\n\n\nclass Fleet(Base):\n    async def vessels_in_harbour(self):\n        return [vessel for vessel in self.all if vessel.moored]\n",
        ["nearest_harbour", "Fleet.vessels_in_harbour"],
    ),
    (
        "a.js",
        "// It says where the nearest harbour is.\nexport const nearestHarbour = (ship) => {\n  return Math.min(...ship.distancesToHarbours());\n};\n\nclass Fleet extends Base {\n  vesselsInHarbour() {\n    return this.all.filter((vessel) => vessel.moored);\n  }\n}\n",
        ["nearestHarbour", "Fleet.vesselsInHarbour"],
    ),
    (
        "a.ts",
        "export function nearestHarbour(ship: Ship): number {\n  return Math.min(...ship.distancesToHarbours());\n}\n\nexport abstract class Fleet<T> {\n  private vesselsInHarbour(): Vessel[] {\n    return this.all.filter((vessel) => vessel.moored);\n  }\n}\n",
        ["nearestHarbour", "Fleet.vesselsInHarbour"],
    ),
    (
        "a.tsx",
        "export default function NearestHarbour({ ship }: Props) {\n  return <b>{Math.min(...ship.distances())}</b>;\n}\n\nclass Fleet {\n  onMoor = (vessel: Vessel) => {\n    this.moored.push(vessel); this.recountAllOfThem();\n  };\n}\n",
        ["NearestHarbour", "Fleet.onMoor"],
    ),
    (
        "a.go",
        "package fleet\n\n// NearestHarbour says where it is.\nfunc NearestHarbour(ship *Ship) int {\n\treturn least(ship.DistancesToHarbours())\n}\n\nfunc (f *Fleet[T]) VesselsInHarbour() []Vessel {\n\treturn filter(f.all, func(v Vessel) bool { return v.Moored })\n}\n",
        ["NearestHarbour", "Fleet.VesselsInHarbour"],
    ),
    (
        "A.java",
        "package fleet;\n\npublic class Fleet {\n    /** It makes one out of all the vessels that it is given, which must not be none at all. */\n    public Fleet(List<Vessel> vessels) {\n        this.vessels = List.copyOf(Objects.requireNonNull(vessels));\n    }\n\n    @Override\n    public int vesselsInHarbour() {\n        return (int) vessels.stream().filter(Vessel::isMoored).count();\n    }\n}\n",
        ["Fleet.Fleet", "Fleet.vesselsInHarbour"],
    ),
    (
        "a.c",
        "/* It says where. */\nstatic unsigned long *nearest_harbour(struct ship *ship)\n{\n    return least(ship->distances_to_harbours);\n}\n\nstruct fleet {\n    struct vessel *vessels_that_are_in_the_harbour;\n    unsigned long number_of_them, capacity_of_it;\n};\n",
        ["nearest_harbour", "fleet"],
    ),
    (
        "a.hpp",
        "template <typename T>\nT nearest_harbour(const Ship<T>& ship) {\n    return *std::min_element(ship.begin(), ship.end());\n}\n\nnamespace fleet {\nint& Fleet::vessels_in_harbour() {\n    return moored_vessels_by_harbour[this->harbour];\n}\n}\n",
        ["nearest_harbour", "fleet::Fleet::vessels_in_harbour"],
    ),
    (
        "A.cs",
        "namespace Fleets;\n\npublic class Fleet : Base\n{\n    /// <summary>It makes one out of all the vessels that it is given, which must not be none at all.</summary>\n    public Fleet(IList<Vessel> vessels)\n    {\n        this.vessels = vessels ?? throw new ArgumentNullException();\n    }\n\n    [Pure]\n    public int VesselsInHarbour()\n    {\n        return vessels.Where(vessel => vessel.Moored).Count();\n    }\n}\n",
        ["Fleet.Fleet", "Fleet.VesselsInHarbour"],
    ),
    (
        "a.rb",
        "# It says where the nearest harbour is.\ndef nearest_harbour(ship)\n  ship.distances_to_harbours.min\nend\n\nmodule Fleets\n  class Fleet < Base\n    def self.vessels_in_harbour(all)\n      all.select { |vessel| vessel.moored? }.count\n    end\n  end\nend\n",
        ["nearest_harbour", "Fleets::Fleet::vessels_in_harbour"],
    ),
    (
        "a.php",
        "<?php\nfunction nearestHarbour(Ship $ship): int {\n    return min($ship->distancesToHarbours());\n}\n\nclass Fleet {\n    #[Pure]\n    public function vesselsInHarbour(): array {\n        return array_filter($this->all, fn($v) => $v->moored);\n    }\n}\n",
        ["nearestHarbour", "Fleet::vesselsInHarbour"],
    ),
    (
        "bin/a.sh",
        "#!/bin/sh\n# It says where the nearest harbour is.\nnearest_harbour() {\n    sort --numeric-sort distances_to_harbours | head\n}\n\nfunction vessels_in_harbour {\n    grep --count moored vessels_of_the_whole_fleet\n}\n",
        ["nearest_harbour", "vessels_in_harbour"],
    ),
    (
        "Rakefile",
        "def nearest_harbour(ship)\n  ship.distances_to_harbours.sort_by(&:length).first\nend\n\nclass Fleet\n  def vessels_in_harbour\n    all.select { |vessel| vessel.moored? }.count\n  end\nend\n",
        ["nearest_harbour", "Fleet::vessels_in_harbour"],
    ),
    (
        "lib/x.mjs",
        "module.exports.nearestHarbour = function (ship) {\n  return Math.min(...ship.distancesToHarbours());\n};\n\nconst fleet = {\n  vesselsInHarbour: async () => {\n    return all.filter((vessel) => vessel.moored).length;\n  },\n};\n",
        ["module.exports.nearestHarbour", "vesselsInHarbour"],
    ),
];

#[test]
fn functions_are_found_in_every_language() {
    for (path, text, expected) in SAMPLES {
        let symbols = symbols(path, text);
        assert!(expected.iter().all(|name| symbols.iter().any(|found| found.ends_with(name))), "{path}: {symbols:?}");
    }
}

#[test]
fn a_function_is_one_chunk_with_its_comment_and_under_its_name() {
    for (path, text, [name, _]) in SAMPLES {
        let chunks = cut(path, text, 240);
        let of = chunks.iter().find(|chunk| chunk.symbol.as_deref().is_some_and(|symbol| symbol.ends_with(name)));
        let chunk = of.unwrap_or_else(|| panic!("{path}: {chunks:?}"));
        let over = chunk.embedded_text.split("\n\n").next().unwrap();
        assert_eq!(over, format!("twin\n{path}\n{}", chunk.symbol.as_deref().unwrap()));
    }
    let chunks = cut("a.rs", SAMPLES[0].1, 240);
    assert!(chunks[0].text.starts_with("// It says") && chunks[0].text.ends_with('}'), "{chunks:?}");
}

#[test]
fn a_function_that_is_too_long_is_cut_and_each_part_is_under_its_name() {
    let body = "    let harbour = nearest(ship);\n    harbour.moor(ship);\n\n".repeat(20);
    let text = format!(
        "use fleet::Harbour;\n\nimpl Fleet {{\n    fn moor_all(&self) {{\n{body}    }}\n}}\n\nfn last() {{ let the_last_of_all_functions = it_is_this_one_here(); }}\n"
    );
    let chunks = cut("a.rs", &text, 150);
    let parts = chunks.iter().filter(|chunk| chunk.symbol.as_deref() == Some("Fleet::moor_all")).count();
    assert!(parts > 3 && chunks.iter().any(|chunk| chunk.symbol.as_deref() == Some("last")), "{chunks:?}");
    assert!(chunks.iter().all(|chunk| chunk.text.chars().any(char::is_alphabetic)), "no brace by itself: {chunks:?}");
}

#[test]
fn what_fits_stays_whole_in_the_sources_of_this_program() {
    let tokens = tokens_of_the_model();
    let (mut whole, mut all) = (0, 0);
    for (path, text) in sources() {
        let document = code(&path, &text);
        let chunks = chunk(&document, &tokens).unwrap();
        check(&document, &chunks, &tokens);
        for function in functions(&text).filter(|function| tokens.count(function).unwrap() <= tokens.limit()) {
            all += 1;
            whole += usize::from(chunks.iter().any(|chunk| chunk.text.contains(function)));
        }
    }
    assert!(all > 300 && whole * 100 >= all * 95, "{whole} of {all}");
}

#[test]
fn an_edited_line_changes_few_chunks_of_code() {
    let tokens = tokens_of_the_model();
    let mut changes = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        let before = chunk(&code(&path, &text), &tokens).unwrap();
        for at in (5..lines.len()).step_by(17).filter(|at| lines[*at].ends_with(';')) {
            let mut edited = lines.clone();
            let longer = format!("{} let one_more_statement = of_some_length(here);", lines[at]);
            edited[at] = &longer;
            let after = chunk(&code(&path, &edited.join("\n")), &tokens).unwrap();
            changes.push(after.iter().filter(|chunk| !before.contains(chunk)).count());
        }
    }
    changes.sort_unstable();
    assert!(changes[changes.len() / 2] <= 2, "{changes:?}");
}

#[test]
fn whatever_is_in_a_file_it_takes_bounded_time() {
    let many = |text: &str| text.repeat(20_000 / text.len());
    let texts = [
        many("("),
        many("{"),
        many("[{("),
        many("a("),
        many("\""),
        many("<<EOF\n"),
        many("if x:\n "),
        many("fn a() {"),
        many("class A { "),
        many("x = "),
        many("-- ++ "),
        many("<a"),
        many("? : "),
        many("`${"),
        many("#if A\n"),
        many("語 "),
        many("\u{1}\u{7f}"),
        (0..1_500).map(|at| format!("<a{at}")).collect(),
        (0..1_500).map(|at| format!("&+{}", if at % 7 == at % 5 { "!" } else { "" })).collect(),
        (0..1_500).map(|at| format!("{{[({at}")).collect(),
        (0..200).map(|depth| format!("{}if x:\n", " ".repeat(depth % 400))).collect(),
        (0..4_000).map(|at| format!("{} ", at % 97)).collect(),
    ];
    for (path, ..) in SAMPLES {
        for text in &texts {
            let start = processor_time();
            let document = code(path, text);
            let chunks = chunk(&document, &tokens(254)).unwrap();
            check(&document, &chunks, &tokens(254));
            let taken = processor_time() - start;
            assert!(taken < Duration::from_secs(10), "{path}: {taken:?} of {text:.20}");
        }
    }
}

/// The crate's own sources.
fn sources() -> Vec<(String, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

/// Functions as they stand in formatted code: from `fn` to the brace under its line's beginning.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("fn ").map(|(at, _)| text[..at].rfind('\n').map_or(0, |end| end + 1));
    let ended = |start: usize| {
        let line = text[start..].lines().next()?;
        let indentation = &line[..line.len() - line.trim_start().len()];
        let begins = ["fn ", "pub", "async fn "].iter().any(|word| line.trim_start().starts_with(word));
        let end = text[start..].find(&format!("\n{indentation}}}\n")).filter(|_| begins && line.ends_with('{'))?;
        Some(&text[start..start + end + indentation.len() + 2])
    };
    starts.filter_map(ended)
}
