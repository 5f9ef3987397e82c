"""Queries: from the API's universal query, with its prefetches, to the engine's."""

import qdrant_edge as edge

from api import messages as pb
from filters import filter_of, read_filter
from formula import read_formula
from records import payload_selector, vectors_selector
from refusal import admit, bad_request, not_found, unsupported, wrong_input
from values import read_id
from vectors import bm25, read_plain, space_of

DEFAULT_LIMIT = 10
DEFAULT_RRF_K = 2
_STAGE = {"prefetch", "query", "using", "filter", "params", "score_threshold", "limit"}
# One replica is always consistent, and answers before any timeout.
_ENVELOPE = {"collection_name", "read_consistency", "timeout", "with_payload", "with_vectors"}
_SINGLE = _STAGE | _ENVELOPE | {"offset"}
_GROUPED = _STAGE | _ENVELOPE | {"group_by", "group_size"}


def limit_of(request, default=DEFAULT_LIMIT, field="limit"):
    """A limit of a request. Unset it is the default; zero is refused, as by a server."""
    if not request.HasField(field):
        return default
    if getattr(request, field) == 0:
        raise bad_request(f"Validation error in body: [{field}: value 0 invalid, must be 1 or larger]")
    return getattr(request, field)


def read_query(request, collection):
    admit(request, _SINGLE)
    stage = _Stage(request, collection).arguments()
    return edge.QueryRequest(offset=request.offset, **stage, **_selectors(request))


def read_grouped_query(request, collection, limit, must=(), must_not=()):
    """The query of a grouped request, narrowed to what its next round is after."""
    admit(request, _GROUPED)
    stage = _Stage(request, collection).arguments(must, must_not)
    return edge.QueryRequest(**{**stage, "limit": limit}, **_selectors(request))


def _selectors(request):
    return {
        "with_payload": payload_selector(request, default=False),
        "with_vector": vectors_selector(request),
    }


def read_order(message):
    admit(message, {"key", "direction", "start_from"})
    direction = edge.Direction.Desc if message.direction == pb.Direction.Desc else edge.Direction.Asc
    start = message.start_from.WhichOneof("value")
    value = getattr(message.start_from, start) if start else None
    if start == "timestamp":
        value = value.ToJsonString()
    return edge.OrderBy(message.key, direction, value)


def _read_params(message):
    """`exact`, and what steers indexes and quantization, are without effect: every search here is exact."""
    admit(message, {"hnsw_ef", "exact", "indexed_only", "quantization", "acorn", "idf"})
    idf = None
    if message.idf.HasField("corpus"):
        idf = edge.IdfParams(read_filter(message.idf.corpus))
    return edge.SearchParams(exact=True, idf=idf)


