//! Replay: a resync of the letters' documents at the source. What goes out is the document as it stands now, so that
//! nothing older than what the index holds comes back.

use std::collections::BTreeMap;
use std::io::Write;

use lapin::types::DeliveryTag;
use shared::resync::{DocumentKey, ResyncRequest};
use shared::{DocumentType, Subject};
use source::Source;

use super::letter::{Letter, plain};
use super::mailbox::Mailbox;
use super::selection::Selection;
use crate::command_error::CommandError;
use crate::requests::{request, requester};

/// Requests a resync of every document that the selected letters are about, and removes a letter only once a majority
/// of MongoDB holds the request for its document. False: some letter stays.
pub(super) async fn replay(
    mailbox: &mut Mailbox,
    source: &Source,
    selection: &Selection,
    out: &mut impl Write,
) -> Result<bool, CommandError> {
    let (mut keys, mut replayed): (BTreeMap<DocumentType, Vec<DocumentKey>>, Vec<DeliveryTag>) = Default::default();
    let mut staying = Vec::new();
    while let Some(delivery) = mailbox.next().await? {
        let letter = Letter::of(&delivery);
        if !selection.includes(&letter) {
            continue;
        }
        match key(&letter, source.name()) {
            Ok((document_type, key)) => {
                keys.entry(document_type).or_default().push(key);
                replayed.push(letter.tag);
            }
            Err(why) => staying.push(format!("{} stays: {}", plain(&letter.id), plain(&why))),
        }
    }
    if replayed.is_empty() && staying.is_empty() && !selection.is_all() {
        return Err(CommandError::Refused("no dead letter is meant by that (see `dead-letters list`)".into()));
    }
    let by = requester("dead-letters replay");
    let requests: Vec<ResyncRequest> = keys
        .into_iter()
        .flat_map(|(document_type, keys)| ResyncRequest::of_keys(source.name(), document_type, keys, &by))
        .collect();
    request(source, &requests).await?;
    for letter in &replayed {
        mailbox.remove(*letter).await?;
    }
    let documents: usize = requests.iter().flat_map(|request| &request.keys).map(Vec::len).sum();
    // What was asked for is done: printing it can fail.
    for line in &staying {
        writeln!(out, "{line}")?;
    }
    let (letters, stay) = (replayed.len(), staying.len());
    writeln!(out, "{letters} letters replayed: the producer relays {documents} documents anew; {stay} stay")?;
    Ok(staying.is_empty())
}

/// The document that a letter is about, or why it cannot be asked for.
fn key(letter: &Letter, database: &str) -> Result<(DocumentType, DocumentKey), String> {
    let event = letter.event.as_ref().map_err(|_| "it is no change event".to_owned())?;
    if let Some(source) = letter.source.as_ref().filter(|source| **source != format!("/mongodb/{database}")) {
        return Err(format!("it comes from {source}, not from the database {database}"));
    }
    match &event.subject {
        Subject::Document(identity) => Ok((identity.document_type, identity.clone().into())),
        Subject::Collection(document_type) => Err(format!(
            "it is a {} of all {document_type}; `producer resync --type {document_type}` does the same",
            event.operation.as_str()
        )),
    }
}
