"""The gRPC server around the services."""

import socket
from concurrent.futures import ThreadPoolExecutor

import grpc

import api
from service import Collections, Points, Qdrant, Snapshots

_MAX_REQUEST_BYTES = 64 * 1024 * 1024
_UNLIMITED = -1
# The engine holds Python's lock while it works: more threads would only queue.
_THREADS = 8
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", _UNLIMITED),
    # Two servers on one port would take turns at the calls.
    ("grpc.so_reuseport", 0),
    # Clients that ping to keep a quiet connection open are welcome.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)


class UnusableAddress(Exception):
    """The address cannot be listened on; says why in one line."""


def bind(host, port, storage):
    """A server, not yet started, and the port it has (its choice where 0 was asked for)."""
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    api.messages.add_CollectionsServicer_to_server(Collections(storage), server)
    api.messages.add_PointsServicer_to_server(Points(storage), server)
    api.messages.add_SnapshotsServicer_to_server(Snapshots(), server)
    api.messages.add_QdrantServicer_to_server(Qdrant(), server)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise UnusableAddress(_why_not(host, port, address))
    return server, bound


def _why_not(host, port, address):
    """gRPC does not say why, the system does when asked again."""
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            probe.listen(1)
    except OSError as error:
        return f"cannot listen on {address}: {error.strerror}: free it or choose another --listen"
    return f"cannot listen on {address}"
