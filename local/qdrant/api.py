"""The messages and servicers of the Qdrant gRPC API, as the stock Python client ships them.

Importing `qdrant_client` itself loads its HTTP half too (httpx, pydantic), which costs 1.5 s and 55 MB and
serves nothing here. So the package's own `__init__` is stepped over while its `grpc` folder is imported.
"""

import importlib.util
import os
import sys

# The C core would add lines of its own to the one line that a failed start prints.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _import_grpc_folder():
    if "qdrant_client" in sys.modules:
        return importlib.import_module("qdrant_client.grpc")
    spec = importlib.util.find_spec("qdrant_client")
    if spec is None:
        raise ModuleNotFoundError("No module named 'qdrant_client'", name="qdrant_client")
    sys.modules["qdrant_client"] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module("qdrant_client.grpc")
    finally:
        # Whoever wants the client later gets the real package.
        del sys.modules["qdrant_client"]


messages = _import_grpc_folder()
CollectionsServicer = messages.CollectionsServicer
PointsServicer = messages.PointsServicer
QdrantServicer = messages.QdrantServicer
SnapshotsServicer = messages.SnapshotsServicer


def services():
    """The descriptor of every service of the API, by its short name."""
    from_files = (
        messages.collections_service_pb2,
        messages.points_service_pb2,
        messages.snapshots_service_pb2,
        messages.qdrant_pb2,
    )
    return {
        name: service
        for file in from_files
        for name, service in file.DESCRIPTOR.services_by_name.items()
    }
