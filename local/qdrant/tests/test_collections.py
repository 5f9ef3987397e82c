"""Collections and their aliases."""

import threading
import unittest

import grpc
from qdrant_client import grpc as pb
from qdrant_client import models

from harness import CALL_SECONDS, QdrantTest

SMALL = models.VectorParams(size=4, distance=models.Distance.COSINE)


def create_alias(alias, collection):
    return pb.AliasOperations(
        create_alias=pb.CreateAlias(alias_name=alias, collection_name=collection)
    )


def delete_alias(alias):
    return pb.AliasOperations(delete_alias=pb.DeleteAlias(alias_name=alias))


class Collections(QdrantTest):
    def test_created_is_listed_until_deleted(self):
        name = self.new_collection(SMALL)
        self.assertTrue(self.client.collection_exists(name))
        self.assertIn(name, [each.name for each in self.client.get_collections().collections])
        self.assertTrue(self.client.delete_collection(name))
        self.assertFalse(self.client.collection_exists(name))
        self.assertNotIn(name, [each.name for each in self.client.get_collections().collections])
        with self.refused(grpc.StatusCode.NOT_FOUND, name):
            self.client.get_collection(name)

    def test_a_name_is_taken_once(self):
        name = self.new_collection(SMALL)
        with self.refused(grpc.StatusCode.ALREADY_EXISTS, name):
            self.client.create_collection(name, vectors_config=SMALL)

    def test_deleted_is_created_anew_and_empty(self):
        name = self.new_collection(SMALL)
        self.client.upsert(name, [models.PointStruct(id=1, vector=[1, 0, 0, 0])], wait=True)
        self.client.delete_collection(name)
        self.client.create_collection(name, vectors_config=SMALL)
        self.assertEqual(self.client.count(name).count, 0)

    def test_configuration_is_reported(self):
        name = self.new_collection(
            {"dense": models.VectorParams(size=384, distance=models.Distance.COSINE)},
            {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        params = self.client.get_collection(name).config.params
        self.assertEqual(params.vectors["dense"].size, 384)
        self.assertEqual(params.vectors["dense"].distance, models.Distance.COSINE)
        self.assertEqual(params.sparse_vectors["bm25"].modifier, models.Modifier.IDF)

    def test_payload_indexes_are_reported_and_deleted(self):
        name = self.new_collection()
        tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        self.client.create_payload_index(name, "author_id", tenant, wait=True)
        self.client.create_payload_index(name, "bucket", models.PayloadSchemaType.INTEGER, wait=True)
        schema = self.client.get_collection(name).payload_schema
        self.assertEqual(schema["author_id"].data_type, models.PayloadSchemaType.KEYWORD)
        self.assertTrue(schema["author_id"].params.is_tenant)
        self.assertEqual(schema["bucket"].data_type, models.PayloadSchemaType.INTEGER)
        self.client.delete_payload_index(name, "bucket", wait=True)
        self.assertEqual(list(self.client.get_collection(name).payload_schema), ["author_id"])

    def test_payload_only_collection_shows_no_vector(self):
        name = self.new_collection()
        self.client.upsert(name, [models.PointStruct(id=1, vector={}, payload={"a": 1})], wait=True)
        info = self.client.get_collection(name)
        self.assertFalse(info.config.params.vectors)
        self.assertFalse(info.config.params.sparse_vectors)
        self.assertEqual(info.points_count, 1)
        record = self.client.retrieve(name, [1], with_vectors=True)[0]
        self.assertFalse(record.vector)
        self.assertEqual(record.payload, {"a": 1})

    def test_wrong_configuration_is_refused(self):
        for size, distance in ((0, pb.Cosine), (70000, pb.Cosine)):
            params = pb.VectorParams(size=size, distance=distance)
            request = pb.CreateCollection(
                collection_name=self.new_name(), vectors_config=pb.VectorsConfig(params=params)
            )
            with self.subTest(size=size), self.refused(grpc.StatusCode.INVALID_ARGUMENT):
                self.server.collections.Create(request, timeout=CALL_SECONDS)

    def test_health_check_tells_the_version(self):
        reply = self.server.qdrant.HealthCheck(pb.HealthCheckRequest(), timeout=CALL_SECONDS)
        self.assertRegex(reply.version, r"^\d+\.\d+\.\d+")


class Aliases(QdrantTest):
    def change(self, *actions):
        self.server.collections.UpdateAliases(
            pb.ChangeAliases(actions=actions), timeout=CALL_SECONDS
        )

    def aliases(self):
        return {
            each.alias_name: each.collection_name for each in self.client.get_aliases().aliases
        }

    def test_reads_and_writes_pass_through_an_alias(self):
        name, alias = self.new_collection(), self.new_name()
        self.change(create_alias(alias, name))
        self.client.upsert(alias, [models.PointStruct(id=1, vector={}, payload={"a": 1})], wait=True)
        self.assertEqual(self.payloads(name, 1), {1: {"a": 1}})
        self.assertEqual(self.client.count(alias).count, 1)
        of_name = self.client.get_collection_aliases(name).aliases
        self.assertEqual([each.alias_name for each in of_name], [alias])

    def test_several_actions_apply_together(self):
        old, new = self.new_collection(), self.new_collection()
        chunks, documents = self.new_name(), self.new_name()
        self.change(create_alias(chunks, old), create_alias(documents, old))
        self.change(
            delete_alias(chunks),
            delete_alias(documents),
            create_alias(chunks, new),
            create_alias(documents, new),
        )
        self.assertEqual({self.aliases()[chunks], self.aliases()[documents]}, {new})

    def test_one_wrong_action_undoes_all(self):
        old, new, alias = self.new_collection(), self.new_collection(), self.new_name()
        self.change(create_alias(alias, old))
        with self.refused(grpc.StatusCode.NOT_FOUND):
            self.change(create_alias(alias, new), create_alias(self.new_name(), "test_absent"))
        self.assertEqual(self.aliases()[alias], old)

    def test_a_reader_never_finds_the_alias_gone(self):
        first, second = self.new_collection(), self.new_collection()
        alias = self.new_name()
        self.change(create_alias(alias, first))
        done, failures = threading.Event(), []

        def read():
            while not done.is_set():
                try:
                    self.client.count(alias)
                except grpc.RpcError as error:
                    failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for turn in range(40):
            self.change(delete_alias(alias), create_alias(alias, (first, second)[turn % 2]))
        done.set()
        for reader in readers:
            reader.join()
        self.assertEqual(failures, [])

    def test_a_name_is_a_collection_or_an_alias(self):
        name, alias = self.new_collection(), self.new_name()
        self.change(create_alias(alias, name))
        with self.refused(grpc.StatusCode.INVALID_ARGUMENT):
            self.client.create_collection(alias, vectors_config={})
        with self.assertRaises(grpc.RpcError):
            self.change(create_alias(name, name))

    def test_rename_keeps_the_collection(self):
        name, old, new = self.new_collection(), self.new_name(), self.new_name()
        self.change(create_alias(old, name))
        rename = pb.RenameAlias(old_alias_name=old, new_alias_name=new)
        self.change(pb.AliasOperations(rename_alias=rename))
        self.assertEqual(self.aliases().get(new), name)
        self.assertNotIn(old, self.aliases())

    def test_aliases_go_with_their_collection(self):
        name, alias = self.new_collection(), self.new_name()
        self.change(create_alias(alias, name))
        self.client.delete_collection(name)
        self.assertNotIn(alias, self.aliases())
        self.assertFalse(self.client.collection_exists(alias))


if __name__ == "__main__":
    unittest.main()
