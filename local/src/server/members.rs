//! Nodes that somebody else runs, such as containers, made one replica set.

use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ServerAddress;

use super::mongodb::{ALREADY_INITIALIZED, NOT_YET_INITIALIZED, REPLICA_SET, code, command, first_line};

const AGAIN: Duration = Duration::from_millis(500);

/// How a node answers when asked for its set.
enum Standing {
    /// It has never been part of one.
    New,
    /// The hosts of its set, and the one that takes writes, if any does.
    Member { hosts: Vec<String>, primary: Option<String> },
}

/// Makes the nodes `host:port` the replica set `rs0`, unless they are it, and waits for a primary, whose name it returns.
///
/// It is initiated only when every node has said that it never was part of one: a node that does not answer may bear the data of a former set.
/// The first is preferred as primary: clients outside the network of the nodes reach it alone. Nothing else of a set that is there is changed.
pub(crate) async fn unite(nodes: &[String], limit: Duration) -> Result<String, String> {
    let deadline = Instant::now() + limit;
    loop {
        let why = match Box::pin(attempt(nodes)).await {
            Ok(primary) => return Ok(primary),
            Err(why) => why,
        };
        if Instant::now() > deadline {
            return Err(format!("no replica set after {} s: {why}", limit.as_secs()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn attempt(nodes: &[String]) -> Result<String, String> {
    let mut new = 0;
    let mut unanswered = None;
    for node in nodes {
        match Box::pin(standing(node)).await {
            Ok(Standing::New) => new += 1,
            Ok(Standing::Member { hosts, primary }) if hosts == nodes => {
                return primary.ok_or_else(|| "no node is primary yet".to_owned());
            }
            Ok(Standing::Member { hosts, .. }) => {
                return Err(format!("{node} belongs to another set, of {}", hosts.join(", ")));
            }
            Err(why) => unanswered = Some(format!("{node}: {why}")),
        }
    }
    match unanswered {
        Some(why) => Err(why),
        None if new == nodes.len() => {
            Err(Box::pin(initiate(nodes)).await.err().unwrap_or_else(|| "initiated just now".to_owned()))
        }
        None => Err("the nodes do not agree yet".to_owned()),
    }
}

async fn standing(node: &str) -> Result<Standing, String> {
    let address = || ServerAddress::parse(node).map_err(|error| first_line(&error));
    if let Err(error) = command(address()?, doc! { "replSetGetStatus": 1 }).await {
        return if code(&error) == Some(NOT_YET_INITIALIZED) { Ok(Standing::New) } else { Err(first_line(&error)) };
    }
    let hello = command(address()?, doc! { "hello": 1 }).await.map_err(|error| first_line(&error))?;
    let hosts =
        hello.get_array("hosts").map(|hosts| hosts.iter().filter_map(Bson::as_str).map(str::to_owned).collect());
    Ok(Standing::Member { hosts: hosts.unwrap_or_default(), primary: hello.get_str("primary").ok().map(str::to_owned) })
}

async fn initiate(nodes: &[String]) -> Result<(), String> {
    let first = nodes.first().ok_or("no nodes were named")?;
    let address = ServerAddress::parse(first).map_err(|error| first_line(&error))?;
    match command(address, doc! { "replSetInitiate": config(nodes) }).await {
        Err(error) if code(&error) != Some(ALREADY_INITIALIZED) => Err(first_line(&error)),
        _ => Ok(()),
    }
}

fn config(nodes: &[String]) -> Document {
    let members = (0..).zip(nodes).map(|(id, host)| {
        let priority = if id == 0 { 2.0 } else { 1.0 };
        Bson::from(doc! { "_id": id, "host": host, "priority": priority })
    });
    doc! { "_id": REPLICA_SET, "members": members.collect::<Vec<_>>() }
}
