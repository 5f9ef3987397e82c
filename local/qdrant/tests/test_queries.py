"""Queries: what is found, in which order, under which filter."""

import unittest

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, QdrantTest


def field(key, **test):
    return models.FieldCondition(key=key, **test)


def match(key, value):
    return field(key, match=models.MatchValue(value=value))


def sparse(**weights):
    """Sparse vectors of words, where a word's index is the place of its first letter in the alphabet."""
    items = sorted((ord(word[0]) - ord("a"), weight) for word, weight in weights.items())
    return models.SparseVector(
        indices=[index for index, _ in items], values=[weight for _, weight in items]
    )


POINTS = (
    # id, dense, sparse, payload
    (1, [1, 0], sparse(apple=1, bread=1), {"kind": "a", "n": 1, "live": True, "tags": ["x", "y"]}),
    (2, [0.9, 0.1], sparse(bread=1), {"kind": "a", "n": 2, "live": False, "tags": ["y"]}),
    (3, [0.5, 0.5], sparse(bread=1, cake=3), {"kind": "b", "n": 3, "live": True, "none": None}),
    (4, [0.1, 0.9], sparse(cake=1), {"kind": "b", "n": 4, "live": False, "map": [{"a": 1, "b": 2}]}),
    (5, [0, 1], sparse(dill=1), {"kind": "c", "n": 5, "when": "2026-11-22T04:43:51.510Z"}),
)


