"""Wrong input: refused with a server's status code, before anything is written, and survived."""

import math
import unittest

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, QdrantTest, needs_own_server

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def dense(*values):
    return pb.Vector(dense=pb.DenseVector(data=values))


def sparse(indices, values):
    return pb.Vector(sparse=pb.SparseVector(indices=indices, values=values))


def point(point_id, **vectors):
    struct = pb.PointStruct(id=pb.PointId(num=point_id))
    for name, vector in vectors.items():
        struct.vectors.vectors.vectors[name].CopyFrom(vector)
    return struct


class Validation(QdrantTest):
    def setUp(self):
        super().setUp()
        self.name = self.new_collection(
            {"dense": models.VectorParams(size=3, distance=models.Distance.COSINE)},
            {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        self.good = point(1, dense=dense(1, 2, 3), bm25=sparse([1, 2], [1, 1]))

    def upsert(self, *structs, **options):
        request = pb.UpsertPoints(collection_name=self.name, wait=True, points=structs, **options)
        return self.points.Upsert(request, timeout=CALL_SECONDS)

    def query(self, query, using="dense", **options):
        request = pb.QueryPoints(collection_name=self.name, query=query, using=using, **options)
        return self.points.Query(request, timeout=CALL_SECONDS)

    def count(self):
        return self.client.count(self.name, exact=True).count

    @needs_own_server  # a real server leaves part of some rejected batches behind
    def test_a_rejected_batch_leaves_nothing(self):
        wrong = {
            "dimension": point(2, dense=dense(1, 2)),
            "empty": point(2, dense=dense()),
            "name": point(2, other=dense(1, 2, 3)),
            "sparse as dense": point(2, dense=sparse([1], [1])),
            "dense as sparse": point(2, bm25=dense(1, 2, 3)),
            "multi as dense": point(
                2, dense=pb.Vector(multi_dense=pb.MultiDenseVector(vectors=[pb.DenseVector(data=[1, 2, 3])]))
            ),
            "repeated index": point(2, bm25=sparse([1, 1], [1, 2])),
            "ragged sparse": point(2, bm25=sparse([1, 2], [1])),
            "no id": pb.PointStruct(),
            "no uuid": pb.PointStruct(id=pb.PointId(uuid="not-a-uuid")),
            "unnamed vector": pb.PointStruct(
                id=pb.PointId(num=2), vectors=pb.Vectors(vector=dense(1, 2, 3))
            ),
            "no number": pb.PointStruct(
                id=pb.PointId(num=2), payload={"a": pb.Value(double_value=math.nan)}
            ),
        }
        for what, struct in wrong.items():
            with self.subTest(what), self.refused(INVALID):
                self.upsert(self.good, struct)
            with self.subTest(what + " in a batch"), self.refused(INVALID):
                self.batch([self.good], [struct])
        self.assertEqual(self.count(), 0)
        self.upsert(self.good)
        self.assertEqual(self.count(), 1)

    def batch(self, *upserts):
        operations = [
            pb.PointsUpdateOperation(upsert=pb.PointsUpdateOperation.PointStructList(points=structs))
            for structs in upserts
        ]
        request = pb.UpdateBatchPoints(collection_name=self.name, wait=True, operations=operations)
        return self.points.UpdateBatch(request, timeout=CALL_SECONDS)

    def test_wrong_dimension_is_refused(self):
        with self.refused(INVALID, "expected dim: 3, got 2"):
            self.upsert(point(2, dense=dense(1, 2)))

    def test_a_missing_collection_is_not_found_by_any_call(self):
        ids = pb.PointsSelector(points=pb.PointsIdsList(ids=[pb.PointId(num=1)]))
        absent = "test_absent"
        calls = (
            (self.points.Upsert, pb.UpsertPoints(collection_name=absent, points=[self.good])),
            (self.points.Delete, pb.DeletePoints(collection_name=absent, points=ids)),
            (self.points.Get, pb.GetPoints(collection_name=absent)),
            (self.points.Scroll, pb.ScrollPoints(collection_name=absent)),
            (self.points.Count, pb.CountPoints(collection_name=absent)),
            (self.points.Query, pb.QueryPoints(collection_name=absent)),
        )
        for call, request in calls:
            with self.subTest(type(request).__name__), self.refused(grpc.StatusCode.NOT_FOUND, absent):
                call(request, timeout=CALL_SECONDS)

    def test_an_empty_update_is_refused(self):
        with self.refused(INVALID):
            self.upsert()
        nobody = pb.PointsSelector(points=pb.PointsIdsList())
        with self.refused(INVALID):
            request = pb.DeletePoints(collection_name=self.name, points=nobody)
            self.points.Delete(request, timeout=CALL_SECONDS)

    def test_a_limit_of_zero_is_refused(self):
        with self.refused(INVALID, "limit"):
            self.query(None, limit=0)
        with self.refused(INVALID, "limit"):
            request = pb.ScrollPoints(collection_name=self.name, limit=0)
            self.points.Scroll(request, timeout=CALL_SECONDS)

    def test_wrong_queries_are_refused(self):
        def nearest(**vector):
            return pb.Query(nearest=pb.VectorInput(**vector))

        self.upsert(self.good)
        wrong = {
            "dimension": (nearest(dense=pb.DenseVector(data=[1])), "dense"),
            "name": (nearest(dense=pb.DenseVector(data=[1, 2, 3])), "other"),
            "sparse on dense": (nearest(sparse=pb.SparseVector(indices=[1], values=[1])), "dense"),
            "dense on sparse": (nearest(dense=pb.DenseVector(data=[1, 2, 3])), "bm25"),
            "ragged": (nearest(sparse=pb.SparseVector(indices=[1, 2], values=[1])), "bm25"),
            "nothing": (nearest(), "dense"),
            "fusion alone": (pb.Query(fusion=pb.Fusion.RRF), ""),
            "unindexed order": (pb.Query(order_by=pb.OrderBy(key="n")), ""),
        }
        for what, (query, using) in wrong.items():
            with self.subTest(what), self.refused(INVALID):
                self.query(query, using)
        with self.refused(INVALID):
            self.client.facet(self.name, "unindexed")

    def test_malformed_filters_are_refused(self):
        wrong = {
            "no condition": pb.Condition(),
            "no match": pb.Condition(field=pb.FieldCondition(key="a", match=pb.Match())),
            "no path": pb.Condition(
                field=pb.FieldCondition(key="a[[", match=pb.Match(keyword="b"))
            ),
            "no place": pb.Condition(
                field=pb.FieldCondition(
                    key="a", geo_radius=pb.GeoRadius(center=pb.GeoPoint(lon=999, lat=0), radius=1)
                )
            ),
        }
        for what, condition in wrong.items():
            request = pb.CountPoints(collection_name=self.name, filter=pb.Filter(must=[condition]))
            with self.subTest(what), self.refused(INVALID):
                self.points.Count(request, timeout=CALL_SECONDS)

    @needs_own_server
    def test_bytes_that_are_no_message_are_survived(self):
        for method in ("/qdrant.Points/Upsert", "/qdrant.Collections/Create", "/qdrant.Points/Query"):
            call = self.server.channel.unary_unary(method)
            for garbage in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", bytes(range(256))):
                with self.assertRaises(grpc.RpcError):
                    call(garbage, timeout=CALL_SECONDS)
        self.upsert(self.good)
        self.assertEqual(self.count(), 1)

    @needs_own_server
    def test_a_message_has_at_most_64_mib(self):
        mib = 1024 * 1024
        struct = point(1)
        struct.payload["text"].string_value = "x" * (63 * mib)
        self.upsert(struct)
        request = pb.GetPoints(collection_name=self.name, ids=[struct.id])
        record = self.points.Get(request, timeout=CALL_SECONDS).result[0]
        self.assertEqual(len(record.payload["text"].string_value), 63 * mib)
        struct.payload["text"].string_value += "x" * mib
        with self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
            self.upsert(struct)
        self.assertEqual(self.count(), 1)


if __name__ == "__main__":
    unittest.main()
