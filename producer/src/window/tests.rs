use super::*;
use bson::{RawDocumentBuf, rawdoc};
use lapin::BasicProperties;
use proptest::prelude::*;

const A: Lane = Lane::Partition(0);
const B: Lane = Lane::Partition(1);

fn message(name: u128, lane: Lane) -> Message {
    Message {
        id: Uuid::from_u128(name),
        lane,
        body: vec![0; 10],
        properties: BasicProperties::default(),
        title: String::new(),
        happened: None,
    }
}

fn token(name: u32) -> RawDocumentBuf {
    rawdoc! {"_data": name.to_string()}
}

fn at(time: u32) -> Timestamp {
    Timestamp { time, increment: 1 }
}

fn reached(name: u32) -> Mark {
    Mark::Reached(Reached(Position::Token(token(name))))
}

fn window() -> Window {
    Window::new(100, 1 << 20)
}

/// An event of the stream with one message; its name is also its token.
fn change(window: &mut Window, time: u32, name: u32, lane: Lane) {
    window.begin_change(at(time), &token(name));
    window.push(message(name.into(), lane));
}

/// Publishes all that may go; their numbers and names.
fn publish(window: &mut Window, now: Instant) -> Vec<(u64, u128)> {
    std::iter::from_fn(|| window.next_unsent(now)).map(|(number, message)| (number, message.id.as_u128())).collect()
}

fn names(published: &[(u64, u128)]) -> Vec<u128> {
    published.iter().map(|(_, name)| *name).collect()
}

#[test]
fn the_checkpoint_never_passes_an_unconfirmed_message() {
    let (mut window, now) = (window(), Instant::now());
    for name in 1..=3 {
        change(&mut window, name, name, A);
    }
    window.idle(&token(9));
    let numbers = publish(&mut window, now);
    assert_eq!(names(&numbers), [1, 2, 3]);
    window.confirm(numbers[1].0);
    window.confirm(numbers[2].0);
    assert_eq!(window.advance(), []);
    window.confirm(numbers[0].0);
    assert_eq!(window.advance(), [reached(1), reached(2), reached(9)]);
    assert!(window.is_empty());
}

#[test]
fn the_checkpoint_never_rests_within_a_cluster_time() {
    let (mut window, now) = (window(), Instant::now());
    for name in [1, 2] {
        change(&mut window, 7, name, A);
    }
    for (number, _) in publish(&mut window, now) {
        window.confirm(number);
    }
    assert_eq!(window.advance(), [], "more of this transaction may come");
    change(&mut window, 8, 3, A);
    assert_eq!(window.advance(), [reached(2)]);
    window.idle(&token(4));
    let last = publish(&mut window, now);
    window.confirm(last[0].0);
    assert_eq!(window.advance(), [reached(4)], "an idle stream has no transaction open");
}

#[test]
fn events_without_a_message_move_the_checkpoint_and_leave_one_mark() {
    let mut window = window();
    for name in 1..=1000 {
        window.begin_change(at(name), &token(name));
    }
    assert_eq!(window.entries.len(), 1);
    assert_eq!(window.advance(), [reached(999)]);
}

#[test]
fn marks_become_true_in_their_place() {
    let (mut window, now) = (window(), Instant::now());
    change(&mut window, 1, 1, A);
    window.push_mark(Mark::Requested(DocumentType::Posts));
    window.idle(&token(2));
    assert_eq!(window.advance(), []);
    let sent = publish(&mut window, now);
    window.confirm(sent[0].0);
    assert_eq!(window.advance(), [Mark::Requested(DocumentType::Posts), reached(2)]);
}

#[test]
fn a_returned_message_freezes_the_checkpoint_whichever_confirm_bears_it() {
    let (mut window, now) = (window(), Instant::now());
    change(&mut window, 1, 1, A);
    change(&mut window, 2, 2, B);
    window.idle(&token(3));
    let sent = publish(&mut window, now);
    // The confirm of 2 comes first and bears the return of 1, whose own confirm then looks clean.
    assert!(window.refuse_id(Some(Uuid::from_u128(1))).is_some());
    window.confirm(sent[1].0);
    window.judge(now, false);
    assert_eq!(window.advance(), []);
    window.confirm(sent[0].0);
    window.judge(now, true);
    assert_eq!(window.advance(), []);
    assert_eq!(window.len(), 2);
}

#[test]
fn no_confirm_counts_until_every_return_has_surfaced() {
    let (mut window, now) = (window(), Instant::now());
    for name in [1, 2] {
        change(&mut window, name, name, A);
    }
    window.idle(&token(3));
    let sent = publish(&mut window, now);
    window.confirm(sent[0].0);
    window.refuse_id(Some(Uuid::from_u128(2)));
    window.judge(now, false);
    assert_eq!(window.advance(), [], "the return of 1 may come with the confirm of 2");
    window.refuse_id(Some(Uuid::from_u128(1)));
    window.judge(now, true);
    assert_eq!(window.advance(), []);
}

#[test]
fn a_refused_lane_is_probed_in_order_while_others_go_on() {
    let (mut window, mut now) = (window(), Instant::now());
    for name in [1, 2] {
        change(&mut window, name, name, A);
    }
    let sent = publish(&mut window, now);
    window.refuse_id(Some(Uuid::from_u128(1)));
    window.confirm(sent[0].0);
    window.confirm(sent[1].0);
    window.judge(now, true);
    change(&mut window, 3, 3, B);
    assert_eq!(names(&publish(&mut window, now)), [3], "A waits");
    for _ in 0..10 {
        now += RETRY.1;
        let probe = publish(&mut window, now);
        assert_eq!(names(&probe), [1], "alone, so that 2 does not overtake it");
        window.refuse_id(Some(Uuid::from_u128(1)));
        window.confirm(probe[0].0);
        window.judge(now, true);
    }
    now += RETRY.1;
    let probe = publish(&mut window, now);
    window.confirm(probe[0].0);
    window.judge(now, true);
    assert_eq!(names(&publish(&mut window, now)), [2], "2 was confirmed, but before 1: it goes again behind it");
}

