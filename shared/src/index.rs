//! The index on Qdrant: which collections, how they are made, and how a reader finds the pair that is live.

use std::collections::HashMap;
use std::time::Duration;

use qdrant_client::config::QdrantConfig;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::{
    CollectionExistsRequest, Condition, CreateAlias, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    Distance, FieldType, Filter, GetPointsBuilder, KeywordIndexParamsBuilder, Modifier, PointId, PointStruct,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpdateMode, UpsertPointsBuilder, Vector,
    VectorParamsBuilder, VectorsConfigBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};
use serde::{Deserialize, Serialize};
use tonic::Code;
use uuid::Uuid;

use crate::embedding::ModelInfo;
use crate::identity::{Identity, NAMESPACE};
use crate::settings::{QdrantSettings, SettingsError};

/// Alias of the live collection of chunks.
pub const CHUNKS: &str = "twin_chunks";
/// Alias of the live collection of manifests.
pub const DOCUMENTS: &str = "twin_documents";
/// Collection of users; it depends on no model.
pub const AUTHORS: &str = "twin_authors";
/// Name of the dense vector.
pub const DENSE: &str = "dense";
/// Name of the sparse vector.
pub const BM25: &str = "bm25";

/// How long a document's former chunks outlive the move of its manifest. A reader's query that takes less has therefore
/// either begun after the new chunks came or ended before the old ones went: it never falls between two revisions.
pub const GRACE: Duration = Duration::from_secs(2);

/// The oldest Qdrant that this writes to.
const OLDEST_MAJOR: u32 = 1;
const OLDEST_MINOR: u32 = 17;

/// No request of ours takes this long on a healthy server: what does is a fault.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A pair of collections, by their real names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Chunks.
    pub chunks: String,
    /// Manifests.
    pub documents: String,
}

/// What an index was made for; kept in a meta point among its manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexMeta {
    /// Number of partitions.
    pub partitions: u16,
    /// Name of the model.
    pub model: String,
    /// Length of its vectors.
    pub dimension: u64,
    /// Changes with anything that changes a vector.
    pub model_fingerprint: String,
}

impl IndexMeta {
    /// What an index for this model and number of partitions bears.
    pub fn new(model: &ModelInfo, partitions: u16) -> Self {
        Self {
            partitions,
            model: model.name.clone(),
            dimension: model.dimension as u64,
            model_fingerprint: model.fingerprint.clone(),
        }
    }

    /// The model's part of [`Index::check`], for the index that this is of: all that a reader depends on.
    ///
    /// # Errors
    /// [`IndexError::Mismatch`].
    pub fn check_model(&self, ours: &Self) -> Result<(), IndexError> {
        let describe =
            |meta: &Self| format!("{} ({} dimensions, {})", meta.model, meta.dimension, meta.model_fingerprint);
        if (self.dimension, &self.model_fingerprint) == (ours.dimension, &ours.model_fingerprint) {
            return Ok(());
        }
        Err(IndexError::Mismatch { setting: "EMBEDDING_MODEL", index: describe(self), ours: describe(ours) })
    }
}

/// An index that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// As Qdrant.
    #[error("qdrant: {0}")]
    Qdrant(#[from] Box<QdrantError>),
    /// There is none yet.
    #[error("there is no index yet: neither alias `{CHUNKS}` nor `{DOCUMENTS}` exists (has the consumer run?)")]
    Missing,
    /// The index was made for something else.
    #[error("{setting}: the index was made for {index}, not for {ours}")]
    Mismatch {
        /// The setting that differs.
        setting: &'static str,
        /// What the index was made for.
        index: String,
        /// What is set now.
        ours: String,
    },
    /// The server does not know what this writes by, and would ignore it.
    #[error(
        "QDRANT_URL: qdrant {0} is too old: {OLDEST_MAJOR}.{OLDEST_MINOR} is the oldest that compares before it writes"
    )]
    TooOld(String),
    /// The meta point is not one of ours.
    #[error("the index `{0}` bears no meta point that this version understands")]
    Damaged(String),
}

impl From<QdrantError> for IndexError {
    fn from(error: QdrantError) -> Self {
        Self::Qdrant(Box::new(error))
    }
}

/// A client for this server. Connects at the first request.
///
/// # Errors
/// [`SettingsError`].
pub fn client(settings: &QdrantSettings) -> Result<Qdrant, SettingsError> {
    let mut config = QdrantConfig::from_url(&settings.url()?)
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(Duration::from_secs(5))
        .keep_alive_while_idle()
        .skip_compatibility_check();
    if let Some(key) = settings.api_key()? {
        config.set_api_key(key.expose());
    }
    config.build().map_err(|error| SettingsError::new("QDRANT_URL", error.to_string()))
}

