"""Points: written, changed, read back, deleted."""

import unittest
import uuid

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, QdrantTest, needs_own_server

MIB = 1024 * 1024
KEYWORD_A = models.Filter(
    must=[models.FieldCondition(key="kind", match=models.MatchValue(value="a"))]
)


def point(point_id, payload=None, vector=None):
    return models.PointStruct(id=point_id, vector=vector or {}, payload=payload)


class Payloads(QdrantTest):
    def setUp(self):
        super().setUp()
        self.name = self.new_collection()

    def put(self, *points):
        self.client.upsert(self.name, list(points), wait=True)

    def test_values_come_back_as_they_went(self):
        payload = {
            "revision": 3855425992956837889,
            "least": -(2**63),
            "most": 2**63 - 1,
            "real": 0.5,
            "yes": True,
            "no": False,
            "nothing": None,
            "text": "Grüße, 世界 🌍 𝗯𝗼𝗹𝗱\u200b\x00",
            "empty": "",
            "list": [1, "two", [3.5, None], {"four": 4}, []],
            "map": {"a": {"b": [True]}, "dotted.key": 1, "none": {}},
        }
        self.put(point(1, payload))
        found = self.payloads(self.name, 1)[1]
        self.assertEqual(found, payload)
        for key in ("revision", "least", "most"):
            self.assertIs(type(found[key]), int)
        self.assertIs(found["yes"], True)

    def test_integers_beside_each_other_above_2_53_stay_apart(self):
        base = 3855425992956837889
        self.put(*(point(offset + 1, {"revision": base + offset}) for offset in range(3)))
        for offset in range(3):
            match = models.MatchValue(value=base + offset)
            condition = models.FieldCondition(key="revision", match=match)
            records, _ = self.client.scroll(self.name, models.Filter(must=[condition]))
            self.assertEqual([record.id for record in records], [offset + 1])

    def test_text_of_a_megabyte(self):
        text = "".join(chr(0x61 + number % 26) for number in range(1013)) * (MIB // 1013)
        self.put(point(1, {"cleaned_text": text}))
        self.assertEqual(self.payloads(self.name, 1)[1]["cleaned_text"], text)

    def test_set_merges_overwrite_replaces_delete_and_clear_remove(self):
        self.put(point(1, {"a": 1, "b": 2}))
        self.client.set_payload(self.name, {"b": 3, "c": 4}, points=[1], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"a": 1, "b": 3, "c": 4})
        self.client.delete_payload(self.name, ["a"], points=[1], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"b": 3, "c": 4})
        self.client.overwrite_payload(self.name, {"d": 5}, points=[1], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"d": 5})
        self.client.clear_payload(self.name, points_selector=[1], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {})

    def test_set_under_a_key(self):
        self.put(point(1, {"map": {"a": 1}}))
        self.client.set_payload(self.name, {"b": 2}, points=[1], key="map", wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"map": {"a": 1, "b": 2}})

    def test_payload_is_changed_by_filter(self):
        self.put(point(1, {"kind": "a"}), point(2, {"kind": "b"}))
        self.client.set_payload(self.name, {"seen": True}, points=KEYWORD_A, wait=True)
        self.assertEqual(
            self.payloads(self.name, 1, 2), {1: {"kind": "a", "seen": True}, 2: {"kind": "b"}}
        )

    def test_missing_point_is_not_found(self):
        self.put(point(1, {"a": 1}))
        with self.refused(grpc.StatusCode.NOT_FOUND, "99"):
            self.client.set_payload(self.name, {"a": 2}, points=[99], wait=True)

    @needs_own_server
    def test_missing_point_leaves_the_others_unchanged(self):
        self.put(point(1, {"a": 1}))
        for change in (self.client.set_payload, self.client.overwrite_payload):
            with self.refused(grpc.StatusCode.NOT_FOUND, "99"):
                change(self.name, {"a": 2}, points=[1, 99], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"a": 1})

    def test_missing_point_passes_without_wait(self):
        result = self.client.set_payload(self.name, {"a": 2}, points=[99], wait=False)
        self.assertEqual(result.status, models.UpdateStatus.ACKNOWLEDGED)


