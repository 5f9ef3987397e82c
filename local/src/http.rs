//! The little HTTP that is needed here: one request to a port of this machine, the status of the answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request without a body; the answer's status code.
pub(crate) async fn status(method: &str, address: &str, path: &str, basic_auth: Option<&str>) -> io::Result<u16> {
    let request = request(method, address, path, basic_auth);
    tokio::time::timeout(Duration::from_secs(5), exchange(address, &request)).await?
}

fn request(method: &str, address: &str, path: &str, basic_auth: Option<&str>) -> String {
    let authorization = basic_auth.map(|encoded| format!("Authorization: Basic {encoded}\r\n")).unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

async fn exchange(address: &str, request: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n") && head.len() < 1024 {
        head.push(stream.read_u8().await?);
    }
    code(&head).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn code(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?;
    line.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_from_the_first_line() {
        assert_eq!(code(b"HTTP/1.1 201 Created\r\n"), Some(201));
        assert_eq!(code(b"HTTP/1.0 503\r\n"), Some(503));
        assert_eq!(code(b"SSH-2.0-whatever\r\n"), None);
    }
}
