//! One loaded embedding model.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fastembed::{
    InitOptionsUserDefined, Pooling, QuantizationMode, TextEmbedding, TextInitOptions, TokenizerFiles,
    UserDefinedEmbeddingModel,
};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_128;

use crate::settings::EmbeddingSettings;

/// Texts in one run of the model. Of texts sorted by length, 8 waste 1% on padding and keep memory flat; 32 unsorted
/// ones waste 73% (measured on articles).
pub(crate) const BATCH: usize = 8;

/// Sentence-transformers' own limit for models of this family that do not state one.
const DEFAULT_MAX_TOKENS: usize = 256;

/// What is known of a model without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its name, as set.
    pub name: String,
    /// Length of its vectors.
    pub dimension: usize,
    /// Longest text in tokens, special tokens counted; what is beyond is cut off by the model.
    pub max_tokens: usize,
    /// Changes with anything that changes a vector: weights, tokenizer, pooling, limit.
    pub fingerprint: String,
    /// Whether a text's vector is the same whatever else is in its batch. Where numbers are quantised dynamically, by
    /// what is in the batch, it is not, and must not be remembered.
    pub batch_independent: bool,
}

/// A model that cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// ONNX Runtime's library is missing or too old.
    #[error(
        "ORT_DYLIB_PATH: ONNX Runtime cannot be loaded from {path}: {problem}; set ORT_DYLIB_PATH to libonnxruntime.so"
    )]
    Runtime {
        /// Where it was searched.
        path: PathBuf,
        /// As the loader says.
        problem: String,
    },
    /// A file of the model cannot be read.
    #[error("EMBEDDING_MODEL_DIR: {path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Neither a folder nor a name that fastembed knows.
    #[error("EMBEDDING_MODEL: `{0}` is no model that fastembed knows; set EMBEDDING_MODEL_DIR for one of your own")]
    Unknown(String),
    /// Hugging Face does not give it.
    #[error("EMBEDDING_MODEL: Hugging Face does not give {file}: {problem}; EMBEDDING_MODEL_DIR does without")]
    Hub {
        /// The file that was asked for.
        file: String,
        /// As its client says.
        problem: String,
    },
    /// As fastembed.
    #[error("EMBEDDING_MODEL: {0}")]
    Fastembed(fastembed::Error),
}

impl From<fastembed::Error> for ModelError {
    fn from(error: fastembed::Error) -> Self {
        match error {
            fastembed::Error::ModelRetrieval { file, source } => Self::Hub { file, problem: source.to_string() },
            other => Self::Fastembed(other),
        }
    }
}

/// A model in memory, with one ONNX Runtime session of one thread.
pub struct Model {
    text: TextEmbedding,
    info: ModelInfo,
}

impl Model {
    /// Loads the model from `EMBEDDING_MODEL_DIR`, or by name from Hugging Face.
    ///
    /// # Errors
    /// [`ModelError`], which names the setting to mend.
    pub fn load(settings: &EmbeddingSettings) -> Result<Self, ModelError> {
        start_runtime(settings.ort_dylib_path.as_deref())?;
        match &settings.embedding_model_dir {
            Some(dir) => Self::from_dir(&settings.embedding_model, dir),
            None => Self::from_hub(&settings.embedding_model),
        }
    }

    fn from_dir(name: &str, dir: &Path) -> Result<Self, ModelError> {
        let onnx_file = read(&dir.join("model.onnx"))?;
        let tokenizer_file = read(&dir.join("tokenizer.json"))?;
        let config_file = read(&dir.join("config.json"))?;
        let max_tokens = max_tokens(dir)?;
        let pooling = pooling(dir)?;
        let dimension = number(&config_file, "hidden_size").ok_or_else(|| ModelError::File {
            path: dir.join("config.json"),
            problem: "has no `hidden_size`".into(),
        })?;
        let weights = xxh3_128(&onnx_file) ^ xxh3_128(&tokenizer_file).rotate_left(1);
        let batch_independent = !is_dynamically_quantised(&onnx_file);
        let pooled = match pooling {
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
        };
        let files = TokenizerFiles {
            tokenizer_file,
            config_file,
            special_tokens_map_file: read(&dir.join("special_tokens_map.json"))?,
            tokenizer_config_file: read(&dir.join("tokenizer_config.json"))?,
        };
        let model = UserDefinedEmbeddingModel::new(onnx_file, files).with_pooling(pooling);
        let options = InitOptionsUserDefined::new()
            .with_max_length(max_tokens)
            .with_intra_threads(1)
            .with_session_config("session.intra_op.allow_spinning", "0");
        let text = TextEmbedding::try_new_from_user_defined(model, options)?;
        let fingerprint = format!("{weights:032x}/{pooled}/{max_tokens}");
        Ok(Self { text, info: ModelInfo { name: name.into(), dimension, max_tokens, fingerprint, batch_independent } })
    }

    fn from_hub(name: &str) -> Result<Self, ModelError> {
        let listed = TextEmbedding::list_supported_models();
        let known = listed.into_iter().find(|known| names(&known.model_code, name));
        let known = known.ok_or_else(|| ModelError::Unknown(name.into()))?;
        let options = TextInitOptions::new(known.model.clone())
            .with_intra_threads(1)
            .with_session_config("session.intra_op.allow_spinning", "0")
            .with_show_download_progress(true);
        let text = TextEmbedding::try_new(options)?;
        let max_tokens = text.tokenizer.get_truncation().map_or(DEFAULT_MAX_TOKENS, |cut| cut.max_length);
        let fingerprint = format!("{}/{:?}/{max_tokens}", known.model_code, known.model);
        let batch_independent = TextEmbedding::get_quantization_mode(&known.model) != QuantizationMode::Dynamic;
        let info = ModelInfo { name: name.into(), dimension: known.dim, max_tokens, fingerprint, batch_independent };
        Ok(Self { text, info })
    }

