"""The calls of the Qdrant gRPC API that this server answers; any other of its calls is UNIMPLEMENTED by name."""

import logging
import time

import grpc
import qdrant_edge as edge

import api
import updates
from api import messages as pb
from config import describe
from filters import filter_of
from groups import query_groups
from indexes import write_schema
from query import limit_of, read_order, read_query
from records import payload_selector, vectors_selector, write_hit, write_record
from refusal import Refusal, admit, of_engine, unsupported
from values import read_id, write_id

VERSION = "1.20.0"
log = logging.getLogger("service")
_READ = {"collection_name", "read_consistency", "timeout"}


def _answers(method):
    """A servicer's method from one that takes the request alone and raises its refusals."""

    def handler(self, request, context):
        started = time.perf_counter()
        try:
            reply = method(self, request)
        except Refusal as error:
            refusal = error
        except BaseException as error:
            # A panic of the engine is no Exception; left alone it would leave the caller without an answer.
            refusal = of_engine(error)
            if refusal.code is grpc.StatusCode.INTERNAL:
                log.error("call failed method=%s error=%s", method.__qualname__, refusal)
        else:
            if "time" in reply.DESCRIPTOR.fields_by_name:
                reply.time = time.perf_counter() - started
            return reply
        context.abort(refusal.code, str(refusal))

    handler.is_answered = True
    return handler


def _complete(servicer):
    """Gives every call of the servicer's service that it does not answer a refusal that names the call."""
    service = api.services()[servicer.SERVICE]
    for method in service.methods:
        if not hasattr(getattr(servicer, method.name), "is_answered"):
            setattr(servicer, method.name, _not_supported(f"{service.full_name}/{method.name}"))
    return servicer


def _not_supported(call):
    def refuse(_self, _request):
        raise unsupported(call)

    refuse.__qualname__ = call
    return _answers(refuse)


@_complete
class Collections(api.CollectionsServicer):
    SERVICE = "Collections"

    def __init__(self, storage):
        self._storage = storage

    @_answers
    def Create(self, request):
        self._storage.create(request)
        return pb.CollectionOperationResponse(result=True)

    @_answers
    def Delete(self, request):
        admit(request, {"collection_name", "timeout"})
        return pb.CollectionOperationResponse(result=self._storage.drop(request.collection_name))

    @_answers
    def List(self, request):
        descriptions = [pb.CollectionDescription(name=name) for name in self._storage.names()]
        return pb.ListCollectionsResponse(collections=descriptions)

    @_answers
    def CollectionExists(self, request):
        exists = self._storage.exists(request.collection_name)
        return pb.CollectionExistsResponse(result=pb.CollectionExists(exists=exists))

    @_answers
    def Get(self, request):
        collection = self._storage.collection(request.collection_name)
        info = collection.info()
        reply = pb.GetCollectionInfoResponse()
        result = reply.result
        result.status = pb.CollectionStatus.Green
        result.optimizer_status.ok = True
        result.segments_count = info.segments_count
        result.points_count = info.points_count
        result.indexed_vectors_count = info.indexed_vectors_count
        result.config.CopyFrom(describe(collection.created))
        for field, index in info.payload_schema.items():
            write_schema(result.payload_schema[field], index)
        return reply

    @_answers
    def UpdateAliases(self, request):
        admit(request, {"actions", "timeout"})
        self._storage.change_aliases(request.actions)
        return pb.CollectionOperationResponse(result=True)

    @_answers
    def ListAliases(self, request):
        return _alias_list(self._storage.aliases())

    @_answers
    def ListCollectionAliases(self, request):
        aliases = self._storage.aliases()
        return _alias_list({a: name for a, name in aliases.items() if name == request.collection_name})


def _alias_list(aliases):
    descriptions = [
        pb.AliasDescription(alias_name=alias, collection_name=name) for alias, name in aliases.items()
    ]
    return pb.ListAliasesResponse(aliases=descriptions)


def _write_call(read_update):
    """A call that applies one update."""

    def write(self, request):
        collection = self._storage.collection(request.collection_name)
        update = read_update(request, collection.spaces)
        return pb.PointsOperationResponse(result=_apply(request, collection, update))

    write.__qualname__ = f"Points.{read_update.__name__}"
    return _answers(write)


def _apply(request, collection, update):
    if request.wait:
        return pb.UpdateResult(operation_id=collection.apply(update), status=pb.UpdateStatus.Completed)
    collection.apply_later(update)
    return pb.UpdateResult(status=pb.UpdateStatus.Acknowledged)


