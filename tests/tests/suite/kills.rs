//! Kill -9 in mid-flow: whatever is killed, in the end the index equals the source.

use std::time::Duration;

use bson::{Document, doc};
use tests::{World, eventually_within};

const DOCUMENTS: i32 = 240;

/// Writes a seeded mix of inserts, updates, replaces and deletes, and calls `disturb` now and then.
async fn write_mix(world: &mut World, mut disturb: impl AsyncFnMut(&mut World, i32)) {
    let posts = world.database.collection::<Document>("posts");
    for number in 0..DOCUMENTS {
        let text = |version: &str| format!("Post {number}, {version}. It speaks of tides and ships at sea.");
        posts.insert_one(doc! { "_id": number, "content": text("first version") }).await.unwrap();
        let (earlier, set) = (doc! { "_id": number / 2 }, doc! { "$set": { "content": text("an update") } });
        posts.update_one(earlier.clone(), set).await.unwrap();
        match number % 6 {
            2 => drop(posts.replace_one(earlier, doc! { "content": text("a replacement") }).await.unwrap()),
            4 => drop(posts.delete_one(earlier).await.unwrap()),
            _ => {}
        }
        if number % 40 == 39 {
            disturb(world, number).await;
        }
    }
}

async fn assert_equal_in_the_end(world: &World) {
    eventually_within(Duration::from_secs(120), &format!("the index equals the source\n{}", world.logs()), || async {
        world.audit().await?.equal()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_producer_in_mid_flow_loses_nothing() {
    let mut world = World::started().await;
    write_mix(&mut world, async |world, _| {
        world.producer.kill9();
        world.producer.start().unwrap();
    })
    .await;
    assert_equal_in_the_end(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_consumer_in_mid_flow_loses_nothing_and_leaves_nothing_behind() {
    let mut world = World::started().await;
    write_mix(&mut world, async |world, _| {
        world.consumer.kill9();
        world.consumer.start().unwrap();
    })
    .await;
    assert_equal_in_the_end(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_qdrant_in_mid_flow_loses_nothing() {
    let mut world = World::started().await;
    if matches!(world.qdrant, tests::TestQdrant::Named(..)) {
        return; // not ours to kill
    }
    write_mix(&mut world, async |world, number| {
        if let (tests::TestQdrant::Own(qdrant), true) = (&mut world.qdrant, number % 80 == 79) {
            qdrant.kill9().await.unwrap();
            qdrant.restart().await.unwrap();
        }
    })
    .await;
    assert_equal_in_the_end(&world).await;
    world.stop().await;
}