impl Index {
    /// The live index.
    ///
    /// # Errors
    /// [`IndexError::Missing`] where no consumer has made one.
    pub async fn live(qdrant: &Qdrant) -> Result<Self, IndexError> {
        let aliases = qdrant.list_aliases().await?.aliases;
        let behind = |name: &str| {
            aliases.iter().find(|alias| alias.alias_name == name).map(|alias| alias.collection_name.clone())
        };
        match (behind(CHUNKS), behind(DOCUMENTS)) {
            (Some(chunks), Some(documents)) => Ok(Self { chunks, documents }),
            _ => Err(IndexError::Missing),
        }
    }

    /// The live index after checking that it was made for this; made now where there is none. May be cut off at any
    /// point and called again: the aliases, which make it live, come last.
    ///
    /// # Errors
    /// [`IndexError::Mismatch`] where it was made for another model or number of partitions, [`IndexError::TooOld`].
    pub async fn ensure(qdrant: &Qdrant, meta: &IndexMeta) -> Result<Self, IndexError> {
        check_version(&qdrant.health_check().await?.version)?;
        ensure_records(qdrant, AUTHORS, &[("full_name", FieldType::Keyword)]).await?;
        let index = match Self::live(qdrant).await {
            Ok(index) => index,
            Err(IndexError::Missing) => Self::create(qdrant, meta).await?,
            Err(error) => return Err(error),
        };
        index.check(qdrant, meta).await?;
        Ok(index)
    }

    async fn create(qdrant: &Qdrant, meta: &IndexMeta) -> Result<Self, IndexError> {
        let named = |kind: &str| format!("{kind}__{}__1", slug(&meta.model));
        let index = Self { chunks: named(CHUNKS), documents: named(DOCUMENTS) };
        ensure_records(qdrant, &index.documents, &[("author_id", FieldType::Keyword)]).await?;
        index.ensure_chunks(qdrant, meta.dimension).await?;
        index.write_meta(qdrant, meta).await?;
        index.ensure_aliases(qdrant).await?;
        Ok(index)
    }

    async fn ensure_chunks(&self, qdrant: &Qdrant, dimension: u64) -> Result<(), IndexError> {
        let mut vectors = VectorsConfigBuilder::default();
        vectors.add_named_vector_params(DENSE, VectorParamsBuilder::new(dimension, Distance::Cosine));
        let mut sparse = SparseVectorsConfigBuilder::default();
        sparse.add_named_vector_params(BM25, SparseVectorParamsBuilder::default().modifier(Modifier::Idf));
        let collection =
            CreateCollectionBuilder::new(&self.chunks).vectors_config(vectors).sparse_vectors_config(sparse);
        create_collection(qdrant, collection).await?;
        let tenant = KeywordIndexParamsBuilder::default().is_tenant(true);
        let by_author = CreateFieldIndexCollectionBuilder::new(&self.chunks, "author_id", FieldType::Keyword);
        qdrant.create_field_index(by_author.field_index_params(tenant).wait(true)).await?;
        for field in ["entry_id", "type", "platform", "language", "link"] {
            create_field_index(qdrant, &self.chunks, field, FieldType::Keyword).await?;
        }
        create_field_index(qdrant, &self.chunks, "bucket", FieldType::Integer).await
    }

    /// Two consumers at once: the first one's stands, the second finds it and checks.
    async fn write_meta(&self, qdrant: &Qdrant, meta: &IndexMeta) -> Result<(), IndexError> {
        let fields = serde_json::json!({ "meta": "index", "index": meta });
        let payload = Payload::try_from(fields).map_err(|_| IndexError::Damaged(self.documents.clone()))?;
        let point = PointStruct::new(meta_id(), HashMap::<String, Vector>::new(), payload);
        let insert = UpsertPointsBuilder::new(&self.documents, vec![point]).wait(true);
        qdrant.upsert_points(insert.update_mode(UpdateMode::InsertOnly)).await?;
        Ok(())
    }

    async fn ensure_aliases(&self, qdrant: &Qdrant) -> Result<(), IndexError> {
        // One by one, which the client offers: until the second is there, the index counts as missing.
        for (alias_name, collection_name) in [(CHUNKS, &self.chunks), (DOCUMENTS, &self.documents)] {
            let (alias_name, collection_name) = (alias_name.to_owned(), collection_name.clone());
            qdrant.create_alias(CreateAlias { collection_name, alias_name }).await?;
        }
        Ok(())
    }

