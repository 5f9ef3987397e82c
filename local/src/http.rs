//! The little HTTP that is needed here: one request to a port of this machine, the status of the answer, and its text where that is of interest.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(5);
/// More than the metrics of any program, and the queues of any broker that we look at.
const LONGEST: u64 = 16 << 20;

/// One request without a body; the answer's status code.
pub(crate) async fn status(method: &str, address: &str, path: &str, basic_auth: Option<&str>) -> io::Result<u16> {
    let request = request(method, address, path, basic_auth);
    tokio::time::timeout(LIMIT, exchange(address, &request)).await?
}

/// A GET; the answer's status code and text, of which 16 MiB are read.
pub(crate) async fn get(address: &str, path: &str, basic_auth: Option<&str>) -> io::Result<(u16, String)> {
    // In HTTP/1.0 the end of the connection is the end of the text.
    let request = request("GET", address, path, basic_auth).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        parts(&answer).ok_or_else(no_http)
    };
    tokio::time::timeout(LIMIT, exchange).await?
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
    code(&head).ok_or_else(no_http)
}

fn no_http() -> io::Error {
    io::Error::other("the answer is not HTTP")
}

/// Status code and text of a whole answer.
fn parts(answer: &[u8]) -> Option<(u16, String)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((code(&answer[..end])?, String::from_utf8_lossy(&answer[end + 4..]).into_owned()))
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

    #[test]
    fn the_text_is_what_stands_behind_the_empty_line() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nrabbitmq: gone\r\n\r\n";
        assert_eq!(parts(answer), Some((503, "rabbitmq: gone\r\n\r\n".to_owned())));
        assert_eq!(parts(b"HTTP/1.1 200 OK\r\n\r\n"), Some((200, String::new())));
        assert_eq!(parts(b"HTTP/1.1 200 OK\r\n"), None, "it was cut off");
    }

    #[tokio::test]
    async fn a_get_reads_to_the_end_of_the_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answering = async {
            let mut asked = [0; 1024];
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nrelayed 1\n").await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        let (answer, asked) = tokio::join!(get(&address, "/metrics", Some("eA==")), answering);
        assert_eq!(answer.unwrap(), (200, "relayed 1\n".to_owned()));
        assert!(
            asked.starts_with("GET /metrics HTTP/1.0\r\n") && asked.contains("Authorization: Basic eA=="),
            "{asked}"
        );
    }
}
