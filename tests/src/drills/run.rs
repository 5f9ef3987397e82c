//! Runs drills.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::verdict::table;
use super::{DRILLS, Drill, Order, Verdict};

/// The drills of these names, separated by commas; `all` is every one.
///
/// # Errors
/// There is none of a name.
pub fn named(names: &str) -> Result<Vec<&'static Drill>> {
    let mut chosen = Vec::new();
    for name in names.split(',').map(str::trim) {
        match DRILLS.iter().find(|drill| drill.name == name) {
            Some(drill) => chosen.push(drill),
            None if name == "all" => chosen.extend(DRILLS),
            None => {
                let known: Vec<&str> = DRILLS.iter().map(|drill| drill.name).collect();
                bail!("there is no drill `{name}` (known: all, {})", known.join(", "));
            }
        }
    }
    Ok(chosen)
}

/// Runs one. What it could not judge is a broken promise.
pub async fn drill(drill: &Drill, order: &Order) -> Verdict {
    let begun = Instant::now();
    let mut verdict = Verdict::new(drill.name, order.seed, order.scale);
    if let Err(error) = (drill.run)(order, &mut verdict).await {
        verdict.judge("the drill comes to its end", "it did not", vec![format!("{error:#}")]);
    }
    verdict.lasted = begun.elapsed();
    verdict
}

/// Runs several, one after the other, and writes their reports. Whether all held.
///
/// # Errors
/// A report cannot be written.
pub async fn run(drills: &[&Drill], order: &Order, reports: &Path) -> Result<bool> {
    let mut verdicts = Vec::new();
    for chosen in drills {
        eprintln!("{}: {}", chosen.name, chosen.about);
        let verdict = drill(chosen, order).await;
        let file = reports.join(format!("drill-{}.md", chosen.name));
        std::fs::write(&file, verdict.markdown()).with_context(|| file.display().to_string())?;
        println!("{}", verdict.lines());
        if !verdict.held() {
            eprintln!(
                "{}\nto repeat it: make chaos DRILL={} SEED={} SCALE={}",
                verdict.markdown(),
                chosen.name,
                order.seed,
                order.scale
            );
        }
        verdicts.push(verdict);
        std::fs::write(reports.join("drills.md"), table(&verdicts))?;
    }
    let held = verdicts.iter().filter(|verdict| verdict.held()).count();
    println!("{held} of {} drills held; reports in {}", verdicts.len(), reports.display());
    Ok(held == verdicts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drills_are_chosen_by_name_and_each_name_is_one() {
        let names = |chosen: Vec<&Drill>| chosen.iter().map(|drill| drill.name).collect::<Vec<_>>();
        assert_eq!(names(named("producer-kills").unwrap()), ["producer-kills"]);
        let mut all = names(named("all").unwrap());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), DRILLS.len());
        assert!(named("none").err().unwrap().to_string().contains("producer-kills"));
    }
}
