//! Bodies of messages, from bytes: none ends the consumer, and what is decoded is encoded again as it was.
//! The first byte says which `content_encoding` the message bears.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::body::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let encoding = match kind % 4 {
        0 | 1 => None,
        2 => Some("zstd"),
        _ => Some("gzip"),
    };
    let Ok(event) = decode(body, encoding) else { return };
    let body = encode(&event).expect("what was decoded can be encoded");
    let again = decode(&body.bytes, body.encoding).expect("what was encoded can be decoded");
    assert_eq!(event, again);
});
