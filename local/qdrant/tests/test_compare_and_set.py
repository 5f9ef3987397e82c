"""Compare-and-set: an upsert whose filter decides whether a point that is there may be replaced."""

import threading
import unittest

from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, QdrantTest

# Above 2^53, where floats are 512 apart.
REVISION = 3855425992956837889
WRITERS = 8


def revision_is(revision):
    match = pb.Match(integer=revision)
    return pb.Filter(must=[pb.Condition(field=pb.FieldCondition(key="revision", match=match))])


def manifest(point_id, revision):
    struct = pb.PointStruct(id=pb.PointId(num=point_id))
    struct.payload["revision"].integer_value = revision
    return struct


NEVER = pb.Filter(must=[pb.Condition(has_id=pb.HasIdCondition())])


class CompareAndSet(QdrantTest):
    indexed = False

    def setUp(self):
        super().setUp()
        self.name = self.new_collection()
        if self.indexed:
            self.client.create_payload_index(
                self.name, "revision", models.PayloadSchemaType.INTEGER, wait=True
            )

    def put(self, revision, update_filter=None, mode=None, point_id=1, log=()):
        struct = manifest(point_id, revision)
        struct.payload["log"].list_value.values.extend(pb.Value(string_value=entry) for entry in log)
        request = pb.UpsertPoints(
            collection_name=self.name,
            wait=True,
            points=[struct],
            update_filter=update_filter,
            update_mode=mode,
        )
        self.points.Upsert(request, timeout=CALL_SECONDS)

    def stored(self, point_id=1):
        payload = self.payloads(self.name, point_id).get(point_id)
        return payload and payload["revision"]

    def test_equal_revision_updates(self):
        self.put(REVISION)
        self.put(REVISION + 1, revision_is(REVISION))
        self.assertEqual(self.stored(), REVISION + 1)

    def test_neighbouring_revision_does_not(self):
        self.put(REVISION)
        for near in (REVISION - 1, REVISION + 1, REVISION + 256, int(float(REVISION))):
            self.assertNotEqual(near, REVISION)
            self.put(7, revision_is(near))
        self.assertEqual(self.stored(), REVISION)

    def test_absent_point_is_inserted_whatever_the_filter(self):
        self.put(REVISION, revision_is(5), point_id=1)
        self.put(REVISION, NEVER, point_id=2)
        self.assertEqual((self.stored(1), self.stored(2)), (REVISION, REVISION))

    def test_filter_that_never_matches_only_inserts(self):
        never = (
            NEVER,
            revision_is(-1),
            pb.Filter(must_not=[pb.Condition(filter=pb.Filter())]),
        )
        for point_id, update_filter in enumerate(never, 10):
            self.put(1, update_filter, point_id=point_id)
            self.put(2, update_filter, point_id=point_id)
            self.assertEqual(self.stored(point_id), 1, update_filter)

    def test_insert_only_and_update_only(self):
        self.put(1, mode=pb.UpdateMode.InsertOnly)
        self.put(2, mode=pb.UpdateMode.InsertOnly)
        self.assertEqual(self.stored(1), 1)
        self.put(3, mode=pb.UpdateMode.UpdateOnly)
        self.assertEqual(self.stored(1), 3)
        self.put(3, mode=pb.UpdateMode.UpdateOnly, point_id=2)
        self.put(3, revision_is(1), mode=pb.UpdateMode.UpdateOnly, point_id=2)
        self.assertIsNone(self.stored(2))

    def test_each_point_of_a_batch_is_decided_by_itself(self):
        for point_id, revision in ((1, 1), (2, 2)):
            self.put(revision, point_id=point_id)
        structs = [manifest(point_id, 9) for point_id in (1, 2, 3)]
        self.points.Upsert(
            pb.UpsertPoints(
                collection_name=self.name, wait=True, points=structs, update_filter=revision_is(1)
            ),
            timeout=CALL_SECONDS,
        )
        self.assertEqual([self.stored(point_id) for point_id in (1, 2, 3)], [9, 2, 9])

    def test_in_an_update_batch_too(self):
        self.put(1)
        upserts = [
            pb.PointsUpdateOperation(
                upsert=pb.PointsUpdateOperation.PointStructList(
                    points=[manifest(1, revision)], update_filter=revision_is(expected)
                )
            )
            for revision, expected in ((7, 2), (3, 1), (8, 1))
        ]
        self.points.UpdateBatch(
            pb.UpdateBatchPoints(collection_name=self.name, wait=True, operations=upserts),
            timeout=CALL_SECONDS,
        )
        self.assertEqual(self.stored(), 3)

    def test_vectors_are_updated_under_a_filter(self):
        name = self.new_collection({"v": models.VectorParams(size=1, distance=models.Distance.DOT)})
        self.client.upsert(
            name, [models.PointStruct(id=1, vector={"v": [1]}, payload={"revision": 1})], wait=True
        )
        for expected, value in ((2, 5.0), (1, 7.0)):
            change = pb.PointVectors(id=pb.PointId(num=1))
            change.vectors.vectors.vectors["v"].dense.data.append(value)
            self.points.UpdateVectors(
                pb.UpdatePointVectors(
                    collection_name=name,
                    wait=True,
                    points=[change],
                    update_filter=revision_is(expected),
                ),
                timeout=CALL_SECONDS,
            )
        self.assertEqual(self.client.retrieve(name, [1], with_vectors=True)[0].vector, {"v": [7.0]})

    def test_of_writers_at_once_exactly_one_wins(self):
        for round_number in range(8):
            self.assert_one_wins(NEVER, point_id=100 + round_number)
            self.put(REVISION, point_id=200 + round_number)
            self.assert_one_wins(revision_is(REVISION), point_id=200 + round_number)

    def assert_one_wins(self, update_filter, point_id):
        """Nothing moves the point after the winner, so all who look after their own write see the winner's."""
        seen = []

        def write(number):
            self.put(number, update_filter, point_id=point_id)
            seen.append(self.stored(point_id))

        self.race(write)
        self.assertEqual(len(seen), WRITERS)
        self.assertEqual(len(set(seen)), 1, "a second writer won")
        self.assertIn(seen[0], range(WRITERS))

    def test_no_update_is_lost_among_writers(self):
        """Every writer adds its entries to one list; a write over another's would drop an entry for good."""
        entries = 8
        self.put(REVISION, NEVER, log=[])

        def append_all(number):
            for mine in (f"{number}/{entry}" for entry in range(entries)):
                while True:
                    payload = self.payloads(self.name, 1)[1]
                    if mine in payload["log"]:
                        break
                    revision = payload["revision"]
                    self.put(revision + 1, revision_is(revision), log=[*payload["log"], mine])

        self.race(append_all)
        payload = self.payloads(self.name, 1)[1]
        expected = [f"{number}/{entry}" for number in range(WRITERS) for entry in range(entries)]
        self.assertCountEqual(payload["log"], expected)
        self.assertEqual(payload["revision"], REVISION + len(expected))

    def race(self, write):
        """Runs `write(number)` in WRITERS threads that start together."""
        barrier, failures = threading.Barrier(WRITERS), []

        def run(number):
            try:
                barrier.wait(CALL_SECONDS)
                write(number)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class IndexedCompareAndSet(CompareAndSet):
    indexed = True

if __name__ == "__main__":
    unittest.main()
