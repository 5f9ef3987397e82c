//! What the program says over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// An address where nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// What `/readyz` says, with its status line; nothing while nobody listens.
pub(crate) fn readyz(address: SocketAddr) -> String {
    get(address, "/readyz")
}

/// What is said to a GET, with its status line; nothing while nobody listens.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut said);
    }
    said
}
