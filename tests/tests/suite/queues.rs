//! What the queues promise, whatever a consumer does to them.

use anyhow::ensure;
use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use shared::topology::{self, DEAD_LETTERS, partition_queue};
use tests::{eventually, rabbitmq};
use uuid::Uuid;

/// More than the limit that RabbitMQ 4 has where none is set, and than any crash loop that a person sleeps through.
const LOOKS: usize = 40;

async fn put(channel: &Channel, queue: &str, body: &str) {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());
}

/// Takes the queue's first message and puts it back, again and again: it stays the first.
async fn look(channel: &Channel, queue: &str) {
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut deliveries = channel.basic_consume(queue.into(), "looks".into(), options, arguments).await.unwrap();
    for _ in 0..LOOKS {
        let delivery = deliveries.next().await.unwrap().unwrap();
        assert_eq!(delivery.data, b"first");
        let options = BasicNackOptions { requeue: true, ..Default::default() };
        channel.basic_nack(delivery.delivery_tag, options).await.unwrap();
    }
}

/// 8. Neither the neighbours of a message that keeps ending its consumer, nor a letter that is looked at, goes anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_back_again_and_again_stays_where_it_is() {
    let uri = rabbitmq().await.create_vhost(&format!("test-{}", Uuid::new_v4().simple())).await.unwrap();
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    topology::declare(&channel, 1).await.unwrap();
    for queue in [partition_queue(0).as_str(), DEAD_LETTERS] {
        for body in ["first", "second"] {
            put(&channel, queue, body).await;
        }
    }
    for queue in [partition_queue(0).as_str(), DEAD_LETTERS] {
        let channel = connection.create_channel().await.unwrap();
        look(&channel, queue).await;
        channel.close(200, "looked".into()).await.unwrap();
    }
    // What was held a moment ago is counted again a moment later.
    eventually("no neighbour has become a letter, and none is lost", || async {
        let asked = QueueDeclareOptions { passive: true, ..Default::default() };
        let letters = channel.queue_declare(DEAD_LETTERS.into(), asked, FieldTable::default()).await?;
        ensure!(letters.message_count() == 2, "{} letters", letters.message_count());
        Ok::<_, anyhow::Error>(())
    })
    .await;
    connection.close(200, "done".into()).await.unwrap();
}
