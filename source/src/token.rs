//! What a resume token tells.

use bson::{RawDocument, Timestamp};

/// The clusterTime with which a resume token begins, as MongoDB's KeyString has it: `82`, then eight hexadecimal digits
/// of seconds and eight of the increment. None for a token of another make.
pub fn time_of(token: &RawDocument) -> Option<Timestamp> {
    let digits = token.get_str("_data").ok()?.strip_prefix("82")?;
    let number = |from: usize| u32::from_str_radix(digits.get(from..from + 8)?, 16).ok();
    Some(Timestamp { time: number(0)?, increment: number(8)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    #[test]
    fn a_token_begins_with_its_time() {
        let time = |data: &str| time_of(&rawdoc! {"_data": data});
        let expected = Timestamp { time: 0x6A72_C0D7, increment: 1 };
        assert_eq!(time("826A72C0D7000000012B0229296E04"), Some(expected));
        assert_eq!((time("82FFFF"), time("xyz"), time("")), (None, None, None));
    }
}