    /// Compares what the index was made for with `ours`.
    ///
    /// # Errors
    /// [`IndexError::Mismatch`] names the setting.
    pub async fn check(&self, qdrant: &Qdrant, ours: &IndexMeta) -> Result<(), IndexError> {
        let theirs = self.meta(qdrant).await?;
        let mismatch = |setting, index: &dyn ToString, ours: &dyn ToString| {
            Err(IndexError::Mismatch { setting, index: index.to_string(), ours: ours.to_string() })
        };
        if theirs.partitions != ours.partitions {
            return mismatch("PARTITIONS", &theirs.partitions, &ours.partitions);
        }
        theirs.check_model(ours)
    }

    /// What the index was made for.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] where the meta point is missing.
    pub async fn meta(&self, qdrant: &Qdrant) -> Result<IndexMeta, IndexError> {
        #[derive(Deserialize)]
        struct Fields {
            index: IndexMeta,
        }
        let wanted = GetPointsBuilder::new(&self.documents, vec![meta_id().into()]).with_payload(true);
        let points = qdrant.get_points(wanted).await?.result;
        let damaged = || IndexError::Damaged(self.documents.clone());
        let point = points.into_iter().next().ok_or_else(damaged)?;
        let fields: Fields = Payload::from(point.payload).deserialize().map_err(|_| damaged())?;
        Ok(fields.index)
    }
}

/// The points of this document.
pub fn of_document(identity: &Identity) -> Filter {
    Filter::must([
        Condition::matches("entry_id", identity.entry_id.clone()),
        Condition::matches("type", identity.document_type.to_string()),
        Condition::matches("id_kind", identity.id_kind.as_str().to_owned()),
    ])
}

/// The id of a point; `None` for a number, which no point of ours has.
pub fn uuid_of(id: &PointId) -> Option<Uuid> {
    match id.point_id_options.as_ref()? {
        PointIdOptions::Uuid(text) => Uuid::parse_str(text).ok(),
        PointIdOptions::Num(_) => None,
    }
}

fn meta_id() -> String {
    Uuid::new_v5(&NAMESPACE, b"meta").to_string()
}

/// A collection of records without vectors, keyed by identity.
async fn ensure_records(qdrant: &Qdrant, name: &str, more: &[(&str, FieldType)]) -> Result<(), IndexError> {
    create_collection(qdrant, CreateCollectionBuilder::new(name)).await?;
    let fields = [
        ("entry_id", FieldType::Keyword),
        ("type", FieldType::Keyword),
        ("bucket", FieldType::Integer),
        ("revision", FieldType::Integer),
        ("deleted", FieldType::Bool),
    ];
    for (field, kind) in fields.iter().chain(more) {
        create_field_index(qdrant, name, field, *kind).await?;
    }
    Ok(())
}

async fn create_collection(qdrant: &Qdrant, collection: CreateCollectionBuilder) -> Result<(), IndexError> {
    let collection = collection.build();
    let existing = CollectionExistsRequest { collection_name: collection.collection_name.clone() };
    if qdrant.collection_exists(existing).await? {
        return Ok(());
    }
    match qdrant.create_collection(collection).await {
        Err(QdrantError::ResponseError { status }) if status.code() == Code::AlreadyExists => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn create_field_index(qdrant: &Qdrant, name: &str, field: &str, kind: FieldType) -> Result<(), IndexError> {
    qdrant.create_field_index(CreateFieldIndexCollectionBuilder::new(name, field, kind).wait(true)).await?;
    Ok(())
}

/// Older ones take a write without its condition (`update_filter` came with 1.16, `update_mode` with 1.17), and nobody would know.
fn check_version(version: &str) -> Result<(), IndexError> {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < (OLDEST_MAJOR, OLDEST_MINOR) => {
            Err(IndexError::TooOld(version.into()))
        }
        // A build without a number is somebody's own.
        _ => Ok(()),
    }
}

/// A model's name as a part of a collection's name: `Qdrant/bge-m3` → `Qdrant-bge-m3`.
fn slug(model: &str) -> String {
    model.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_would_ignore_a_condition_is_refused() {
        for old in ["1.16.3", "v1.9.0", "0.11.0"] {
            assert!(matches!(check_version(old), Err(IndexError::TooOld(_))), "{old}");
        }
        for fine in ["1.17.0", "v1.20.1", "2.0.0", "1.17.0-dev", "dev", ""] {
            assert!(check_version(fine).is_ok(), "{fine}");
        }
    }
}
