//! From what the sources say to what stands on the terminal.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::board::{Board, News, Program};
use super::draw::draw;
use super::exposition::Exposition;
use super::queues::Queues;
use super::readiness::Readiness;
use crate::containers::ContainerState;
use crate::stack::StackKind;
use crate::stack::service_state::ServiceState;

const READY: &str = "mongodb: ok\nrabbitmq: ok\n";

fn service(name: &str, health: Result<(), String>) -> ServiceState {
    let runs = health != Err("not running".to_owned());
    ServiceState {
        name: name.to_owned(),
        pid: runs.then_some(4711),
        health: Some(health),
        up: runs.then(|| "12 min".to_owned()),
        memory: runs.then(|| "98 MB".to_owned()),
        endpoint: format!("http://{name}"),
    }
}

fn producer(readiness: &str, relayed: u32) -> News {
    let shown = format!(
        "# TYPE twin_producer_events_relayed_total counter\ntwin_producer_events_relayed_total {relayed}\n\
         twin_producer_events_confirmed_total {}\ntwin_producer_in_flight 1500\n\
         twin_producer_lag_seconds{{quantile=\"0.5\"}} 0.012\ntwin_producer_lag_seconds{{quantile=\"0.99\"}} 2.5\n\
         twin_producer_snapshot_rows_total{{type=\"posts\"}} {relayed}\n\
         twin_producer_snapshot_rows_estimated{{type=\"posts\"}} 40000\n\
         twin_producer_snapshot_rows_total{{type=\"users\"}} 0\n\
         twin_producer_snapshot_rows_estimated{{type=\"users\"}} 0\n",
        relayed / 2
    );
    News::Producer(Ok(program(readiness, &shown)))
}

fn consumer(readiness: &str, applied: u32) -> News {
    let shown = format!(
        "twin_consumer_changes_total {applied}\ntwin_consumer_chunks_embedded_total {}\n\
         twin_consumer_deliveries_unacked 128\ntwin_consumer_event_age_seconds{{quantile=\"0.5\"}} 0\n\
         twin_consumer_event_age_seconds{{quantile=\"0.99\"}} 0\ntwin_consumer_dead_letters_total{{reason=\"refused\"}} 3\n",
        applied * 2
    );
    News::Consumer(Ok(program(readiness, &shown)))
}

fn program<M: for<'a> From<&'a Exposition>>(readiness: &str, shown: &str) -> Program<M> {
    Program { readiness: Readiness::parse(readiness), metrics: M::from(&Exposition::parse(shown).unwrap()) }
}

fn queues() -> News {
    let partition = |number: u32| {
        format!(
            r#"{{"name": "twin.changes.{number}", "messages_ready": {number}, "messages_unacknowledged": 8,
                 "message_stats": {{"ack_details": {{"rate": 1.5}}}}}}"#
        )
    };
    let letters = r#"{"name": "twin.dead-letters", "messages_ready": 1234, "messages_unacknowledged": 0}"#.to_owned();
    let all: Vec<String> = (0..8).map(partition).chain([letters]).collect();
    News::Queues(Queues::parse(&format!("[{}]", all.join(","))))
}

/// A native stack that is well, after two seconds.
fn well() -> Board {
    let names = ["mongod", "rabbitmq", "qdrant", "producer", "consumer"];
    let mut board = Board::new(StackKind::Native, names.map(|name| service(name, Ok(()))).into());
    let begun = Instant::now();
    for (seconds, so_far) in [(0, 10_000), (2, 30_000)] {
        let at = begun + Duration::from_secs(seconds);
        board.hear(at, producer(READY, so_far));
        board.hear(at, consumer(READY, so_far / 100));
        board.hear(at, queues());
    }
    board
}

