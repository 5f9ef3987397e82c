//! Health and metrics of our programs, as anybody can read them.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The body of a page.
///
/// # Errors
/// Nobody listens, or the answer is another than 200.
pub async fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    // HTTP/1.0: the end of the connection is the end of the body.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
    ensure!(head.split_whitespace().nth(1) == Some("200"), "{path}: {body}");
    Ok(body.to_owned())
}

/// A counter or gauge without labels; 0 while it has never been touched.
///
/// # Errors
/// As [`get`].
pub async fn metric(port: u16, name: &str) -> Result<f64> {
    let metrics = get(port, "/metrics").await?;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(Ok(0.0), |value| value.parse().context("a number"))
}
