"""Payload indexes: from the API's parameters to the engine's, and back for the collection's description."""

import qdrant_edge as edge

from api import messages as pb
from refusal import bad_request, unsupported, wrong_input

# In the order of the API's FieldType; its PayloadSchemaType counts the same from 1.
_KINDS = ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid")
_TYPES = {kind: getattr(edge.PayloadSchemaType, kind.capitalize()) for kind in _KINDS}
_PARAMS = {kind: getattr(edge, f"{kind.capitalize()}IndexParams") for kind in _KINDS}
_TOKENIZERS = {
    pb.TokenizerType.Prefix: edge.TokenizerType.Prefix,
    pb.TokenizerType.Whitespace: edge.TokenizerType.Whitespace,
    pb.TokenizerType.Word: edge.TokenizerType.Word,
    pb.TokenizerType.Multilingual: edge.TokenizerType.Multilingual,
    pb.TokenizerType.Code: edge.TokenizerType.Code,
}
_MEMORIES = {
    pb.Memory.Cold: edge.Memory.Cold,
    pb.Memory.Cached: edge.Memory.Cached,
    pb.Memory.Pinned: edge.Memory.Pinned,
}


def read_schema(request):
    """The engine's schema for a request to index a field."""
    kind = request.field_index_params.WhichOneof("index_params")
    if kind is None:
        if not request.HasField("field_type"):
            raise bad_request("Can't auto-detect field type, please specify `field_schema`")
        return _TYPES[_kind_of(request.field_type)]
    params, kind = getattr(request.field_index_params, kind), kind.removesuffix("_index_params")
    if request.HasField("field_type") and _kind_of(request.field_type) != kind:
        raise wrong_input("field type and params mismatch")
    return _PARAMS[kind](**_read_params(params))


def _kind_of(field_type):
    if field_type >= len(_KINDS):
        raise wrong_input("cannot convert field type")
    return _KINDS[field_type]


def _read_params(params):
    arguments = {}
    for field, value in params.ListFields():
        if field.name in ("stopwords", "stemmer"):
            raise unsupported(f"{params.DESCRIPTOR.name}.{field.name}")
        if field.name == "tokenizer":
            value = _TOKENIZERS.get(value, edge.TokenizerType.Word)
        elif field.name == "memory":
            value = _MEMORIES.get(value)
        elif field.message_type is not None:
            value = True  # `prefix` and `scoring`: on where the (empty) message is there
        arguments[field.name] = value
    return arguments


def write_schema(described, index):
    """One index of the engine into the API's PayloadSchemaInfo."""
    kind = next(kind for kind, schema in _TYPES.items() if schema == index.data_type)
    described.data_type = _KINDS.index(kind) + 1
    described.points = index.points
    if index.params is None:
        return
    params = getattr(described.params, f"{kind}_index_params")
    params.SetInParent()
    for field in params.DESCRIPTOR.fields:
        _write_param(params, field, getattr(index.params, field.name, None))


def _write_param(params, field, value):
    if value is None or field.name in ("stopwords", "stemmer"):
        return
    if field.name == "tokenizer":
        params.tokenizer = _number_of(_TOKENIZERS, value)
    elif field.name == "memory":
        params.memory = _number_of(_MEMORIES, value)
    elif field.message_type is not None:
        if value:
            getattr(params, field.name).SetInParent()
    else:
        setattr(params, field.name, value)


def _number_of(numbers, value):
    return next(number for number, engine_value in numbers.items() if engine_value == value)
