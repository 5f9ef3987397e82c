"""Updates: each request that writes, as an operation of the engine.

All that can be told from the request and the collection's spaces is checked here, so that a rejected batch
leaves nothing behind (the engine would apply it up to the first bad point).
"""

from dataclasses import dataclass

import qdrant_edge as edge

from api import messages as pb
from filters import filter_of, read_filter
from indexes import read_schema
from refusal import admit, bad_request, unsupported, wrong_input
from values import read_id, read_payload
from vectors import check_vectors, read_vectors, space_of

# One shard on one machine: every write is in order, and is done before any timeout.
_ENVELOPE = {"collection_name", "wait", "ordering", "timeout"}
_MODES = {
    pb.UpdateMode.Upsert: None,
    pb.UpdateMode.InsertOnly: edge.UpdateMode.InsertOnly,
    pb.UpdateMode.UpdateOnly: edge.UpdateMode.UpdateOnly,
}


@dataclass(frozen=True)
class Update:
    """An operation, and the points that have to be there for it."""

    operation: edge.UpdateOperation
    needs: tuple = ()


def upsert(request, spaces):
    admit(request, _ENVELOPE | {"points", "update_filter", "update_mode"})
    if not request.points:
        raise bad_request("Empty update request")
    if request.update_mode not in _MODES:
        raise wrong_input("unknown update mode")
    points = []
    for point in request.points:
        point_id, vectors = read_id(point.id), read_vectors(point.vectors)
        check_vectors(spaces, vectors)
        points.append(edge.Point(point_id, vectors, read_payload(point.payload)))
    condition, mode = filter_of(request, "update_filter"), _MODES[request.update_mode]
    if condition is None and mode is not None:
        condition = edge.Filter()  # without a condition the engine forgets the mode
    return Update(edge.UpdateOperation.upsert_points(points, condition, mode))


def update_vectors(request, spaces):
    admit(request, _ENVELOPE | {"points", "update_filter"})
    if not request.points:
        raise bad_request("Empty update request")
    ids, points = [], []
    for point in request.points:
        vectors = read_vectors(point.vectors)
        check_vectors(spaces, vectors)
        ids.append(read_id(point.id))
        points.append(edge.PointVectors(ids[-1], vectors))
    operation = edge.UpdateOperation.update_vectors(points, filter_of(request, "update_filter"))
    return Update(operation, needs=tuple(ids))


def delete_vectors(request, spaces):
    admit(request, _ENVELOPE | {"points_selector", "vectors"})
    names = list(request.vectors.names)
    if not names:
        raise bad_request("Empty update request")
    for name in names:
        space_of(spaces, name)
    return _selected(
        request.points_selector,
        lambda ids: edge.UpdateOperation.delete_vectors(ids, names),
        lambda condition: edge.UpdateOperation.delete_vectors_by_filter(condition, names),
    )


def delete(request, _spaces):
    admit(request, _ENVELOPE | {"points"})
    update = _selected(
        request.points,
        edge.UpdateOperation.delete_points,
        edge.UpdateOperation.delete_points_by_filter,
    )
    return Update(update.operation)  # what is not there is deleted already


def set_payload(request, _spaces):
    payload, key = _payload_and_key(request)
    return _selected(
        request.points_selector,
        lambda ids: edge.UpdateOperation.set_payload(ids, payload, key),
        lambda condition: edge.UpdateOperation.set_payload_by_filter(condition, payload, key),
    )


def overwrite_payload(request, _spaces):
    payload, key = _payload_and_key(request)
    return _selected(
        request.points_selector,
        lambda ids: edge.UpdateOperation.overwrite_payload(ids, payload, key),
        lambda condition: edge.UpdateOperation.overwrite_payload_by_filter(condition, payload, key),
    )


def _payload_and_key(request):
    admit(request, _ENVELOPE | {"points_selector", "payload", "key"})
    return read_payload(request.payload), request.key if request.HasField("key") else None


def delete_payload(request, _spaces):
    admit(request, _ENVELOPE | {"points_selector", "keys"})
    keys = list(request.keys)
    return _selected(
        request.points_selector,
        lambda ids: edge.UpdateOperation.delete_payload(ids, keys),
        lambda condition: edge.UpdateOperation.delete_payload_by_filter(condition, keys),
    )


def clear_payload(request, _spaces):
    admit(request, _ENVELOPE | {"points"})
    return _selected(
        request.points,
        edge.UpdateOperation.clear_payload,
        edge.UpdateOperation.clear_payload_by_filter,
    )


def create_index(request, _spaces):
    admit(request, _ENVELOPE | {"field_name", "field_type", "field_index_params"})
    return Update(edge.UpdateOperation.create_field_index(request.field_name, read_schema(request)))


def delete_index(request, _spaces):
    admit(request, _ENVELOPE | {"field_name"})
    return Update(edge.UpdateOperation.delete_field_index(request.field_name))


def _selected(selector, by_ids, by_filter):
    kind = selector.WhichOneof("points_selector_one_of")
    if kind is None:
        raise wrong_input("PointsSelector is not set")
    if kind == "filter":
        return Update(by_filter(read_filter(selector.filter)))
    ids = [read_id(point_id) for point_id in selector.points.ids]
    if not ids:
        raise bad_request("Empty update request")
    return Update(by_ids(ids), needs=tuple(ids))


_IN_BATCH = {
    "upsert": upsert,
    "delete_points": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def batch(request, spaces):
    """The updates of a batch, all checked before the first is applied."""
    admit(request, _ENVELOPE | {"operations"})
    updates = []
    for operation in request.operations:
        kind = operation.WhichOneof("operation")
        if kind is None:
            raise wrong_input("operation is not set")
        if kind not in _IN_BATCH:
            raise unsupported(f"PointsUpdateOperation.{kind}")
        updates.append(_IN_BATCH[kind](getattr(operation, kind), spaces))
    return updates
