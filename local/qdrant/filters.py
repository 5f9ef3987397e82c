"""Filters: conditions on payload, ids and vectors, as the engine wants them."""

import numpy
import qdrant_edge as edge

from refusal import admit, wrong_input
from values import read_id

_RANGE = ("lt", "gt", "gte", "lte")


def read_filter(message):
    admit(message, {"must", "should", "must_not", "min_should"})
    clauses = {
        name: [read_condition(condition) for condition in getattr(message, name)]
        for name in ("must", "should", "must_not")
        if getattr(message, name)
    }
    if message.HasField("min_should"):
        conditions = [read_condition(condition) for condition in message.min_should.conditions]
        clauses["min_should"] = edge.MinShould(conditions, message.min_should.min_count)
    return edge.Filter(**clauses)


def filter_of(request, field="filter"):
    """The filter of a request, None where it has none."""
    return read_filter(getattr(request, field)) if request.HasField(field) else None


def read_condition(message):
    admit(message, _CONDITIONS)
    kind = message.WhichOneof("condition_one_of")
    if kind is None:
        raise wrong_input("Malformed Condition type")
    return _CONDITIONS[kind](getattr(message, kind))


def _nested(message):
    return edge.NestedCondition(message.key, read_filter(message.filter))


_CONDITIONS = {
    "field": lambda message: _field(message),
    "filter": read_filter,
    "nested": _nested,
    "is_empty": lambda message: edge.IsEmptyCondition(message.key),
    "is_null": lambda message: edge.IsNullCondition(message.key),
    "has_id": lambda message: edge.HasIdCondition({read_id(each) for each in message.has_id}),
    "has_vector": lambda message: edge.HasVectorCondition(message.has_vector),
    "slice": lambda message: edge.SliceCondition(total=message.total, index=message.index),
}


def _field(message):
    admit(message, {"key", "is_empty", "is_null", *_FIELD_TESTS})
    # Several tests in one condition: the engine, like a server, takes each that is set.
    tests = {
        _FIELD_TESTS[field.name][0]: _FIELD_TESTS[field.name][1](test)
        for field, test in message.ListFields()
        if field.name in _FIELD_TESTS
    }
    return edge.FieldCondition(key=message.key, **tests, **_set_fields(message, "is_empty", "is_null"))


def read_match(message):
    admit(message, _MATCHES)
    kind = message.WhichOneof("match_value")
    if kind is None:
        raise wrong_input("Malformed Match condition")
    return _MATCHES[kind](getattr(message, kind))


_MATCHES = {
    "keyword": edge.MatchValue,
    "integer": edge.MatchValue,
    # A Python bool is an int to the engine, so True would ask for the integer 1.
    "boolean": lambda value: edge.MatchValue(numpy.bool_(value)),
    "keywords": lambda message: edge.MatchAny(list(message.strings)),
    "integers": lambda message: edge.MatchAny(list(message.integers)),
    "except_keywords": lambda message: edge.MatchExcept(list(message.strings)),
    "except_integers": lambda message: edge.MatchExcept(list(message.integers)),
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
}


def _set_fields(message, *names):
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def _range(message):
    return edge.RangeFloat(**_set_fields(message, *_RANGE))


def _datetime_range(message):
    bounds = _set_fields(message, *_RANGE)
    return edge.RangeDateTime(**{name: bound.ToJsonString() for name, bound in bounds.items()})


def _values_count(message):
    return edge.ValuesCount(**_set_fields(message, *_RANGE))


def geo_point(message):
    return edge.GeoPoint(message.lon, message.lat)


def _geo_box(message):
    return edge.GeoBoundingBox(geo_point(message.top_left), geo_point(message.bottom_right))


def _geo_radius(message):
    return edge.GeoRadius(geo_point(message.center), message.radius)


def _geo_polygon(message):
    exterior = [geo_point(point) for point in message.exterior.points]
    interiors = [[geo_point(point) for point in line.points] for line in message.interiors]
    return edge.GeoPolygon(exterior, interiors)


_FIELD_TESTS = {
    "match": ("match", read_match),
    "range": ("range", _range),
    "datetime_range": ("range", _datetime_range),
    "geo_bounding_box": ("geo_bounding_box", _geo_box),
    "geo_radius": ("geo_radius", _geo_radius),
    "geo_polygon": ("geo_polygon", _geo_polygon),
    "values_count": ("values_count", _values_count),
}
