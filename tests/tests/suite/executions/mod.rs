//! The design's executions that broke earlier drafts, on the real protocol and a real Qdrant. A consumer is "killed" by
//! dropping what it still meant to do, or by a store that fails at one call.

mod barriers;
mod bench;
mod disturbed;
mod faults;
mod janitor;
mod partition;
mod pipeline;
mod protocol;
mod stepped;
mod work;
