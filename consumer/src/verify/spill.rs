//! What MongoDB holds, put away by groups of hash buckets, in files without a name that are gone with the process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use shared::{BUCKETS, Identity};
use uuid::Uuid;

use super::expected::Expected;

/// One file a group.
pub(super) struct Spill(Vec<BufWriter<File>>);

impl Spill {
    /// So many groups, each of neighbouring buckets.
    pub(super) fn new(groups: u16) -> std::io::Result<Self> {
        let file = |_| tempfile::tempfile().map(BufWriter::new);
        (0..groups).map(file).collect::<std::io::Result<_>>().map(Self)
    }

    /// Puts a document into the file of its group.
    pub(super) fn put(&mut self, identity: &Identity, expected: &Expected) -> std::io::Result<()> {
        let group = self.group_of(identity.bucket());
        let file = &mut self.0[usize::from(group)];
        serde_json::to_writer(&mut *file, &(identity, expected))?;
        file.write_all(b"\n")
    }

    /// Takes all that a group holds, by the id of its record.
    pub(super) fn take(&mut self, group: u16) -> std::io::Result<HashMap<Uuid, (Identity, Expected)>> {
        let writer = &mut self.0[usize::from(group)];
        writer.flush()?;
        let file = writer.get_mut();
        file.rewind()?;
        let mut documents = HashMap::new();
        for line in BufReader::new(&*file).lines() {
            let (identity, expected): (Identity, Expected) = serde_json::from_str(&line?)?;
            documents.insert(identity.manifest_id(), (identity, expected));
        }
        file.set_len(0)?;
        Ok(documents)
    }

    /// The buckets of a group.
    pub(super) fn buckets(&self, group: u16) -> Vec<i64> {
        (0..BUCKETS).filter(|bucket| self.group_of(*bucket) == group).map(i64::from).collect()
    }

    fn group_of(&self, bucket: u16) -> u16 {
        let groups = u16::try_from(self.0.len()).unwrap_or(BUCKETS);
        (u32::from(bucket) * u32::from(groups) / u32::from(BUCKETS)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{DocumentType, IdKind};

    #[test]
    fn what_is_put_into_a_group_is_taken_from_it_and_every_bucket_has_one() {
        for groups in [1, 3, 256] {
            let mut spill = Spill::new(groups).unwrap();
            for number in 0..500 {
                let entry_id = number.to_string();
                let identity = Identity { document_type: DocumentType::Posts, id_kind: IdKind::Int, entry_id };
                spill.put(&identity, &Expected::Unindexable).unwrap();
            }
            let mut buckets: Vec<i64> = Vec::new();
            let mut taken = 0;
            for group in 0..groups {
                let theirs = spill.buckets(group);
                let documents = spill.take(group).unwrap();
                assert!(documents.values().all(|(identity, _)| theirs.contains(&identity.bucket().into())));
                taken += documents.len();
                buckets.extend(theirs);
            }
            assert_eq!((taken, buckets), (500, (0..256).collect()));
        }
    }
}