#[test]
fn a_nack_is_tried_again() {
    let (mut window, now) = (window(), Instant::now());
    change(&mut window, 1, 1, A);
    let sent = publish(&mut window, now);
    assert!(window.refuse(sent[0].0).is_some());
    window.judge(now, true);
    assert_eq!(window.advance(), []);
    assert_eq!(names(&publish(&mut window, now + RETRY.0)), [1]);
}

#[test]
fn a_lost_connection_replays_all_from_the_first_unconfirmed_in_order() {
    let (mut window, now) = (window(), Instant::now());
    for name in 1..=4 {
        change(&mut window, name, name, if name % 2 == 0 { A } else { B });
    }
    let sent = publish(&mut window, now);
    window.confirm(sent[0].0);
    window.confirm(sent[2].0);
    assert_eq!(window.advance(), [reached(1)]);
    window.rewind();
    assert_eq!(names(&publish(&mut window, now)), [2, 3, 4]);
    assert!(window.confirm(sent[0].0).is_none(), "a late confirm of what has left");
}

#[test]
fn the_window_is_bounded_by_count_and_by_bytes() {
    let mut window = Window::new(2, 1000);
    change(&mut window, 1, 1, A);
    assert!(window.has_room());
    change(&mut window, 2, 2, A);
    assert!(!window.has_room());
    let mut window = Window::new(100, 15);
    change(&mut window, 1, 1, A);
    assert!(window.has_room());
    change(&mut window, 2, 2, A);
    assert!(!window.has_room());
    for (number, _) in publish(&mut window, Instant::now()) {
        window.confirm(number);
    }
    window.advance();
    assert!(window.has_room());
}

#[test]
fn a_page_of_a_snapshot_is_copied_once_every_row_is_confirmed() {
    let (mut window, now) = (window(), Instant::now());
    let key = (Uuid::from_u128(7), DocumentType::Posts);
    let copied = |rows, is_last| Mark::Copied { key, copied: Copied { after: None, rows }, is_last };
    window.push(message(1, A));
    change(&mut window, 1, 2, B);
    window.push(message(3, A));
    window.push_mark(copied(2, false));
    window.push_mark(copied(2, true));
    let sent = publish(&mut window, now);
    window.confirm(sent[0].0);
    window.confirm(sent[1].0);
    assert_eq!(window.advance(), []);
    window.confirm(sent[2].0);
    window.refuse(sent[2].0);
    assert_eq!(window.advance(), [], "a refusal puts every confirm in doubt");
    window.judge(now, true);
    let again = publish(&mut window, now + RETRY.0);
    window.confirm(again[0].0);
    assert_eq!(window.advance(), [copied(2, false), copied(2, true)]);
}

/// What a broker may do to the next message, or to the connection.
#[derive(Debug, Clone)]
enum Fate {
    Confirm(usize),
    Return(usize),
    Nack(usize),
    Read(bool),
    Disconnect,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => (0..8_usize).prop_map(Fate::Confirm),
        1 => (0..8_usize).prop_map(Fate::Return),
        1 => (0..8_usize).prop_map(Fate::Nack),
        6 => any::<bool>().prop_map(Fate::Read),
        1 => Just(Fate::Disconnect),
    ];
    proptest::collection::vec(fate, 1..120)
}

proptest! {
    /// Whatever the broker does, the checkpoint stands at the end of a clusterTime, only moves forward, and nothing
    /// before it is missing.
    #[test]
    fn nothing_before_the_checkpoint_is_missing(fates in fates()) {
        let (mut window, mut now) = (window(), Instant::now());
        let (mut time, mut name, mut resting) = (1, 0_u32, 0_u32);
        let mut in_flight: Vec<(u64, u128)> = Vec::new();
        let mut stored = std::collections::BTreeSet::new();
        let mut ends = std::collections::BTreeSet::new();
        for fate in fates {
            match fate {
                Fate::Read(same) => {
                    if !same && name > 0 {
                        time += 1;
                        ends.insert(name);
                    }
                    name += 1;
                    change(&mut window, time, name, if name % 3 == 0 { A } else { B });
                }
                Fate::Confirm(at) if at < in_flight.len() => {
                    let (number, name) = in_flight.remove(at);
                    stored.insert(name as u32);
                    window.confirm(number);
                }
                Fate::Return(at) if at < in_flight.len() => {
                    let (number, name) = in_flight.remove(at);
                    window.refuse_id(Some(Uuid::from_u128(name)));
                    window.confirm(number);
                }
                Fate::Nack(at) if at < in_flight.len() => {
                    window.refuse(in_flight.remove(at).0);
                }
                Fate::Disconnect => {
                    in_flight.clear();
                    window.rewind();
                }
                Fate::Confirm(_) | Fate::Return(_) | Fate::Nack(_) => {}
            }
            now += Duration::from_secs(6);
            window.judge(now, in_flight.is_empty());
            for mark in window.advance() {
                let Mark::Reached(Reached(Position::Token(token))) = mark else { panic!("{mark:?}") };
                let end: u32 = token.get_str("_data").unwrap().parse().unwrap();
                prop_assert!(end > resting && ends.contains(&end));
                prop_assert!((1..=end).all(|name| stored.contains(&name)));
                resting = end;
            }
            in_flight.extend(publish(&mut window, now));
        }
    }
}