    /// What is known of the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model's tokenizer, as it is (truncating and padding).
    pub(crate) fn tokenizer(&self) -> &tokenizers::Tokenizer {
        &self.text.tokenizer
    }

    /// The texts' vectors, in their order, each of length 1 and of [`ModelInfo::dimension`] numbers.
    ///
    /// # Errors
    /// As ONNX Runtime.
    pub fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(self.text.embed(texts, Some(BATCH))?)
    }
}

/// Loads ONNX Runtime once a process. Before anything else touches it: `ort` panics where it finds no library.
///
/// # Errors
/// [`ModelError::Runtime`].
pub fn start_runtime(path: Option<&Path>) -> Result<(), ModelError> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let path = path.unwrap_or(Path::new("libonnxruntime.so"));
    let started = STARTED.get_or_init(|| ort::init_from(path).map(drop).map_err(|error| error.to_string()));
    started.clone().map_err(|problem| ModelError::Runtime { path: path.into(), problem })
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|error| ModelError::File { path: path.into(), problem: error.to_string() })
}

/// `max_seq_length` of sentence-transformers' own file; `tokenizer_config.json` states the architecture's limit instead.
fn max_tokens(dir: &Path) -> Result<usize, ModelError> {
    let path = dir.join("sentence_bert_config.json");
    if !path.exists() {
        return Ok(DEFAULT_MAX_TOKENS);
    }
    Ok(number(&read(&path)?, "max_seq_length").unwrap_or(DEFAULT_MAX_TOKENS))
}

/// How one vector is made of the tokens': as sentence-transformers' own file says. A folder without that file holds a
/// model of the default's family, which takes the mean. What is neither that nor the first token's is refused: its
/// vectors would be wrong, and nothing would tell.
fn pooling(dir: &Path) -> Result<Pooling, ModelError> {
    let path = dir.join("1_Pooling/config.json");
    if !path.exists() {
        return Ok(Pooling::Mean);
    }
    pooling_of(&read(&path)?).map_err(|problem| ModelError::File { path, problem })
}

fn pooling_of(json: &[u8]) -> Result<Pooling, String> {
    let config: Map<String, Value> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let chosen = |(name, value): (&String, &Value)| match value {
        Value::String(mode) if name == "pooling_mode" => Some(mode.clone()),
        Value::Bool(true) => name.strip_prefix("pooling_mode_").map(str::to_owned),
        _ => None,
    };
    let modes: Vec<String> = config.iter().filter_map(chosen).collect();
    match modes.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        other => Err(format!("pools by {other:?}; only mean_tokens or cls_token alone is supported")),
    }
}

/// Whether the graph has an operator that scales numbers by the batch: DynamicQuantizeLinear, -MatMul or -LSTM.
fn is_dynamically_quantised(mut onnx: &[u8]) -> bool {
    while onnx.skip_until(b'D').is_ok_and(|skipped| skipped > 0) {
        if onnx.starts_with(b"ynamicQuantize") {
            return true;
        }
    }
    false
}

fn number(json: &[u8], field: &str) -> Option<usize> {
    let json: Value = serde_json::from_slice(json).ok()?;
    usize::try_from(json.get(field)?.as_u64()?).ok()
}

/// `Qdrant/all-MiniLM-L6-v2-onnx` goes by that and by `all-MiniLM-L6-v2`, in any case.
fn names(model_code: &str, name: &str) -> bool {
    let last = model_code.rsplit('/').next().unwrap_or(model_code);
    let short = last.trim_end_matches("-onnx");
    [model_code, last, short].iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files as they are on Hugging Face: all-MiniLM-L6-v2's and bge-small-en-v1.5's.
    #[test]
    fn pooling_is_what_the_models_own_file_says() {
        let mean = r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false}"#;
        let cls =
            r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
        assert_eq!(pooling_of(mean.as_bytes()), Ok(Pooling::Mean));
        assert_eq!(pooling_of(cls.as_bytes()), Ok(Pooling::Cls));
        assert_eq!(pooling_of(br#"{"pooling_mode": "cls"}"#), Ok(Pooling::Cls));
        for other in [&b"{}"[..], br#"{"pooling_mode_lasttoken": true}"#, &mean.replace("false", "true").into_bytes()] {
            assert!(pooling_of(other).unwrap_err().contains("only"));
        }
        assert!(pooling_of(b"[]").is_err());
    }

    #[test]
    fn a_folder_without_the_file_takes_the_mean() {
        assert_eq!(pooling(Path::new("/nowhere")).unwrap(), Pooling::Mean);
    }

    #[test]
    fn dynamic_quantisation_is_seen_in_the_graph() {
        assert!(is_dynamically_quantised(b"\x08DD\x01\x15DynamicQuantizeLinear:"));
        assert!(!is_dynamically_quantised(b"\x08DD\x01Dynamic\x15MatMul"));
        assert!(!is_dynamically_quantised(b""));
    }
}
