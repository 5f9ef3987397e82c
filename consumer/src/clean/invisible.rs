//! Characters that nobody sees: line ends in all their forms, control characters, zero-width characters.
//!
//! Some of these carry meaning: joiners spell words in Persian and the Indic scripts and hold emoji together, zero-width
//! spaces part words in Thai and Khmer, variation selectors choose the form of a name's character. Those stay.

/// `text` with `\n` for every kind of line end and without what is invisible and means nothing.
pub(super) fn remove(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut last = '\n';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let character = match character {
            '\r' if next == Some('\n') => continue,
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            other => other,
        };
        if stays(character, last, next) {
            kept.push(character);
            last = character;
        }
    }
    kept
}

fn stays(character: char, last: char, next: Option<char>) -> bool {
    match character {
        '\n' | '\t' => true,
        '\u{200c}' => joins(last),
        '\u{200d}' => joins(last) || (pictographic(last) && next.is_some_and(pictographic)),
        '\u{200b}' => unspaced(last) && next.is_some_and(unspaced),
        '\u{fe00}'..='\u{fe0f}' => {
            !selects(last) && (pictographic(last) || ideograph(last) || matches!(last, '0'..='9' | '#' | '*'))
        }
        '\u{e0100}'..='\u{e01ef}' => ideograph(last),
        // The flags of England, Scotland and Wales; anywhere else tags are hidden messages.
        '\u{e0020}'..='\u{e007f}' => matches!(last, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'),
        // Soft hyphen, directional marks, word joiner and its kin, byte order mark, annotations.
        '\u{ad}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e001f}' | '\u{fdd0}'..='\u{fdef}' => false,
        other => !other.is_control() && (other as u32) & 0xfffe != 0xfffe,
    }
}

/// Whether joiners mean something after this: scripts whose letters join or stack.
fn joins(character: char) -> bool {
    matches!(character,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{1a20}'..='\u{1cff}' | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
}

/// Scripts that write no spaces between words and may mark them with zero-width ones.
fn unspaced(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{1980}'..='\u{19df}')
}

fn ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn selects(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}')
}

/// Pictographs that stay what they are in compatibility form; enclosed letters become letters.
fn pictographic(character: char) -> bool {
    let enclosed = matches!(character, '\u{1f100}'..='\u{1f1e5}' | '\u{1f200}'..='\u{1f2ff}' | '\u{2329}' | '\u{232a}');
    selects(character) || (super::emoji::is_emoji(character) && !enclosed)
}
