//! Wrong settings and absent servers.

use crate::bench::Bench;
use crate::deadline::eventually;
use crate::process::output;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_and_absent_servers_are_one_line_and_their_exit_code() {
    let bench = Bench::new().await;
    let mut producer = bench.start();
    eventually("partitions are recorded", async || bench.checkpoint().await.is_some()).await;
    assert_eq!(producer.stop().await, Some(0));
    let (code, said) = output(bench.command().arg("run").env("PARTITIONS", "5"));
    assert_eq!((code, said.contains("PARTITIONS")), (Some(2), true), "{said}");
    for (name, value) in [
        ("MONGODB_URI", ""),
        ("MONGODB_URI", "http://x"),
        ("RABBITMQ_URI", "http://x"),
        ("TYPES", "comments"),
        ("SNAPSHOT", "perhaps"),
        ("PARTITIONS", "0"),
    ] {
        let (code, said) = output(bench.command().arg("run").env(name, value));
        assert_eq!(
            (code, said.contains(name), said.trim().lines().count()),
            (Some(2), true, 1),
            "{name}={value}: {said}"
        );
    }
    let (code, said) = output(bench.command().arg("status"));
    assert_eq!((code, said.trim().lines().count()), (Some(0), 4), "{said}");
    assert!(said.contains("oplog:      holds "), "{said}");
    let absent = "mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=300";
    let (code, said) = output(bench.command().arg("status").env("MONGODB_URI", absent));
    assert_eq!((code, said.trim().lines().count()), (Some(3), 1), "{said}");
}
