"""Vectors, between the API's messages and the engine, and the spaces of a collection that they must fit.

The engine writes an operation to its log before it looks at it and applies a batch up to the first bad
point. So every vector is measured here, before the engine sees any.
"""

from dataclasses import dataclass

import qdrant_edge as edge

from refusal import admit, unsupported, wrong_input
from values import read_payload


@dataclass(frozen=True)
class DenseSpace:
    name: str
    dimension: int
    multi: bool = False

    def check(self, vector):
        if isinstance(vector, edge.SparseVector):
            raise wrong_input("Conversion between sparse and regular vectors failed")
        if _is_multi(vector) and not self.multi:
            raise wrong_input("Conversion between multi and regular vectors failed")
        for row in vector if _is_multi(vector) else [vector]:
            if len(row) != self.dimension:
                raise wrong_input(
                    f"Vector dimension error: expected dim: {self.dimension}, got {len(row)}"
                )


@dataclass(frozen=True)
class SparseSpace:
    name: str

    def check(self, vector):
        if not isinstance(vector, edge.SparseVector):
            raise wrong_input("Conversion between sparse and regular vectors failed")


def check_vectors(spaces, vectors):
    """Refuses vectors of one point that do not fit the collection's spaces (by name)."""
    named = vectors if isinstance(vectors, dict) else {"": vectors}
    for name, vector in named.items():
        space_of(spaces, name).check(vector)


def space_of(spaces, name):
    space = spaces.get(name)
    if space is None:
        raise wrong_input(f"Not existing vector name error: {name}")
    return space


def _is_multi(vector):
    return bool(vector) and isinstance(vector[0], list)


def read_vectors(message):
    """The vectors of one point: a dict by name, or the unnamed one alone."""
    kind = message.WhichOneof("vectors_options")
    if kind is None:
        return {}
    if kind == "vectors":
        return {name: read_vector(vector) for name, vector in message.vectors.vectors.items()}
    vector = read_vector(message.vector)
    return {"": vector} if isinstance(vector, edge.SparseVector) else vector


def read_vector(message):
    """A vector of an update, also in the form of clients before 1.16 (`data`, `indices`)."""
    kind = message.WhichOneof("vector")
    if kind == "document":
        return bm25(message.document).embed_document(message.document.text)
    if kind is not None:
        return read_plain(message, kind)
    if message.HasField("indices"):
        return sparse(message.indices.data, message.data)
    if message.HasField("vectors_count"):
        return _rows(message.data, message.vectors_count)
    return list(message.data)


def read_plain(message, kind):
    """A vector that is spelled out, of a point or of a query."""
    if kind == "dense":
        return list(message.dense.data)
    if kind == "sparse":
        return sparse(message.sparse.indices, message.sparse.values)
    if kind == "multi_dense":
        rows = [list(row.data) for row in message.multi_dense.vectors]
        if not rows:
            raise wrong_input("MultiDenseVector cannot be empty")
        return rows
    raise wrong_input("InferenceService is not initialized")


def sparse(indices, values):
    """The engine panics on ragged sparse vectors and takes repeated indices: neither passes here."""
    if len(indices) != len(values):
        raise wrong_input("Validation error: [values: must be the same length as indices]")
    if len(set(indices)) != len(indices):
        raise wrong_input("Validation error: [indices: must be unique]")
    ordered = sorted(zip(indices, values))
    return edge.SparseVector([index for index, _ in ordered], [value for _, value in ordered])


def _rows(data, count):
    if count == 0 or len(data) % count:
        raise wrong_input(f"{len(data)} values cannot be split into {count} vectors")
    size = len(data) // count
    return [list(data[start : start + size]) for start in range(0, len(data), size)]


def bm25(document):
    """Qdrant's own text-to-sparse model, the only one that needs no inference service."""
    admit(document, {"text", "model", "options"})
    if document.model.lower() != "qdrant/bm25":
        raise unsupported(f"inference with model `{document.model}`")
    try:
        return edge.Bm25(edge.Bm25Config(**read_payload(document.options)))
    except TypeError as error:
        raise wrong_input(error) from None


def write_vectors(message, vectors):
    if not isinstance(vectors, dict):
        _write_vector(message.vector, vectors)
        return
    message.vectors.SetInParent()
    for name, vector in vectors.items():
        _write_vector(message.vectors.vectors[name], vector)


def _write_vector(message, vector):
    if isinstance(vector, edge.SparseVector):
        message.sparse.indices.extend(vector.indices)
        message.sparse.values.extend(vector.values)
    elif _is_multi(vector):
        for row in vector:
            message.multi_dense.vectors.add().data.extend(row)
    else:
        message.dense.data.extend(vector)