class Queries(QdrantTest):
    @classmethod
    def setUpClass(cls):
        cls.fixture = cls("run_nothing")
        cls.fixture.setUp()
        cls.addClassCleanup(cls.fixture.doCleanups)
        cls.name = cls.fixture.new_collection(
            {"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)},
            {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        client = cls.fixture.client
        client.create_payload_index(cls.name, "kind", models.PayloadSchemaType.KEYWORD, wait=True)
        client.create_payload_index(cls.name, "n", models.PayloadSchemaType.INTEGER, wait=True)
        points = [
            models.PointStruct(id=number, vector={"dense": dense, "bm25": words}, payload=payload)
            for number, dense, words, payload in POINTS
        ]
        client.upsert(cls.name, points, wait=True)

    def run_nothing(self):
        """The test that owns the collection of all the others."""

    def found(self, **arguments):
        """Ids of the hits, best first."""
        return [hit.id for hit in self.client.query_points(self.name, **arguments).points]

    def filtered(self, **clauses):
        records, _ = self.client.scroll(self.name, models.Filter(**clauses))
        return [record.id for record in records]


class Scores(Queries):
    def test_dense_hits_come_nearest_first(self):
        hits = self.client.query_points(self.name, query=[1, 0], using="dense").points
        self.assertEqual([hit.id for hit in hits], [1, 2, 3, 4, 5])
        self.assertAlmostEqual(hits[0].score, 1.0, places=5)
        self.assertAlmostEqual(hits[2].score, 0.5**0.5, places=5)

    def test_rare_words_weigh_more(self):
        self.assertEqual(self.found(query=sparse(bread=1, apple=1), using="bm25")[0], 1)
        self.assertEqual(self.found(query=sparse(dill=1), using="bm25"), [5])
        one, two = (
            self.client.query_points(self.name, query=sparse(**word), using="bm25").points[0].score
            for word in ({"dill": 1}, {"bread": 1})
        )
        self.assertGreater(one, two)

    def test_fusion_of_dense_and_sparse(self):
        prefetch = [
            models.Prefetch(query=[0, 1], using="dense", limit=2),
            models.Prefetch(query=sparse(dill=1), using="bm25", limit=2),
        ]
        rrf = models.FusionQuery(fusion=models.Fusion.RRF)
        hits = self.client.query_points(self.name, prefetch=prefetch, query=rrf).points
        self.assertEqual([hit.id for hit in hits], [5, 4])
        # First of both lists: 1/(2+0) twice; second of one: 1/(2+1).
        self.assertAlmostEqual(hits[0].score, 1.0, places=5)
        self.assertAlmostEqual(hits[1].score, 1 / 3, places=5)

    def test_filters_within_a_prefetch(self):
        prefetch = models.Prefetch(
            query=[1, 0], using="dense", limit=5, filter=models.Filter(must=[match("kind", "b")])
        )
        rrf = models.FusionQuery(fusion=models.Fusion.RRF)
        self.assertEqual(self.found(prefetch=prefetch, query=rrf), [3, 4])
        self.assertEqual(self.found(prefetch=prefetch, query=[0, 1], using="dense"), [4, 3])

    def test_limit_offset_and_threshold(self):
        nearest = {"query": [1, 0], "using": "dense"}
        self.assertEqual(self.found(**nearest, limit=2), [1, 2])
        self.assertEqual(self.found(**nearest, limit=2, offset=2), [3, 4])
        self.assertEqual(self.found(**nearest, score_threshold=0.9), [1, 2])
        self.assertEqual(self.found(**nearest, offset=99), [])

    def test_limit_far_beyond_the_points(self):
        request = pb.QueryPoints(
            collection_name=self.name,
            query=pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=[1, 0]))),
            using="dense",
            limit=10**6,
        )
        self.assertEqual(len(self.points.Query(request, timeout=CALL_SECONDS).result), 5)

    def test_an_example_is_not_its_own_hit(self):
        self.assertEqual(self.found(query=1, using="dense", limit=2), [2, 3])
        with self.refused(grpc.StatusCode.NOT_FOUND, "99"):
            self.found(query=99, using="dense")

    def test_recommendation_leans_to_the_good_examples(self):
        wanted = models.RecommendInput(positive=[5], negative=[1])
        found = self.found(query=models.RecommendQuery(recommend=wanted), using="dense")
        self.assertEqual(found, [4, 3, 2])

    def test_order_by_a_value(self):
        order = models.OrderByQuery(order_by=models.OrderBy(key="n", direction="desc"))
        self.assertEqual(self.found(query=order, limit=2), [5, 4])

    def test_formula_rescores(self):
        formula = models.FormulaQuery(
            formula=models.SumExpression(sum=["$score", models.MultExpression(mult=[10.0, "n"])])
        )
        prefetch = models.Prefetch(query=[1, 0], using="dense", limit=3)
        self.assertEqual(self.found(prefetch=prefetch, query=formula), [3, 2, 1])

    def test_payload_and_vectors_on_request(self):
        nearest = {"query": [1, 0], "using": "dense", "limit": 1}
        bare = self.points.Query(
            pb.QueryPoints(
                collection_name=self.name,
                query=pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=[1, 0]))),
                using="dense",
                limit=1,
            ),
            timeout=CALL_SECONDS,
        ).result[0]
        self.assertFalse(bare.payload)
        self.assertFalse(bare.HasField("vectors"))
        full = self.client.query_points(
            self.name, **nearest, with_payload=["kind"], with_vectors=["dense"]
        ).points[0]
        self.assertEqual(full.payload, {"kind": "a"})
        self.assertEqual(full.vector, {"dense": [1, 0]})

    def test_several_queries_in_one_call(self):
        requests = [
            models.QueryRequest(query=[1, 0], using="dense", limit=1),
            models.QueryRequest(query=sparse(dill=1), using="bm25", limit=3),
            models.QueryRequest(limit=2),
        ]
        replies = self.client.query_batch_points(self.name, requests)
        self.assertEqual([[hit.id for hit in reply.points] for reply in replies], [[1], [5], [1, 2]])

    def test_groups_hold_the_best_of_each(self):
        groups = self.client.query_points_groups(
            self.name, group_by="kind", query=[1, 0], using="dense", limit=2, group_size=1
        ).groups
        self.assertEqual([(group.id, [hit.id for hit in group.hits]) for group in groups], [("a", [1]), ("b", [3])])

    def test_groups_are_filled_beyond_the_first_round(self):
        groups = self.client.query_points_groups(
            self.name, group_by="tags", query=[1, 0], using="dense", limit=5, group_size=2
        ).groups
        found = {group.id: [hit.id for hit in group.hits] for group in groups}
        self.assertEqual(found, {"x": [1], "y": [1, 2]})

    def test_facet_counts_values(self):
        hits = self.client.facet(self.name, "kind", exact=True).hits
        self.assertEqual({hit.value: hit.count for hit in hits}, {"a": 2, "b": 2, "c": 1})
        live = models.Filter(must=[match("live", True)])
        hits = self.client.facet(self.name, "kind", facet_filter=live, exact=True).hits
        self.assertEqual({hit.value: hit.count for hit in hits}, {"a": 1, "b": 1})


