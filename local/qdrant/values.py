"""Payload values and point ids, between the API's messages and Python."""

import uuid

from api import messages as pb
from refusal import wrong_input

_INT64 = range(-(2**63), 2**63)


def read_value(value):
    """A payload value as Python; integers stay exact, an unset kind is null."""
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return [read_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return read_payload(value.struct_value.fields)
    if kind is None or kind == "null_value":
        return None
    return getattr(value, kind)


def read_payload(fields):
    return {key: read_value(value) for key, value in fields.items()}


def write_value(message, value):
    # bool before int: True is an int to Python.
    if value is None:
        message.null_value = 0
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int) and value in _INT64:
        message.integer_value = value
    elif isinstance(value, (int, float)):
        message.double_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, list):
        message.list_value.SetInParent()
        for item in value:
            write_value(message.list_value.values.add(), item)
    else:
        message.struct_value.SetInParent()
        write_payload(message.struct_value.fields, value)


def write_payload(fields, payload):
    for key, value in payload.items():
        write_value(fields[key], value)


def values_at(payload, path):
    """All values under a payload path such as `a.b` or `a[].b`, arrays spread out."""
    found = [payload]
    for part in path.replace("[]", "").split("."):
        found = [
            entry.get(part.strip('"')) for entry in _spread(found) if isinstance(entry, dict)
        ]
    return [value for value in _spread(found) if value is not None]


def _spread(values):
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def read_id(point_id):
    """An int, or a UUID as lower-case hyphenated text."""
    kind = point_id.WhichOneof("point_id_options")
    if kind == "num":
        return point_id.num
    if kind is None:
        raise wrong_input("Empty ID is not allowed")
    try:
        return str(uuid.UUID(point_id.uuid))
    except ValueError:
        raise wrong_input(f"Unable to parse UUID: {point_id.uuid}") from None


def write_id(point_id):
    if isinstance(point_id, int):
        return pb.PointId(num=point_id)
    return pb.PointId(uuid=str(point_id))
