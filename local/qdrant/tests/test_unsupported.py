"""What this server does not have is answered with UNIMPLEMENTED and its name, never left out in silence."""

import unittest

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models
from qdrant_client.grpc import (
    collections_service_pb2,
    points_service_pb2,
    qdrant_pb2,
    snapshots_service_pb2,
)

from harness import CALL_SECONDS, QdrantTest, needs_own_server

SUPPORTED = {
    "qdrant.Collections": "Get List Create Delete UpdateAliases ListCollectionAliases ListAliases CollectionExists",
    "qdrant.Points": "Upsert Delete Get UpdateVectors DeleteVectors SetPayload OverwritePayload DeletePayload"
    " ClearPayload CreateFieldIndex DeleteFieldIndex Scroll Count UpdateBatch Query QueryBatch QueryGroups Facet",
    "qdrant.Snapshots": "",
    "qdrant.Qdrant": "HealthCheck",
}
FILES = (collections_service_pb2, points_service_pb2, snapshots_service_pb2, qdrant_pb2)


@needs_own_server
class Unsupported(QdrantTest):
    def setUp(self):
        super().setUp()
        self.name = self.new_collection(models.VectorParams(size=2, distance=models.Distance.DOT))

    def refused_by_name(self, name):
        return self.refused(grpc.StatusCode.UNIMPLEMENTED, name)

    def test_every_call_is_answered_or_refused_by_name(self):
        services = {
            service.full_name: service
            for file in FILES
            for service in file.DESCRIPTOR.services_by_name.values()
        }
        self.assertEqual(set(services), set(SUPPORTED))
        for service in services.values():
            for method in service.methods:
                call = f"{service.full_name}/{method.name}"
                with self.subTest(call):
                    code, details = self.outcome(call)
                    if method.name in SUPPORTED[service.full_name].split():
                        self.assertNotEqual(code, grpc.StatusCode.UNIMPLEMENTED, details)
                    else:
                        self.assertEqual(code, grpc.StatusCode.UNIMPLEMENTED)
                        self.assertIn(call, details)

    def outcome(self, call):
        try:
            self.server.channel.unary_unary(f"/{call}")(b"", timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return grpc.StatusCode.OK, ""

    def test_options_of_a_new_collection(self):
        params = pb.VectorParams(size=2, distance=pb.Dot)
        quantized = pb.VectorParams(size=2, distance=pb.Dot)
        quantized.quantization_config.scalar.SetInParent()
        options = {
            "quantization_config": {"quantization_config": quantized.quantization_config},
            "VectorParams.quantization_config": {"vectors_config": pb.VectorsConfig(params=quantized)},
            "shard_number": {"shard_number": 2},
            "replication_factor": {"replication_factor": 2},
            "sharding_method": {"sharding_method": pb.ShardingMethod.Custom},
            "strict_mode_config": {"strict_mode_config": pb.StrictModeConfig(enabled=True)},
        }
        for name, option in options.items():
            option = {"vectors_config": pb.VectorsConfig(params=params), **option}
            request = pb.CreateCollection(collection_name=self.new_name(), **option)
            with self.subTest(name), self.refused_by_name(name):
                self.server.collections.Create(request, timeout=CALL_SECONDS)

    def test_options_of_reads_and_writes(self):
        key = pb.ShardKeySelector(shard_keys=[pb.ShardKey(keyword="a")])
        nearest = pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=[1, 2])))
        lookup = pb.LookupLocation(collection_name=self.name)
        point = pb.PointStruct(id=pb.PointId(num=1))
        feedback = pb.Query(relevance_feedback=pb.RelevanceFeedbackInput())
        name = {"collection_name": self.name}
        calls = (
            ("Upsert", pb.UpsertPoints(**name, points=[point], shard_key_selector=key), "shard_key_selector"),
            ("Get", pb.GetPoints(**name, shard_key_selector=key), "shard_key_selector"),
            ("Scroll", pb.ScrollPoints(**name, shard_key_selector=key), "shard_key_selector"),
            ("Query", pb.QueryPoints(**name, query=nearest, lookup_from=lookup), "lookup_from"),
            ("Query", pb.QueryPoints(**name, query=feedback), "relevance_feedback"),
            (
                "Query",
                pb.QueryPoints(**name, prefetch=[pb.PrefetchQuery(query=nearest, lookup_from=lookup)]),
                "lookup_from",
            ),
            (
                "QueryGroups",
                pb.QueryPointGroups(
                    **name, query=nearest, group_by="a", with_lookup=pb.WithLookup(collection="b")
                ),
                "with_lookup",
            ),
        )
        for method, request, option in calls:
            with self.subTest(f"{method} {option}"), self.refused_by_name(option):
                getattr(self.points, method)(request, timeout=CALL_SECONDS)

    def test_options_of_clients_to_come(self):
        """A field that this version of the API does not know, number 2000, set to 1."""
        known = pb.CountPoints(collection_name=self.name).SerializeToString()
        with self.assertRaises(grpc.RpcError) as caught:
            call = self.server.channel.unary_unary("/qdrant.Points/Count")
            call(known + b"\x80\x7d\x01", timeout=CALL_SECONDS)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertIn("2000", caught.exception.details())

    def test_inference(self):
        document = pb.Document(text="a", model="some/model")
        query = pb.Query(nearest=pb.VectorInput(document=document))
        with self.refused_by_name("some/model"):
            self.points.Query(
                pb.QueryPoints(collection_name=self.name, query=query), timeout=CALL_SECONDS
            )


if __name__ == "__main__":
    unittest.main()