class Points(QdrantTest):
    def setUp(self):
        super().setUp()
        self.name = self.new_collection(
            {
                "dense": models.VectorParams(size=3, distance=models.Distance.DOT),
                "second": models.VectorParams(size=2, distance=models.Distance.DOT),
            },
            {"bm25": models.SparseVectorParams()},
        )

    def put(self, *points):
        self.client.upsert(self.name, list(points), wait=True)

    def vectors(self, point_id):
        return self.client.retrieve(self.name, [point_id], with_vectors=True)[0].vector

    def test_vectors_come_back_by_name(self):
        sparse = models.SparseVector(indices=[7, 3], values=[0.5, 2.0])
        self.put(point(1, vector={"dense": [1, 2, 3], "bm25": sparse}))
        vectors = self.vectors(1)
        self.assertEqual(vectors["dense"], [1, 2, 3])
        self.assertEqual(dict(zip(vectors["bm25"].indices, vectors["bm25"].values)), {3: 2, 7: 0.5})
        self.assertNotIn("second", vectors)
        chosen = self.client.retrieve(self.name, [1], with_vectors=["dense"])[0].vector
        self.assertEqual(list(chosen), ["dense"])

    def test_unnamed_vector(self):
        name = self.new_collection(models.VectorParams(size=2, distance=models.Distance.DOT))
        self.client.upsert(name, [point(1, vector=[1, 2])], wait=True)
        self.assertEqual(self.client.retrieve(name, [1], with_vectors=True)[0].vector, [1, 2])

    def test_ids_are_numbers_or_uuids_in_any_spelling(self):
        identity = uuid.uuid4()
        self.put(point(0), point(2**64 - 1), point(identity.hex.upper()))
        ids = [record.id for record in self.client.retrieve(self.name, [0, 2**64 - 1, str(identity)])]
        self.assertCountEqual(ids, [0, 2**64 - 1, str(identity)])

    def test_update_replaces_vectors_of_that_name_only(self):
        self.put(point(1, {"a": 1}, {"dense": [1, 2, 3], "second": [1, 1]}))
        change = models.PointVectors(id=1, vector={"second": [2, 2]})
        self.client.update_vectors(self.name, [change], wait=True)
        self.assertEqual(self.vectors(1), {"dense": [1, 2, 3], "second": [2, 2]})
        self.client.delete_vectors(self.name, ["dense"], [1], wait=True)
        self.assertEqual(self.vectors(1), {"second": [2, 2]})
        self.assertEqual(self.payloads(self.name, 1)[1], {"a": 1})

    def test_upsert_replaces_the_whole_point(self):
        self.put(point(1, {"a": 1}, {"dense": [1, 2, 3], "second": [1, 1]}))
        self.put(point(1, {"b": 2}, {"dense": [3, 2, 1]}))
        self.assertEqual(self.vectors(1), {"dense": [3, 2, 1]})
        self.assertEqual(self.payloads(self.name, 1)[1], {"b": 2})

    def test_delete_by_id_and_by_filter(self):
        self.put(*(point(number, {"kind": "ab"[number % 2]}) for number in range(6)))
        self.client.delete(self.name, [1, 99], wait=True)
        self.client.delete(self.name, models.FilterSelector(filter=KEYWORD_A), wait=True)
        records, _ = self.client.scroll(self.name)
        self.assertEqual([record.id for record in records], [3, 5])

    def test_batch_applies_in_order(self):
        self.client.batch_update_points(
            self.name,
            [
                models.UpsertOperation(upsert=models.PointsList(points=[point(1, {"a": 1})])),
                models.SetPayloadOperation(
                    set_payload=models.SetPayload(payload={"b": 2}, points=[1])
                ),
                models.UpsertOperation(upsert=models.PointsList(points=[point(2, {"a": 2})])),
                models.DeleteOperation(delete=models.PointIdsList(points=[2])),
            ],
            wait=True,
        )
        self.assertEqual(self.payloads(self.name, 1, 2), {1: {"a": 1, "b": 2}})

    @needs_own_server
    def test_a_write_that_is_not_waited_for_is_seen_later_and_in_order(self):
        self.client.upsert(self.name, [point(1, {"a": 1})], wait=False)
        self.assertEqual(self.payloads(self.name, 1), {})
        self.client.set_payload(self.name, {"b": 2}, points=[1], wait=True)
        self.assertEqual(self.payloads(self.name, 1)[1], {"a": 1, "b": 2})

    def test_unset_wait_is_false(self):
        for wait, status in ((None, pb.Acknowledged), (False, pb.Acknowledged), (True, pb.Completed)):
            request = pb.UpsertPoints(
                collection_name=self.name, points=[pb.PointStruct(id=pb.PointId(num=1))], wait=wait
            )
            reply = self.points.Upsert(request, timeout=CALL_SECONDS)
            self.assertEqual(reply.result.status, status)

    def test_scroll_visits_each_point_once(self):
        self.put(*(point(number) for number in range(25)))
        seen, offset = [], None
        while True:
            records, offset = self.client.scroll(self.name, limit=10, offset=offset)
            seen += [record.id for record in records]
            if offset is None:
                break
        self.assertEqual(seen, list(range(25)))

    def test_scroll_has_a_default_limit(self):
        self.put(*(point(number) for number in range(12)))
        reply = self.points.Scroll(pb.ScrollPoints(collection_name=self.name), timeout=CALL_SECONDS)
        self.assertEqual(len(reply.result), 10)
        self.assertEqual(reply.next_page_offset.num, 10)

    def test_scroll_by_value(self):
        self.client.create_payload_index(self.name, "rank", models.PayloadSchemaType.INTEGER, wait=True)
        self.put(*(point(number, {"rank": number * 7 % 10}) for number in range(10)))
        order = models.OrderBy(key="rank", direction=models.Direction.DESC, start_from=6)
        records, _ = self.client.scroll(self.name, limit=3, order_by=order)
        self.assertEqual([record.payload["rank"] for record in records], [6, 5, 4])

    def test_parts_of_the_payload(self):
        self.put(point(1, {"a": 1, "b": 2, "c": 3}))
        included = self.client.retrieve(self.name, [1], with_payload=["a", "c"])[0].payload
        self.assertEqual(included, {"a": 1, "c": 3})
        exclude = models.PayloadSelectorExclude(exclude=["a", "c"])
        excluded = self.client.retrieve(self.name, [1], with_payload=exclude)[0].payload
        self.assertEqual(excluded, {"b": 2})
        self.assertFalse(self.client.retrieve(self.name, [1], with_payload=False)[0].payload)

    def test_count_with_and_without_filter(self):
        self.put(*(point(number, {"kind": "ab"[number % 2]}) for number in range(7)))
        self.assertEqual(self.client.count(self.name).count, 7)
        self.assertEqual(self.client.count(self.name, KEYWORD_A, exact=True).count, 4)


if __name__ == "__main__":
    unittest.main()