class _Stage:
    """One stage of a query: the request itself, or one of its prefetches."""

    def __init__(self, message, collection):
        self._message = message
        self._collection = collection
        self._using = message.using
        # Points that serve as examples are not hits of their own stage.
        self._examples = set()

    def arguments(self, must=(), must_not=()):
        message = self._message
        return {
            "limit": limit_of(message),
            "query": self._scoring(message.query) if message.HasField("query") else None,
            "prefetches": [self._prefetch(each) for each in message.prefetch] or None,
            "filter": self._filter(must, must_not),
            "params": _read_params(message.params) if message.HasField("params") else None,
            "score_threshold": message.score_threshold if message.HasField("score_threshold") else None,
        }

    def _prefetch(self, message):
        admit(message, _STAGE)
        return edge.Prefetch(**_Stage(message, self._collection).arguments())

    def _filter(self, must, must_not):
        own = filter_of(self._message)
        must = [*([own] if own else []), *must]
        examples = [edge.HasIdCondition(self._examples)] if self._examples else []
        must_not = [*examples, *must_not]
        if not must_not and len(must) <= 1:
            return must[0] if must else None
        return edge.Filter(must=must or None, must_not=must_not or None)

    def _scoring(self, query):
        kind = query.WhichOneof("variant")
        if kind is None:
            admit(query, ())
            return None
        read = getattr(self, f"_{kind}", None)
        if read is None:
            raise unsupported(f"Query.{kind}")
        return read(getattr(query, kind))

    def _nearest(self, message):
        return edge.Query.Nearest(self._vector(message), self._using or None)

    def _nearest_with_mmr(self, message):
        admit(message.mmr, {"diversity", "candidates_limit"})
        diversity = message.mmr.diversity if message.mmr.HasField("diversity") else 0.5
        candidates = limit_of(message.mmr, limit_of(self._message), "candidates_limit")
        vector = self._vector(message.nearest)
        return edge.Mmr(vector, 1 - diversity, candidates, self._using or None)

    def _order_by(self, message):
        return read_order(message)

    def _fusion(self, fusion):
        if fusion == pb.Fusion.DBSF:
            return edge.Fusion.Dbsf()
        return edge.Fusion.Rrf(DEFAULT_RRF_K)

    def _rrf(self, message):
        admit(message, {"k", "weights"})
        return edge.Fusion.Rrf(limit_of(message, DEFAULT_RRF_K, "k"), list(message.weights) or None)

    def _sample(self, _sample):
        return edge.Sample.Random

    def _formula(self, message):
        return read_formula(message)

    def _text(self, message):
        admit(message, {"query", "bm25"})
        scoring = None
        if message.WhichOneof("scoring") == "bm25":
            set_fields = {field.name: value for field, value in message.bm25.ListFields()}
            scoring = edge.Bm25Params(**set_fields)
        return edge.TextQuery(self._using, message.query, scoring)

    def _recommend(self, message):
        admit(message, {"positive", "negative", "strategy"})
        positive = [self._vector(each) for each in message.positive]
        negative = [self._vector(each) for each in message.negative]
        if message.strategy == pb.RecommendStrategy.AverageVector:
            return edge.Query.Nearest(_average_target(positive, negative), self._using or None)
        best = message.strategy == pb.RecommendStrategy.BestScore
        build = edge.Query.RecommendBestScore if best else edge.Query.RecommendSumScores
        if not positive and not negative:
            raise bad_request("At least one positive or negative example is required")
        return build(edge.RecommendQuery(positive, negative), self._using or None)

    def _discover(self, message):
        target = self._vector(message.target)
        pairs = self._pairs(message.context)
        return edge.Query.Discover(edge.DiscoverQuery(target, pairs), self._using or None)

    def _context(self, message):
        return edge.Query.Context(edge.ContextQuery(self._pairs(message)), self._using or None)

    def _pairs(self, context):
        return [
            edge.ContextPair(self._vector(pair.positive), self._vector(pair.negative))
            for pair in context.pairs
        ]

    def _vector(self, message):
        """A vector to compare with: spelled out, made of text, or that of a point."""
        kind = message.WhichOneof("variant")
        if kind == "document":
            vector = bm25(message.document).embed_query(message.document.text)
        elif kind == "id":
            vector = self._vector_of(read_id(message.id))
        elif kind is None:
            raise wrong_input("VectorInput is empty")
        else:
            vector = read_plain(message, kind)
        space_of(self._collection.spaces, self._using).check(vector)
        return vector

    def _vector_of(self, point_id):
        space_of(self._collection.spaces, self._using)
        records = self._collection.retrieve([point_id], False, [self._using] if self._using else True)
        if not records:
            raise not_found(f"No point with id {point_id} found")
        vector = records[0].vector
        if isinstance(vector, dict):
            vector = vector.get(self._using)
        if vector is None:
            raise not_found(f"Point {point_id} does not have vector `{self._using}`")
        self._examples.add(point_id)
        return vector


def _average_target(positive, negative):
    """Where averages of examples point to: twice the good ones, less the bad ones."""
    if not positive:
        raise bad_request("At least one positive example is required with the AverageVector strategy")
    for vector in positive + negative:
        if isinstance(vector, edge.SparseVector) or isinstance(vector[0], list):
            raise unsupported("RecommendInput of other than dense vectors with AverageVector")
    good = _average(positive)
    if not negative:
        return good
    return [2 * to - away for to, away in zip(good, _average(negative))]


def _average(vectors):
    return [sum(column) / len(vectors) for column in zip(*vectors)]