class Filters(Queries):
    def test_booleans(self):
        self.assertEqual(self.filtered(must=[match("live", True)]), [1, 3])
        self.assertEqual(self.filtered(must=[match("live", False)]), [2, 4])
        self.assertEqual(self.filtered(must=[match("n", 1)]), [1])

    def test_booleans_on_an_indexed_field(self):
        self.client.create_payload_index(self.name, "live", models.PayloadSchemaType.BOOL, wait=True)
        self.addCleanup(self.client.delete_payload_index, self.name, "live", wait=True)
        self.test_booleans()

    def test_clauses(self):
        a, two = match("kind", "a"), match("n", 2)
        self.assertEqual(self.filtered(must=[a, two]), [2])
        self.assertEqual(self.filtered(should=[a, match("n", 5)]), [1, 2, 5])
        self.assertEqual(self.filtered(must_not=[a]), [3, 4, 5])
        enough = models.MinShould(conditions=[a, two, match("live", False)], min_count=2)
        self.assertEqual(self.filtered(min_should=enough), [2])
        self.assertEqual(self.filtered(must=[a, models.Filter(must_not=[two])]), [1])
        self.assertEqual(self.filtered(), [1, 2, 3, 4, 5])

    def test_any_of_and_none_of(self):
        self.assertEqual(self.filtered(must=[field("kind", match=models.MatchAny(any=["a", "c"]))]), [1, 2, 5])
        self.assertEqual(self.filtered(must=[field("n", match=models.MatchAny(any=[2, 4]))]), [2, 4])
        others = models.MatchExcept(**{"except": ["a", "c"]})
        self.assertEqual(self.filtered(must=[field("kind", match=others)]), [3, 4])
        self.assertEqual(self.filtered(must=[match("tags", "y")]), [1, 2])

    def test_ids_and_vectors(self):
        self.assertEqual(self.filtered(must=[models.HasIdCondition(has_id=[4, 1, 99])]), [1, 4])
        self.assertEqual(self.filtered(must=[models.HasIdCondition(has_id=[])]), [])
        self.assertEqual(len(self.filtered(must=[models.HasVectorCondition(has_vector="dense")])), 5)

    def test_ranges(self):
        self.assertEqual(self.filtered(must=[field("n", range=models.Range(gt=1, lte=3))]), [2, 3])
        since = models.DatetimeRange(gte="2026-11-22T00:00:00Z", lt="2026-11-23T00:00:00Z")
        self.assertEqual(self.filtered(must=[field("when", range=since)]), [5])
        many = field("tags", values_count=models.ValuesCount(gte=2))
        self.assertEqual(self.filtered(must=[many]), [1])

    def test_absence(self):
        empty = models.IsEmptyCondition(is_empty=models.PayloadField(key="tags"))
        self.assertEqual(self.filtered(must=[empty]), [3, 4, 5])
        null = models.IsNullCondition(is_null=models.PayloadField(key="none"))
        self.assertEqual(self.filtered(must=[null]), [3])

    def test_nested(self):
        for wanted, found in (((1, 2), [4]), ((1, 3), [])):
            both = models.Filter(must=[match("a", wanted[0]), match("b", wanted[1])])
            nested = models.NestedCondition(nested=models.Nested(key="map", filter=both))
            self.assertEqual(self.filtered(must=[nested]), found)


if __name__ == "__main__":
    unittest.main()