/// The lines of a terminal of that size, without the blanks at their ends.
fn drawn(board: &Board, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let view = board.view();
    terminal.draw(|frame| draw(&view, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

/// As [`words`], of what stands beside.
fn words_beside<'a>(lines: &'a [String], begin: &str) -> Vec<&'a str> {
    let found = lines.iter().find_map(|line| line.find(begin).map(|at| &line[at..]));
    found.unwrap_or_else(|| panic!("no `{begin}` in\n{}", lines.join("\n"))).split_whitespace().collect()
}

/// The words of the first line that begins so.
fn words<'a>(lines: &'a [String], begin: &str) -> Vec<&'a str> {
    let line = lines.iter().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("no line `{begin}` in\n{}", lines.join("\n"))).split_whitespace().collect()
}

#[test]
fn a_stack_that_is_well_is_shown_whole_in_two_columns() {
    let lines = drawn(&well(), 100, 30);
    assert_eq!(lines[0], "LLM Twin, native  5 of 5 services healthy");
    assert_eq!(words(&lines, "mongod"), ["mongod", "healthy", "4711", "12", "min", "98", "MB", "http://mongod"]);
    assert_eq!(words(&lines, "relayed")[..2], ["relayed", "10,000"]);
    assert_eq!(words(&lines, "confirmed")[..3], ["confirmed", "5,000", "1,500"]);
    assert_eq!(words(&lines, "applied")[..4], ["applied,", "acknowledged", "100", "128"]);
    assert_eq!(words(&lines, "chunks embedded")[..3], ["chunks", "embedded", "200"]);
    assert_eq!(words(&lines, "to its confirmation")[3..7], ["12", "ms", "2.5", "s"]);
    assert_eq!(words(&lines, "to its acknowledgement")[3..5], ["-", "-"]);
    assert_eq!(words_beside(&lines, "in twin.dead-letters"), ["in", "twin.dead-letters", "1,234"]);
    assert_eq!(words_beside(&lines, "new: refused"), ["new:", "refused", "3"]);
    assert_eq!(words(&lines, "posts")[..6], ["posts", "30,000", "40,000", "75", "%", "10,000"]);
    assert_eq!(words(&lines, "applied")[4..], ["1", "1", "8", "1.5"], "a partition stands beside it");
    assert_eq!(words_beside(&lines, "all  "), ["all", "28", "64", "12"]);
    assert!(!lines.iter().any(|line| line.starts_with("users")), "there was none");
    assert!(!lines.iter().any(|line| line.contains("Not well")));
    assert_eq!(lines[29], "q, Esc or Ctrl-C leaves");
}

#[test]
fn on_the_least_usual_terminal_all_of_a_small_stack_has_room() {
    let lines = drawn(&well(), 80, 24);
    assert!(!lines.iter().any(|line| line.contains("more lines")), "{}", lines.join("\n"));
    assert_eq!(words_beside(&lines, "new: refused"), ["new:", "refused", "3"]);
}

#[test]
fn on_a_narrow_terminal_all_stands_below_each_other() {
    let lines = drawn(&well(), 50, 60);
    assert_eq!(words(&lines, "relayed"), ["relayed", "10,000"]);
    assert_eq!(words(&lines, "all"), ["all", "28", "64", "12"]);
    assert_eq!(words(&lines, "7"), ["7", "7", "8", "1.5"]);
}

#[test]
fn what_has_no_room_is_counted() {
    let whole = drawn(&well(), 50, 60).iter().filter(|line| !line.is_empty()).count() - 1;
    let lines = drawn(&well(), 50, 12);
    assert_eq!(lines[10], format!("… {} more lines", whole - 10));
    assert_eq!(lines[11], "q, Esc or Ctrl-C leaves");
    for (width, height) in [(1, 1), (1, 60), (2, 2), (79, 3), (200, 1), (300, 100)] {
        assert_eq!(drawn(&well(), width, height).len(), usize::from(height));
    }
}

