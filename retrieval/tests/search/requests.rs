//! How many requests a search makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use retrieval::{Query, Searcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::index::{Document, TestIndex};

/// What HTTP/2 begins with, and what each of its frames begins with (RFC 9113, 3.4 and 4.1).
const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
/// A stream is opened by one such frame, and each request has a stream of its own.
const HEADERS: u8 = 1;

/// Stands before a server, and counts the requests that pass.
struct Counter {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Counter {
    async fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").expect("a plain URL").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.expect("the server");
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut frames = Frames { skip: PREFACE, head: Vec::new() };
                    let mut bytes = [0; 16 << 10];
                    while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                        counted.fetch_add(frames.opened(&bytes[..read]), Ordering::SeqCst);
                        to_server.write_all(&bytes[..read]).await.expect("the server takes it");
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// Requests of one search.
    async fn of(&self, searcher: &Searcher, query: &Query) -> usize {
        let before = self.requests.load(Ordering::SeqCst);
        assert!(!searcher.search(query).await.expect("an answer").is_empty());
        self.requests.load(Ordering::SeqCst) - before
    }
}

/// The frames of one connection, as its bytes come.
struct Frames {
    /// Bytes until the next frame.
    skip: usize,
    /// What has come of its head.
    head: Vec<u8>,
}

impl Frames {
    /// Streams that these bytes open.
    fn opened(&mut self, bytes: &[u8]) -> usize {
        let mut opened = 0;
        for byte in bytes {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.head.push(*byte);
            if self.head.len() == FRAME_HEAD {
                self.skip =
                    usize::from(self.head[0]) << 16 | usize::from(self.head[1]) << 8 | usize::from(self.head[2]);
                opened += usize::from(self.head[3] == HEADERS);
                self.head.clear();
            }
        }
        opened
    }
}

#[tokio::test]
async fn a_search_takes_one_request_for_hits_and_one_for_manifests() {
    let index = TestIndex::new().await;
    for number in 0..40 {
        index.write(&Document::article(&number.to_string()).by("ann"), &["a text about tea", "another on cups"]).await;
    }
    let counter = Counter::before(&index.url).await;
    let searcher = index.another_searcher(&counter.url);
    let tea = Query::new("tea");
    // The first one asks what the index was made for as well.
    assert_eq!(counter.of(&searcher, &tea).await, 4);
    // The names of the two collections, both lists, the manifests.
    assert_eq!(counter.of(&searcher, &tea).await, 3);
    // And who is meant.
    assert_eq!(counter.of(&searcher, &Query { author: Some("ann".into()), ..tea.clone() }).await, 4);
    // A document of which only a chunk was found that is past: asked again, and its manifest read again.
    let moved = Document::article("moved");
    index.put(&moved, &["tea, and tea again"]).await;
    index.write(&moved.changed(), &["The committee has published its report on road maintenance"]).await;
    assert_eq!(counter.of(&searcher, &Query { limit: 5, ..tea }).await, 5);
}
