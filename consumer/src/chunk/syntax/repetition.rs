//! Texts that repeat themselves as no source does: `<a<a<a…`. Some grammars need time and memory with the square of such
//! a stretch, partly in a single step, so that it has to be seen before.

/// Furthest apart that two repetitions begin.
const PERIOD: usize = 64;
/// Bytes of a stretch that is taken for one of these.
const STRETCH: usize = 2_048;
/// Repeated bytes that one that is new takes back.
const NEW: usize = 8;
/// Bytes that are compared at once.
const GRAM: usize = 8;
const SLOTS: usize = 1 << 14;

/// Whether a stretch of `text` repeats itself.
pub(super) fn repeats_itself(text: &str) -> bool {
    let mut last = vec![0_u32; SLOTS];
    let mut repeated = 0_usize;
    for (at, gram) in text.as_bytes().windows(GRAM).enumerate() {
        let slot = &mut last[slot_of(gram)];
        let before = std::mem::replace(slot, at as u32) as usize;
        let again = before < at && at - before <= PERIOD && &text.as_bytes()[before..before + GRAM] == gram;
        repeated = if again { repeated + 1 } else { repeated.saturating_sub(NEW) };
        if repeated >= STRETCH {
            return true;
        }
    }
    false
}

/// By Fibonacci hashing (Knuth, *The Art of Computer Programming* 6.4).
fn slot_of(gram: &[u8]) -> usize {
    let number = gram.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_is_seen_and_sources_do_not() {
        for pattern in ["a", "<a", "-- ++ ", "fn a() {", "語", "a short line that comes again\n"] {
            assert!(repeats_itself(&format!("fn main() {{}}\n{}", pattern.repeat(3_000))), "{pattern}");
            assert!(!repeats_itself(&pattern.repeat(2)), "{pattern}");
        }
        for source in [include_str!("kind.rs"), include_str!("../tests/code.rs"), include_str!("../boundary.rs")] {
            assert!(!repeats_itself(source));
        }
    }
}
