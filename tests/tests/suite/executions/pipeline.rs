//! The pipeline by which an index was made.

use super::bench::{Bench, T, put};

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_another_pipeline_made_is_known_until_ours_is_noted() {
    let bench = Bench::new().await;
    let (store, ours) = (bench.store(), "clean-2");
    assert_eq!(store.former_pipeline(ours).await.unwrap(), None, "nothing is there yet");
    bench.apply(put(T, "a")).await;
    assert_eq!(store.former_pipeline(ours).await.unwrap().as_deref(), Some("unknown"), "made before it was noted");
    store.note_pipeline("clean-1").await.unwrap();
    assert_eq!(store.former_pipeline(ours).await.unwrap().as_deref(), Some("clean-1"));
    store.note_pipeline(ours).await.unwrap();
    assert_eq!(store.former_pipeline(ours).await.unwrap(), None);
}