#[test]
fn who_is_down_is_named_with_the_reason_and_the_others_go_on() {
    let mut board = well();
    let now = Instant::now();
    board.hear(now, News::Service(service("mongod", Err("not running".to_owned()))));
    board.hear(now, News::Service(service("producer", Err("GET http://producer/readyz answers 503".to_owned()))));
    board.hear(now, producer("lease: ok\nmongodb: connection refused\nstream: opening\n", 30_000));
    board.hear(now, News::Queues(Err("GET http://127.0.0.1:15672/api/queues: connection refused".to_owned())));
    let lines = drawn(&board, 100, 40);
    assert_eq!(lines[0], "LLM Twin, native  3 of 5 services healthy");
    assert_eq!(words(&lines, "mongod "), ["mongod", "down", "-", "-", "-", "http://mongod"]);
    assert_eq!(words(&lines, "producer ")[..3], ["producer", "not", "ready"]);
    let from = lines.iter().position(|line| line.starts_with("── Not well")).unwrap();
    assert_eq!(
        lines[from + 1..from + 5],
        [
            "mongod: not running",
            "producer: mongodb: connection refused",
            "producer: stream: opening",
            "queues: GET http://127.0.0.1:15672/api/queues: connection refused"
        ]
    );
    assert_eq!(words(&lines, "applied")[2..4], ["100", "128"], "the consumer is not concerned");
    assert_eq!(words_beside(&lines, "in twin.dead-letters")[2], "-");
    let heading = lines.iter().position(|line| line.contains("── Queues")).unwrap();
    assert!(lines[heading + 2].ends_with("not known (see waiting)"), "{}", lines[heading + 2]);
}

#[test]
fn a_reason_that_is_longer_than_the_terminal_is_wide_goes_on_below() {
    let mut board = well();
    board.hear(Instant::now(), News::Consumer(Err("a reason of\nforty characters, more or less".to_owned())));
    let lines = drawn(&board, 30, 40);
    let from = lines.iter().position(|line| line.starts_with("── Not well")).unwrap();
    assert_eq!(lines[from + 1..from + 3], ["consumer: a reason of forty ch", "aracters, more or less"]);
}

#[test]
fn of_a_service_that_is_down_only_that_is_said() {
    let mut board = well();
    board.hear(Instant::now(), News::Service(service("consumer", Err("not running".to_owned()))));
    board.hear(Instant::now(), News::Consumer(Err("GET http://consumer/readyz: connection refused".to_owned())));
    assert_eq!(board.view().reasons, [("consumer".to_owned(), "not running".to_owned())]);
}

#[test]
fn before_anybody_has_answered_nothing_is_said_to_be_wrong() {
    let lines = drawn(&Board::new(StackKind::Native, Vec::new()), 100, 40);
    assert!(!lines.iter().any(|line| line.contains("Not well")));
    assert_eq!(words(&lines, "relayed")[1], "-");
}

#[test]
fn containers_are_shown_as_the_engine_has_them() {
    let state = |service: &str, status: &str| {
        let (service, status) = (service.to_owned(), status.to_owned());
        ServiceState::from(&ContainerState { service, status, ports: String::new() })
    };
    let mut board = Board::new(StackKind::Containers, Vec::new());
    let mut states = vec![
        state("mongo1", "Up 3 minutes (healthy)"),
        state("producer", "Up 5 seconds (health: starting)"),
        state("qdrant", "Exited (137) 2 minutes ago"),
        state("replica-set", "Exited (0) 2 minutes ago"),
    ];
    board.hear(Instant::now(), News::Containers(Ok(states.clone())));
    let lines = drawn(&board, 100, 40);
    assert_eq!(lines[0], "LLM Twin, containers  2 of 4 services healthy");
    assert_eq!(words(&lines, "mongo1"), ["mongo1", "healthy", "-", "3", "minutes", "-"]);
    assert_eq!(words(&lines, "replica-set")[1], "healthy");
    assert_eq!(words(&lines, "qdrant")[1], "down");
    assert!(lines.contains(&"producer: Up 5 seconds (health: starting)".to_owned()));
    assert!(lines.contains(&"qdrant: Exited (137) 2 minutes ago".to_owned()));
    states.truncate(1);
    board.hear(Instant::now(), News::Containers(Ok(states)));
    assert_eq!(board.view().services.rows.len(), 1, "what is gone is not shown");
    board.hear(Instant::now(), News::Containers(Err("no container engine answers".to_owned())));
    assert_eq!(board.view().reasons, [("containers".to_owned(), "no container engine answers".to_owned())]);
}
