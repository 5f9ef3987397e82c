"""A collection: one shard of the engine, its writes one after another."""

import sys
import threading
from collections import deque

from refusal import MissingPoint, no_such_collection

# How long a write that is not waited for stays unseen. A real server takes its time too, and a program that relies on
# such a write shall fail here and not there.
_UNSEEN_SECONDS = 0.05


class Collection:
    """Guarantees of a write: it is checked and applied under one lock, so that of several writers that compare
    and set one wins; when `apply` returns it is in the engine's log, so it survives kill -9.
    """

    def __init__(self, name, folder, spaces, created, shard, on_write):
        self.name = name
        self.folder = folder
        self.spaces = spaces
        self.created = created
        self._shard = shard
        self._on_write = on_write
        self._writing = threading.Lock()
        self._applied = 0
        self._later = deque()
        # Loading may have replayed the log: unflushed, it would be replayed at each start to come.
        self._unflushed = True
        self._dropped = False

    def apply(self, update):
        """Applies an update after all that was promised before it, and returns its number."""
        with self._writing:
            self._catch_up()
            if self._dropped:
                raise no_such_collection(self.name)
            self._apply(update)
            number = self._applied - 1
        self._on_write()
        return number

    def apply_later(self, update):
        """Promises an update: it is seen a moment later, and nobody learns of it if it fails."""
        with self._writing:
            if self._dropped:
                raise no_such_collection(self.name)
            self._later.append(update)
        timer = threading.Timer(_UNSEEN_SECONDS, self._keep_promises)
        timer.daemon = True
        timer.start()

    def _keep_promises(self):
        with self._writing:
            self._catch_up()
        self._on_write()

    def _catch_up(self):
        while self._later:
            update = self._later.popleft()
            if self._dropped:
                continue
            try:
                self._apply(update)
            except Exception as error:  # the engine knows no other kind
                print(f"{self.name}: a write that nobody waited for failed: {error}", file=sys.stderr)

    def _apply(self, update):
        self._require(update.needs)
        self._unflushed = True
        self._shard.update(update.operation)
        self._applied += 1

    def _require(self, ids):
        # The engine would find a missing point only after it has changed others.
        if not ids:
            return
        there = {str(record.id) for record in self._shard.retrieve(list(ids), False, False)}
        for point_id in ids:
            if str(point_id) not in there:
                raise MissingPoint(point_id)

    def flush(self):
        """Moves what the log holds into the segments, which bounds the time of the next start."""
        # The lock, for a flush must not see an update half applied.
        with self._writing:
            if self._unflushed and not self._dropped:
                self._unflushed = False
                self._shard.flush()

    def drop(self):
        """No write passes from here on; reads under way end on their own hold of the shard."""
        with self._writing:
            self._dropped = True

    def close(self):
        with self._writing:
            self._catch_up()
        self.flush()
        with self._writing:
            self._dropped = True
            self._shard.close()

    def retrieve(self, ids, with_payload, with_vectors):
        return self._shard.retrieve(ids, with_payload, with_vectors)

    def scroll(self, request):
        return self._shard.scroll(request)

    def count(self, request):
        return self._shard.count(request)

    def facet(self, request):
        return self._shard.facet(request)

    def query(self, request):
        return self._shard.query(request)

    def query_batch(self, request):
        return self._shard.query_batch(request)

    def info(self):
        return self._shard.info()
