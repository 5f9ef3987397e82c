"""The background thread that flushes after writes, so that the log to replay at the next start stays short."""

import threading


class Flusher:
    """Sleeps until there is a write, flushes `seconds` later, and so on: it costs nothing while all is quiet."""

    def __init__(self, flush, seconds):
        self._flush = flush
        self._seconds = seconds
        self._written = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)

    def start(self):
        self._thread.start()

    def note_write(self):
        self._written.set()

    def stop(self):
        self._stopping.set()
        self._written.set()
        self._thread.join()

    def _run(self):
        while True:
            self._written.wait()
            if self._stopping.wait(self._seconds):
                return
            self._written.clear()
            self._flush()
