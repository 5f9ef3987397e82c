//! A link between two programs that can be slowed down, cut and made to swallow all.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Carries everything at once.
    Fair,
    /// Carries every piece this much later.
    Slow(Duration),
    /// Ends every connection, and refuses new ones.
    Reset,
    /// Keeps connections open and carries nothing; ends them when the weather changes.
    Blackhole,
}

/// Listens on a port of 127.0.0.1 and carries to another.
pub(crate) struct Link {
    port: u16,
    weather: Arc<watch::Sender<Weather>>,
    accepting: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Link {
    /// A link to this port, in fair weather.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let own = listener.local_addr()?.port();
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let accepting = tokio::spawn(accept(listener, port, Arc::clone(&weather)));
        Ok(Self { port: own, weather, accepting })
    }

    /// Where to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather.
    pub(crate) fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn accept(listener: TcpListener, port: u16, weather: Arc<watch::Sender<Weather>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        if *weather.borrow() != Weather::Reset {
            connections.spawn(carry(client, port, weather.subscribe()));
        }
    }
}

async fn carry(client: TcpStream, port: u16, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // As soon as one way ends, so does the other.
    tokio::select! {
        () = carry_one_way(from_client, to_server, weather.clone()) => {}
        () = carry_one_way(from_server, to_client, weather) => {}
    }
}

async fn carry_one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = ended(&mut weather) => return,
        };
        let (Ok(length @ 1..), now) = (read, *weather.borrow()) else { return };
        match now {
            Weather::Fair => {}
            Weather::Slow(delay) => tokio::time::sleep(delay).await,
            Weather::Reset => return,
            // What was swallowed is lost, so this connection cannot go on: it ends with the weather.
            Weather::Blackhole => {
                while weather.changed().await.is_ok() && *weather.borrow() == Weather::Blackhole {}
                return;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn ended(weather: &mut watch::Receiver<Weather>) {
    if weather.wait_for(|now| *now == Weather::Reset).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        port
    }

    async fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_u8(7).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_link_carries_swallows_and_resets() {
        let link = Link::to(echo().await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, link.port()));
        let mut stream = connect().await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), 7);

        link.turn(Weather::Blackhole);
        let (asked, ()) = tokio::join!(ask(&mut stream), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            link.turn(Weather::Fair);
        });
        asked.expect_err("what was swallowed is not carried later");
        let mut stream = connect().await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), 7);

        link.turn(Weather::Reset);
        ask(&mut stream).await.expect_err("reset");
        let refused = async { ask(&mut connect().await?).await };
        refused.await.expect_err("refused");
    }
}
