//! Bodies of messages, from bytes: none ends the consumer, and what is decoded is encoded again as it was.
//! The first byte says how the message is encoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::body::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let decoded = match kind % 4 {
        0 | 1 => decode(body, None),
        2 => decode(body, Some("zstd")),
        _ => {
            let compressed = zstd::bulk::compress(body, 1).expect("anything can be compressed");
            let (decoded, plain) = (decode(&compressed, Some("zstd")), decode(body, None));
            assert_eq!(decoded.is_ok(), plain.is_ok(), "compression changes nothing");
            decoded
        }
    };
    let Ok(event) = decoded else { return };
    let body = encode(&event).expect("what was decoded can be encoded");
    let again = decode(&body.bytes, body.encoding).expect("what was encoded can be decoded");
    assert_eq!(event, again);
});
