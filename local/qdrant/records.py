"""Points on their way out: which parts are asked for, and their messages."""

import qdrant_edge as edge

from values import write_id, write_payload
from vectors import write_vectors


def payload_selector(request, default):
    """Which payload a request wants; `default` where it does not say."""
    kind = request.with_payload.WhichOneof("selector_options")
    if kind is None:
        return default
    if kind == "enable":
        return request.with_payload.enable
    choose = edge.PayloadSelector.Include if kind == "include" else edge.PayloadSelector.Exclude
    return choose(list(getattr(request.with_payload, kind).fields))


def vectors_selector(request):
    """Which vectors a request wants: all or none as a bool, or names."""
    selector = request.with_vectors
    if selector.WhichOneof("selector_options") == "include":
        return list(selector.include.names)
    return selector.enable


def write_record(message, record):
    message.id.CopyFrom(write_id(record.id))
    if record.payload:
        write_payload(message.payload, record.payload)
    if record.vector is not None:
        write_vectors(message.vectors, record.vector)
    if isinstance(record.order_value, int):
        message.order_value.int = record.order_value
    elif record.order_value is not None:
        message.order_value.float = record.order_value


def write_hit(message, hit):
    write_record(message, hit)
    message.score = hit.score
    message.version = hit.version
