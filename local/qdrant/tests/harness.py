"""What the tests stand on: a server of their own, or the real one that TEST_QDRANT_URL names, and its clients."""

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc  # noqa: E402
from qdrant_client import QdrantClient  # noqa: E402
from qdrant_client import grpc as pb  # noqa: E402

PROGRAM = Path(__file__).resolve().parent.parent
REAL_SERVER = os.environ.get("TEST_QDRANT_URL")
CALL_SECONDS = 30
_START_SECONDS = 20
# Asks the kernel to kill the server when the test run is killed, then becomes it. Not a `preexec_fn`: gRPC, whose
# threads run here by then, does not survive a fork.
_DIE_WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

needs_own_server = unittest.skipIf(REAL_SERVER, "only of our server, not of the one in TEST_QDRANT_URL")


def run_program(*arguments, timeout=_START_SECONDS):
    """Runs the program to its end and returns what it left."""
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


class Server:
    """A private server on a free port, over a folder that outlives its processes."""

    def __init__(self, flush_seconds=2.0):
        self._folder = tempfile.mkdtemp(prefix="qdrant-test-")
        self._flush_seconds = flush_seconds
        self._process = None
        self.port = 0
        atexit.register(self.close)

    @property
    def data(self):
        return os.path.join(self._folder, "data")

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        """Starts the server on a free port."""
        log_path = os.path.join(self._folder, "log")
        command = [sys.executable, "-c", _DIE_WITH_PARENT, sys.executable, str(PROGRAM)]
        command += ["--data", self.data, "--listen", "127.0.0.1:0"]
        command += ["--flush-seconds", str(self._flush_seconds)]
        with open(log_path, "wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.port = self._await_port(Path(log_path))
        return self

    def _await_port(self, log):
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"listening address=\S+:(\d+)", log.read_text())
            if found:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        code = self._process.poll()
        self.kill()
        raise AssertionError(f"the server did not start (exit code {code}):\n{log.read_text()}")

    def stop(self):
        """Asks the server to end and returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def kill(self):
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)


class Connection:
    """The stock client and the bare stubs, to one server."""

    def __init__(self, host, port):
        self.target = f"{host}:{port}"
        self.client = QdrantClient(
            host=host,
            grpc_port=port,
            prefer_grpc=True,
            check_compatibility=False,
            timeout=CALL_SECONDS,
        )
        self.channel = grpc.insecure_channel(self.target, options=_UNLIMITED)
        self.points = pb.PointsStub(self.channel)
        self.collections = pb.CollectionsStub(self.channel)
        self.snapshots = pb.SnapshotsStub(self.channel)
        self.qdrant = pb.QdrantStub(self.channel)

    def close(self):
        self.client.close()
        self.channel.close()


_shared = None


def shared_server():
    """One server for all tests that leave it as it was; ended with the test run."""
    global _shared
    if _shared is None:
        if REAL_SERVER:
            address = urlsplit(REAL_SERVER)
            _shared = Connection(address.hostname, address.port or 6334)
        else:
            _shared = Connection("127.0.0.1", Server().start().port)
        atexit.register(_shared.close)
    return _shared


class QdrantTest(unittest.TestCase):
    """A test against the shared server, with names of its own that are gone afterwards."""

    def setUp(self):
        self.server = shared_server()
        self.client = self.server.client
        self.points = self.server.points

    def new_name(self):
        name = f"test_{uuid.uuid4().hex}"
        self.addCleanup(
            self.server.collections.Delete, pb.DeleteCollection(collection_name=name), timeout=CALL_SECONDS
        )
        return name

    def new_collection(self, vectors=None, sparse=None):
        """A collection of the given vector parameters; without any it holds payload only."""
        name = self.new_name()
        self.client.create_collection(name, vectors_config=vectors or {}, sparse_vectors_config=sparse)
        return name

    @contextlib.contextmanager
    def refused(self, code, text=""):
        """The block ends in an error of this status code whose details hold the text."""
        with self.assertRaises(grpc.RpcError) as caught:
            yield
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertIn(text, caught.exception.details())

    def payloads(self, collection, *ids):
        """The payload of each point that is there, by id."""
        records = self.client.retrieve(collection, list(ids), with_payload=True)
        return {record.id: record.payload for record in records}