@_complete
class Points(api.PointsServicer):
    SERVICE = "Points"

    Upsert = _write_call(updates.upsert)
    Delete = _write_call(updates.delete)
    UpdateVectors = _write_call(updates.update_vectors)
    DeleteVectors = _write_call(updates.delete_vectors)
    SetPayload = _write_call(updates.set_payload)
    OverwritePayload = _write_call(updates.overwrite_payload)
    DeletePayload = _write_call(updates.delete_payload)
    ClearPayload = _write_call(updates.clear_payload)
    CreateFieldIndex = _write_call(updates.create_index)
    DeleteFieldIndex = _write_call(updates.delete_index)

    def __init__(self, storage):
        self._storage = storage

    @_answers
    def UpdateBatch(self, request):
        collection = self._storage.collection(request.collection_name)
        results = [
            _apply(request, collection, update)
            for update in updates.batch(request, collection.spaces)
        ]
        return pb.UpdateBatchResponse(result=results)

    @_answers
    def Get(self, request):
        admit(request, _READ | {"ids", "with_payload", "with_vectors"})
        collection = self._storage.collection(request.collection_name)
        ids = [read_id(point_id) for point_id in request.ids]
        wanted = payload_selector(request, default=True), vectors_selector(request)
        reply = pb.GetResponse()
        for record in collection.retrieve(ids, *wanted):
            write_record(reply.result.add(), record)
        return reply

    @_answers
    def Scroll(self, request):
        admit(
            request,
            _READ | {"filter", "offset", "limit", "with_payload", "with_vectors", "order_by"},
        )
        collection = self._storage.collection(request.collection_name)
        records, following = collection.scroll(
            edge.ScrollRequest(
                offset=read_id(request.offset) if request.HasField("offset") else None,
                limit=limit_of(request),
                filter=filter_of(request),
                with_payload=payload_selector(request, default=True),
                with_vector=vectors_selector(request),
                order_by=read_order(request.order_by) if request.HasField("order_by") else None,
            )
        )
        reply = pb.ScrollResponse()
        if following is not None:
            reply.next_page_offset.CopyFrom(write_id(following))
        for record in records:
            write_record(reply.result.add(), record)
        return reply

    @_answers
    def Count(self, request):
        admit(request, _READ | {"filter", "exact"})
        collection = self._storage.collection(request.collection_name)
        exact = request.exact if request.HasField("exact") else True
        count = collection.count(edge.CountRequest(exact, filter_of(request)))
        return pb.CountResponse(result=pb.CountResult(count=count))

    @_answers
    def Query(self, request):
        collection = self._storage.collection(request.collection_name)
        reply = pb.QueryResponse()
        for hit in collection.query(read_query(request, collection)):
            write_hit(reply.result.add(), hit)
        return reply

    @_answers
    def QueryBatch(self, request):
        admit(request, _READ | {"query_points"})
        collection = self._storage.collection(request.collection_name)
        queries = [read_query(query, collection) for query in request.query_points]
        reply = pb.QueryBatchResponse()
        for hits in collection.query_batch(edge.QueryBatchRequest(queries)):
            result = reply.result.add()
            for hit in hits:
                write_hit(result.result.add(), hit)
        return reply

    @_answers
    def QueryGroups(self, request):
        collection = self._storage.collection(request.collection_name)
        reply = pb.QueryGroupsResponse()
        reply.result.SetInParent()
        for key, hits in query_groups(request, collection):
            group = reply.result.groups.add()
            _write_group_key(group.id, key)
            for hit in hits:
                write_hit(group.hits.add(), hit)
        return reply

    @_answers
    def Facet(self, request):
        admit(request, _READ | {"key", "filter", "limit", "exact"})
        collection = self._storage.collection(request.collection_name)
        asked = edge.FacetRequest(
            request.key, limit_of(request), request.exact, filter_of(request)
        )
        reply = pb.FacetResponse()
        for hit in collection.facet(asked):
            message = reply.hits.add()
            message.count = hit.count
            _write_facet_value(message.value, hit.value)
        return reply


def _write_group_key(message, key):
    if isinstance(key, str):
        message.string_value = key
    elif key >= 0:
        message.unsigned_value = key
    else:
        message.integer_value = key


def _write_facet_value(message, value):
    # bool before int: True is an int to Python.
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.integer_value = value
    else:
        message.string_value = str(value)


@_complete
class Snapshots(api.SnapshotsServicer):
    SERVICE = "Snapshots"


@_complete
class Qdrant(api.QdrantServicer):
    SERVICE = "Qdrant"

    @_answers
    def HealthCheck(self, request):
        return pb.HealthCheckReply(title="qdrant-edge development server", version=VERSION)
