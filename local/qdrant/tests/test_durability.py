"""Kill -9: what was answered with wait=true is there after the next start."""

import threading
import unittest

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, Connection, Server, needs_own_server

CHUNKS = "chunks"
MANIFESTS = "manifests"
WRITERS = 4


@needs_own_server
class KillMinus9(unittest.TestCase):
    def setUp(self):
        # A short time to the flush, so that some kills hit one.
        self.server = Server(flush_seconds=0.05)
        self.addCleanup(self.server.close)
        self.connect()

    def connect(self):
        self.connection = Connection("127.0.0.1", self.server.start().port)
        self.addCleanup(self.connection.close)
        self.client = self.connection.client

    def kill_and_restart(self):
        self.server.kill()
        self.connection.close()
        self.connect()

    def create(self):
        self.client.create_collection(
            CHUNKS,
            vectors_config={"dense": models.VectorParams(size=8, distance=models.Distance.COSINE)},
            sparse_vectors_config={"bm25": models.SparseVectorParams()},
        )
        self.client.create_collection(MANIFESTS, vectors_config={})
        self.client.create_payload_index(CHUNKS, "writer", models.PayloadSchemaType.INTEGER, wait=True)

    def test_in_mid_load(self):
        self.create()
        acked = set()
        for round_number in range(3):
            acked |= self.load_until_killed(round_number)
            self.connection.close()
            self.connect()
            self.assert_there(acked)
        self.assertGreater(len(acked), 200)

    def load_until_killed(self, round_number):
        """Four writers; the server is killed under them after some acks. Returns the acked ids."""
        acked, enough = set(), threading.Event()

        def load(writer):
            number = 0
            try:
                while True:
                    first = (round_number * WRITERS + writer) * 1_000_000 + number
                    ids = range(first, first + 5)
                    self.upsert(ids, writer)
                    acked.update(ids)
                    number += 5
                    if len(acked) >= 150 * (1 + round_number % 3):
                        enough.set()
            except grpc.RpcError:
                pass  # killed

        writers = [threading.Thread(target=load, args=(writer,)) for writer in range(WRITERS)]
        for writer in writers:
            writer.start()
        self.assertTrue(enough.wait(CALL_SECONDS))
        self.server.kill()
        for writer in writers:
            writer.join()
        return acked

    def upsert(self, ids, writer):
        structs = []
        for point_id in ids:
            struct = pb.PointStruct(id=pb.PointId(num=point_id))
            struct.payload["writer"].integer_value = writer
            struct.payload["text"].string_value = f"text of {point_id} " * 50
            vectors = struct.vectors.vectors.vectors
            vectors["dense"].dense.data.extend([1.0 + point_id % 7] * 8)
            vectors["bm25"].sparse.CopyFrom(pb.SparseVector(indices=[1, 2], values=[1, 1]))
            structs.append(struct)
        request = pb.UpsertPoints(collection_name=CHUNKS, wait=True, points=structs)
        self.connection.points.Upsert(request, timeout=CALL_SECONDS)

    def assert_there(self, ids):
        records = self.client.retrieve(CHUNKS, list(ids), with_payload=True, with_vectors=True)
        found = {record.id: record for record in records}
        self.assertEqual(set(found), set(ids))
        for point_id, record in found.items():
            self.assertEqual(record.payload["text"], f"text of {point_id} " * 50)
            self.assertEqual(set(record.vector), {"dense", "bm25"})
        indexed = models.FieldCondition(key="writer", match=models.MatchAny(any=[0, 1, 2, 3]))
        counted = self.client.count(CHUNKS, models.Filter(must=[indexed]), exact=True).count
        self.assertGreaterEqual(counted, len(ids))

    def test_collections_aliases_and_indexes(self):
        self.create()
        self.client.update_collection_aliases(
            [
                models.CreateAliasOperation(
                    create_alias=models.CreateAlias(collection_name=name, alias_name=f"{name}_now")
                )
                for name in (CHUNKS, MANIFESTS)
            ]
        )
        self.kill_and_restart()
        aliases = {a.alias_name: a.collection_name for a in self.client.get_aliases().aliases}
        self.assertEqual(aliases, {f"{name}_now": name for name in (CHUNKS, MANIFESTS)})
        info = self.client.get_collection(f"{CHUNKS}_now")
        self.assertEqual(list(info.payload_schema), ["writer"])
        self.assertEqual(info.config.params.vectors["dense"].size, 8)
        self.client.delete_collection(MANIFESTS)
        self.kill_and_restart()
        self.assertEqual([c.name for c in self.client.get_collections().collections], [CHUNKS])
        self.assertEqual([a.alias_name for a in self.client.get_aliases().aliases], [f"{CHUNKS}_now"])

    def test_changes_of_every_kind_are_replayed_as_they_were(self):
        self.create()

        def put(point_id, revision, update_filter=None):
            struct = pb.PointStruct(id=pb.PointId(num=point_id))
            struct.payload["revision"].integer_value = revision
            request = pb.UpsertPoints(
                collection_name=MANIFESTS, wait=True, points=[struct], update_filter=update_filter
            )
            self.connection.points.Upsert(request, timeout=CALL_SECONDS)

        def revision_is(revision):
            match = pb.Match(integer=revision)
            field = pb.FieldCondition(key="revision", match=match)
            return pb.Filter(must=[pb.Condition(field=field)])

        # 1: refused by the filter that a later state would match. 2: deleted after an insert-if-absent.
        put(1, 1)
        put(1, 100, revision_is(5))
        put(1, 5, revision_is(1))
        put(2, 1, revision_is(-1))
        put(2, 2, revision_is(-1))
        self.client.delete(MANIFESTS, [2], wait=True)
        put(3, 1)
        self.client.set_payload(MANIFESTS, {"deleted": True}, points=[3], wait=True)
        put(4, 1)
        self.client.clear_payload(MANIFESTS, points_selector=[4], wait=True)
        with self.assertRaises(grpc.RpcError):
            self.client.set_payload(MANIFESTS, {"half": True}, points=[1, 77], wait=True)
        expected = {1: {"revision": 5}, 3: {"revision": 1, "deleted": True}, 4: {}}
        for _ in range(3):
            records, _ = self.client.scroll(MANIFESTS)
            self.assertEqual({record.id: record.payload for record in records}, expected)
            self.kill_and_restart()


if __name__ == "__main__":
    unittest.main()
