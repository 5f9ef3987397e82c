"""What a collection is made of: from the message that created it to vector spaces, engine and description.

Options that change speed or memory and never an answer (HNSW, optimizers, write-ahead log, placement on disk)
are kept and reported, and have no effect: search here is exact. Those that would change an answer are refused.
"""

import qdrant_edge as edge

from api import messages as pb
from refusal import admit, unsupported, wrong_input
from vectors import DenseSpace, SparseSpace

# The engine wants at least one vector in a shard, a server allows none: this one is never shown and never used.
_HIDDEN_VECTOR = "hidden-unused"
_DISTANCES = {
    pb.Cosine: edge.Distance.Cosine,
    pb.Euclid: edge.Distance.Euclid,
    pb.Dot: edge.Distance.Dot,
    pb.Manhattan: edge.Distance.Manhattan,
}
_DATATYPES = {
    pb.Datatype.Float32: edge.VectorStorageDatatype.Float32,
    pb.Datatype.Uint8: edge.VectorStorageDatatype.Uint8,
    pb.Datatype.Float16: edge.VectorStorageDatatype.Float16,
}
_TUNING = {"hnsw_config", "wal_config", "optimizers_config", "on_disk_payload", "payload", "id_tracker"}
_SUPPORTED = _TUNING | {
    "collection_name",
    "timeout",
    "vectors_config",
    "sparse_vectors_config",
    "metadata",
    "shard_number",
    "replication_factor",
    "write_consistency_factor",
    "sharding_method",
    "strict_mode_config",
}


def check_supported(create):
    """Refuses what one shard on one machine cannot honour."""
    admit(create, _SUPPORTED)
    for field in ("shard_number", "replication_factor", "write_consistency_factor"):
        if create.HasField(field) and getattr(create, field) == 0:
            raise wrong_input(f"Validation error in body: [{field}: value 0 invalid, must be 1 or larger]")
        if getattr(create, field) > 1:
            raise unsupported(f"CreateCollection.{field} above 1")
    if create.sharding_method == pb.ShardingMethod.Custom:
        raise unsupported("CreateCollection.sharding_method Custom")
    if create.strict_mode_config.enabled:
        raise unsupported("CreateCollection.strict_mode_config")
    if create.optimizers_config.prevent_unoptimized:
        raise unsupported("OptimizersConfigDiff.prevent_unoptimized")


def vector_spaces(create):
    """The spaces of a collection by name; the unnamed vector's name is empty."""
    spaces = {}
    for name, params in _dense_params(create).items():
        admit(
            params,
            {"size", "distance", "hnsw_config", "on_disk", "memory", "datatype", "multivector_config"},
        )
        if not 1 <= params.size <= 65536:
            raise wrong_input(
                f"Validation error in body: [size: value {params.size} invalid, must be from 1 to 65536]"
            )
        if params.distance not in _DISTANCES:
            raise wrong_input(f"unknown distance of vector `{name}`")
        _check_datatype(params)
        spaces[name] = DenseSpace(name, params.size, params.HasField("multivector_config"))
    for name, params in create.sparse_vectors_config.map.items():
        if name in spaces:
            raise wrong_input(f"sparse vector `{name}` has the name of a dense one")
        _check_datatype(params.index)
        spaces[name] = SparseSpace(name)
    return spaces


def engine_config(create):
    dense = {name: _engine_dense(params) for name, params in _dense_params(create).items()}
    sparse = {
        name: edge.EdgeSparseVectorParams(
            modifier=edge.Modifier.Idf if params.modifier == pb.Modifier.Idf else None,
            datatype=_DATATYPES.get(params.index.datatype),
        )
        for name, params in create.sparse_vectors_config.map.items()
    }
    if not dense and not sparse:
        sparse = {_HIDDEN_VECTOR: edge.EdgeSparseVectorParams()}
    # Never optimized, a shard keeps one segment, and one segment is searched by one thread.
    return edge.EdgeConfig(
        vectors=dense or None, sparse_vectors=sparse or None, max_search_threads=1
    )


def _dense_params(create):
    kind = create.vectors_config.WhichOneof("config")
    if kind is None:
        return {}
    if kind == "params":
        return {"": create.vectors_config.params}
    return create.vectors_config.params_map.map


def _check_datatype(params):
    if params.datatype and params.datatype not in _DATATYPES:
        raise unsupported(f"datatype {pb.Datatype.Name(params.datatype)}")


def _engine_dense(params):
    multi = None
    if params.HasField("multivector_config"):
        multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.EdgeVectorParams(
        params.size,
        _DISTANCES[params.distance],
        multivector_config=multi,
        datatype=_DATATYPES.get(params.datatype),
    )


def describe(create):
    """The configuration as a server reports it: what was asked for, over a server's defaults."""
    described = pb.CollectionConfig()
    _describe_params(create, described.params)
    described.hnsw_config.CopyFrom(
        pb.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10000, max_indexing_threads=0)
    )
    described.hnsw_config.MergeFrom(create.hnsw_config)
    described.optimizer_config.CopyFrom(
        pb.OptimizersConfigDiff(
            deleted_threshold=0.2,
            vacuum_min_vector_number=1000,
            default_segment_number=0,
            flush_interval_sec=5,
            indexing_threshold=10000,
        )
    )
    described.optimizer_config.MergeFrom(create.optimizers_config)
    described.wal_config.CopyFrom(
        pb.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0, wal_retain_closed=1)
    )
    described.wal_config.MergeFrom(create.wal_config)
    if create.HasField("strict_mode_config"):
        described.strict_mode_config.CopyFrom(create.strict_mode_config)
    for key, value in create.metadata.items():
        described.metadata[key].CopyFrom(value)
    return described


def _describe_params(create, params):
    params.shard_number = 1
    params.replication_factor = 1
    params.write_consistency_factor = 1
    params.on_disk_payload = create.on_disk_payload if create.HasField("on_disk_payload") else True
    if create.HasField("vectors_config"):
        params.vectors_config.CopyFrom(create.vectors_config)
    else:
        params.vectors_config.params_map.SetInParent()
    for field in ("sparse_vectors_config", "payload", "id_tracker"):
        if create.HasField(field):
            getattr(params, field).CopyFrom(getattr(create, field))
