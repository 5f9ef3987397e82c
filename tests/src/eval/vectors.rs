//! Vectors, remembered on disk by the model's fingerprint and the text's hash: a second run embeds only what is new.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use local::Step;
use shared::embedding::{Embedder, Model, ModelError, Run, TokenCounter};
use shared::settings::EmbeddingSettings;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Texts embedded between two words of progress.
const SOME: usize = 256;

/// A file of records: a text's hash, 16 bytes, and its vector.
struct VectorFile {
    path: PathBuf,
    file: File,
    known: HashMap<u128, Vec<f32>>,
}

impl VectorFile {
    /// Opens the file in `folder` for a model whose vectors have `dimension` numbers.
    ///
    /// # Errors
    /// As the file system.
    fn open(folder: &Path, fingerprint: &str, dimension: usize) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(format!("{:016x}.vectors", xxh3_64(fingerprint.as_bytes())));
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(&path).with_context(|| path.display().to_string())?;
        let mut record = vec![0; 16 + dimension * 4];
        let whole = file.metadata()?.len() / record.len() as u64;
        // A run that was killed may have left a part of one.
        file.set_len(whole * record.len() as u64)?;
        let (mut reader, mut known) = (BufReader::new(&file), HashMap::new());
        for _ in 0..whole {
            reader.read_exact(&mut record)?;
            let (key, numbers) = record.split_at(16);
            let (numbers, _) = numbers.as_chunks::<4>();
            known.insert(
                u128::from_le_bytes(key.try_into()?),
                numbers.iter().map(|number| f32::from_le_bytes(*number)).collect(),
            );
        }
        Ok(Self { path, file, known })
    }

    /// The vector of a text, where it is known.
    fn get(&self, text: &str) -> Option<&Vec<f32>> {
        self.known.get(&xxh3_128(text.as_bytes()))
    }

    /// Remembers the vectors of these texts.
    ///
    /// # Errors
    /// As the file system; then nothing of them is in the file, or is taken off when it is opened.
    fn remember(&mut self, texts: &[String], vectors: &[Vec<f32>]) -> std::io::Result<()> {
        let mut records = Vec::new();
        for (text, vector) in texts.iter().zip(vectors) {
            let key = xxh3_128(text.as_bytes());
            records.extend(key.to_le_bytes());
            records.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
            self.known.insert(key, vector.clone());
        }
        self.file.write_all(&records)
    }
}

/// The model, behind what it has made before.
///
/// # Errors
/// As the model and the file system.
pub fn embedder(settings: &EmbeddingSettings, folder: &Path) -> Result<Embedder> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let models = (0..threads).map(|_| Model::load(settings)).collect::<Result<Vec<_>, _>>()?;
    let (info, tokens) = (models[0].info().clone(), TokenCounter::of(&models[0]));
    let file = Arc::new(Mutex::new(VectorFile::open(folder, &info.fingerprint, info.dimension)?));
    let runs = models.into_iter().map(|model| remembering(model, Arc::clone(&file))).collect();
    let settings = settings.clone();
    let renew = move || Ok(remembering(Model::load(&settings)?, Arc::clone(&file)));
    Ok(Embedder::of(info, tokens, runs, renew))
}

/// The texts' vectors, in their order.
///
/// # Errors
/// As the model.
pub async fn vectors(embedder: &Embedder, texts: &[&str], step: &Step) -> Result<Vec<Vec<f32>>> {
    let mut by_length: Vec<usize> = (0..texts.len()).collect();
    by_length.sort_by_key(|&at| texts[at].len());
    let mut vectors = vec![Vec::new(); texts.len()];
    for (done, places) in by_length.chunks(SOME).enumerate() {
        step.doing(&format!("embedded {} of {} texts", done * SOME, texts.len()));
        let some = places.iter().map(|&at| texts[at].to_owned()).collect();
        for (at, vector) in places.iter().zip(embedder.embed(some).await?) {
            vectors[*at] = vector;
        }
    }
    Ok(vectors)
}

fn remembering(mut model: Model, file: Arc<Mutex<VectorFile>>) -> Run {
    Box::new(move |texts| {
        let unknown: Vec<String> = {
            let file = lock(&file);
            texts.iter().filter(|text| file.get(text).is_none()).cloned().collect()
        };
        // Not held while the model runs: other threads embed meanwhile.
        let made = if unknown.is_empty() { Vec::new() } else { model.embed(&unknown)? };
        let mut file = lock(&file);
        let problem = |error: std::io::Error| error.to_string();
        file.remember(&unknown, &made)
            .map_err(|error| ModelError::File { path: file.path.clone(), problem: problem(error) })?;
        Ok(texts.iter().filter_map(|text| file.get(text).cloned()).collect())
    })
}

fn lock(file: &Mutex<VectorFile>) -> MutexGuard<'_, VectorFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_the_next_time_and_half_a_record_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let open = || VectorFile::open(folder.path(), "model", 2).unwrap();
        let mut file = open();
        file.remember(&["a".into(), "b".into()], &[vec![1.0, 2.0], vec![3.0, 4.0]]).unwrap();
        file.file.write_all(&[7; 5]).unwrap();
        let mut again = open();
        assert_eq!(
            (again.get("a"), again.get("b"), again.get("c")),
            (Some(&vec![1.0, 2.0]), Some(&vec![3.0, 4.0]), None)
        );
        again.remember(&["c".into()], &[vec![5.0, 6.0]]).unwrap();
        assert_eq!(open().get("c"), Some(&vec![5.0, 6.0]));
        assert!(VectorFile::open(folder.path(), "another", 2).unwrap().get("a").is_none());
    }
}
