"""Formulas that rescore hits: expressions over scores and payload, as the engine wants them."""

import qdrant_edge as edge

from filters import geo_point, read_condition
from refusal import admit, wrong_input
from values import read_payload


def read_formula(message):
    admit(message, {"expression", "defaults"})
    return edge.Formula(_expression(message.expression), read_payload(message.defaults) or None)


def _expression(message):
    kind = message.WhichOneof("variant")
    admit(message, _EXPRESSIONS)
    if kind is None:
        raise wrong_input("missing expression")
    return _EXPRESSIONS[kind](getattr(message, kind))


def _many(name):
    """`sum`, `mult` and the like: the message's only field bears its own name."""
    build = getattr(edge.Expression, name.capitalize())
    return lambda message: build([_expression(each) for each in getattr(message, name)])


def _one(name):
    build = getattr(edge.Expression, name.capitalize())
    return lambda message: build(_expression(message))


def _divide(message):
    by_zero = message.by_zero_default if message.HasField("by_zero_default") else None
    return edge.Expression.Div(_expression(message.left), _expression(message.right), by_zero)


def _power(message):
    return edge.Expression.Pow(_expression(message.base), _expression(message.exponent))


def _geo_distance(message):
    return edge.Expression.GeoDistance(geo_point(message.origin), message.to)


def _decay(kind):
    def build(message):
        return edge.Expression.Decay(
            kind,
            _expression(message.x),
            _expression(message.target) if message.HasField("target") else None,
            message.midpoint if message.HasField("midpoint") else None,
            message.scale if message.HasField("scale") else None,
        )

    return build


_EXPRESSIONS = {
    "constant": edge.Expression.Constant,
    "variable": edge.Expression.Variable,
    "datetime": edge.Expression.Datetime,
    "datetime_key": edge.Expression.DatetimeKey,
    "condition": lambda message: edge.Expression.Condition(read_condition(message)),
    "geo_distance": _geo_distance,
    "div": _divide,
    "pow": _power,
    "exp_decay": _decay(edge.DecayKind.Exp),
    "gauss_decay": _decay(edge.DecayKind.Gauss),
    "lin_decay": _decay(edge.DecayKind.Lin),
    **{name: _many(name) for name in ("sum", "mult", "max", "min")},
    **{name: _one(name) for name in ("neg", "abs", "sqrt", "exp", "log10", "ln", "acosh")},
}
