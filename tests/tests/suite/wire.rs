//! What no client publishes and the broker passes on as it is.

use anyhow::ensure;
use bson::{Document, doc};
use lapin::options::QueuePurgeOptions;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use shared::topology::{EXCHANGE, partition_queue};
use tests::{World, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// AMQP 0-9-1 byte by byte (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2).
struct Wire(TcpStream);

impl Wire {
    async fn open(uri: &str) -> Self {
        let AMQPUri { authority, vhost, .. } = uri.parse().unwrap();
        let mut wire = Self(TcpStream::connect((authority.host.as_str(), authority.port)).await.unwrap());
        wire.0.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        wire.answer().await;
        let secret = format!("\0{}\0{}", authority.userinfo.username, authority.userinfo.password);
        let start_ok = [&long(b"")[..], &short(b"PLAIN"), &long(secret.as_bytes()), &short(b"en_US")].concat();
        wire.method(0, [10, 11], &start_ok).await;
        let tune = wire.answer().await;
        // No heartbeats.
        wire.method(0, [10, 31], &[&tune[4..10], &[0, 0]].concat()).await;
        wire.method(0, [10, 40], &[&short(vhost.as_bytes())[..], &short(b""), &[0]].concat()).await;
        wire.answer().await;
        wire.method(1, [20, 10], &short(b"")).await;
        wire.answer().await;
        wire.method(1, [85, 10], &[0]).await; // confirm.select
        wire.answer().await;
        wire
    }

    /// Publishes a body under these properties, and waits for the confirm.
    async fn publish(&mut self, routing_key: &str, flags: u16, properties: &[u8], body: &[u8]) {
        let target = [&[0, 0][..], &short(EXCHANGE.as_bytes()), &short(routing_key.as_bytes()), &[0]].concat();
        self.method(1, [60, 40], &target).await;
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, &flags.to_be_bytes(), properties].concat();
        self.frame(2, 1, &header).await;
        self.frame(3, 1, body).await;
        assert_eq!(self.answer().await[..4], [0, 60, 0, 80], "basic.ack");
    }

    async fn method(&mut self, channel: u16, [class, method]: [u8; 2], arguments: &[u8]) {
        self.frame(1, channel, &[&[0, class, 0, method][..], arguments].concat()).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let head = [&[kind][..], &channel.to_be_bytes(), &(payload.len() as u32).to_be_bytes()].concat();
        self.0.write_all(&[&head[..], payload, &[0xce]].concat()).await.unwrap();
    }

    /// The payload of the next frame.
    async fn answer(&mut self) -> Vec<u8> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes(head[3..].try_into().unwrap()) as usize + 1];
        self.0.read_exact(&mut payload).await.unwrap();
        payload
    }
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// The client shows nothing of such a message. What holds up the queue is said, and without it all goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_client_cannot_read_is_said_and_without_it_all_goes_on() {
    let mut world = World::started().await;
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! { "_id": "before", "content": "a numbat" }).await.unwrap();
    world.until_found("numbat", "before", "numbat").await;
    let mut wire = Wire::open(&world.rabbitmq_uri).await;
    let header = [&short(b"caf\xe9")[..], b"V"].concat();
    wire.publish("0", 0x2000, &long(&header), b"hello").await;
    eventually("it is said", || async {
        let log = std::fs::read_to_string(world.consumer.log())?;
        ensure!(log.contains("taken out of its queue by hand"), "{log}");
        Ok(())
    })
    .await;
    // By hand. It may be with a consumer just now, out of reach of a purge, so again and again.
    let connection = Connection::connect(&world.rabbitmq_uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    eventually("it is taken out", || async {
        let purged = channel.queue_purge(partition_queue(0).into(), QueuePurgeOptions::default()).await?;
        ensure!(purged == 1, "nothing to purge");
        Ok::<_, anyhow::Error>(())
    })
    .await;
    posts.insert_one(doc! { "_id": "after", "content": "a bandicoot" }).await.unwrap();
    world.until_found("bandicoot", "after", "bandicoot").await;
    world.stop().await;
}
