//! The health port at the end of a service: nobody who asks keeps it from ending, and it answers until then.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bson::{Document, doc};
use local::Program;
use tests::{TestQdrant, World, binary, embedding_environment, eventually, http};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const GRACE: Duration = Duration::from_secs(20);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service that waits for servers that are not there.
async fn lonely(name: &str, port: u16) -> Program {
    let mut environment = vec![
        ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true".to_owned()),
        ("RABBITMQ_URI", "amqp://127.0.0.1:1".to_owned()),
        ("QDRANT_URL", "http://127.0.0.1:1".to_owned()),
        ("PRODUCER_HTTP_LISTEN", format!("127.0.0.1:{port}")),
        ("CONSUMER_HTTP_LISTEN", format!("127.0.0.1:{port}")),
    ];
    environment.extend(embedding_environment().await);
    Program::new(&binary(name), &["run"], environment).unwrap()
}

async fn alive(port: u16) -> Result<()> {
    http::get(port, "/livez").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_keeps_no_service_from_ending() {
    for name in ["producer", "consumer"] {
        let port = free_port();
        let mut program = lonely(name, port).await;
        program.start().unwrap();
        eventually(&format!("{name} is alive"), || alive(port)).await;
        let mut asking = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        asking.write_all(b"GET /livez HTTP/1.1\r\nHost:").await.unwrap();
        assert!(program.terminate(GRACE).await.unwrap(), "{name} ends by itself");
    }
}

/// Whoever looks after a service would else take one that drains for one that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn who_drains_is_alive() {
    let mut world = World::new().await;
    let port = free_port();
    let mut environment = world.environment();
    environment.push(("CONSUMER_HTTP_LISTEN", format!("127.0.0.1:{port}")));
    world.consumer = Program::new(&binary("consumer"), &["run"], environment).unwrap();
    world.start();
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! {"_id": "one", "content": "first"}).await.unwrap();
    world.until_found("first", "one", "first").await;
    let TestQdrant::Own(qdrant) = &world.qdrant else { return world.stop().await };
    qdrant.pause().unwrap();
    posts.update_one(doc! {"_id": "one"}, doc! {"$set": {"content": "second"}}).await.unwrap();
    eventually("the change is held", || async {
        ensure!(http::metric(port, "twin_consumer_deliveries_unacked").await? > 0.0, "not yet");
        Ok(())
    })
    .await;
    let watched = async {
        let (begun, mut answers) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(3) {
            alive(port).await.unwrap_or_else(|error| panic!("after {:?}: {error}", begun.elapsed()));
            answers += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        answers
    };
    let (ended, answers) = tokio::join!(world.consumer.terminate(GRACE), watched);
    assert!(ended.unwrap() && answers > 0, "drained");
    qdrant.resume().unwrap();
    world.stop().await;
}
