"""The Qdrant gRPC API over qdrant-edge, for development and tests on one machine.

Data that was answered with wait=true survives kill -9 of this program, not a power cut. One process, no
authentication, no TLS, no REST: for anything more, run a Qdrant server; every stock client works with both.
Calls and options that are not supported are answered with UNIMPLEMENTED and their name.
"""

import argparse
import logging
import signal
import sys

_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_GRACE_SECONDS = 5
log = logging.getLogger("qdrant")


def main():
    arguments = _arguments()
    # Blocked before any thread starts, so that all threads leave the signals to the wait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    # The log goes to stdout: a failed start prints one line to stderr and nothing else.
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        # Only now: --help and wrong arguments need nothing installed.
        from flusher import Flusher
        from server import UnusableAddress, bind
        from storage import Storage, UnusableFolder
    except ModuleNotFoundError as error:
        return _fail(f"{error}: install requirements.txt and put it on PYTHONPATH")
    flusher = Flusher(lambda: storage.flush(), arguments.flush_seconds)
    try:
        storage = Storage(arguments.data, on_write=flusher.note_write)
        server, port = bind(*arguments.listen, storage)
    except (UnusableFolder, UnusableAddress) as error:
        return _fail(error)
    flusher.start()
    server.start()
    log.info("listening address=%s:%d data=%s", arguments.listen[0], port, arguments.data)
    received = signal.sigwait(_STOP_SIGNALS)
    log.info("stopping signal=%s", signal.Signals(received).name)
    # Calls under way end, then what they wrote is flushed.
    server.stop(_GRACE_SECONDS).wait()
    flusher.stop()
    storage.close()
    return 0


def _fail(reason):
    print(f"error: {reason}", file=sys.stderr)
    return 1


def _arguments():
    parser = argparse.ArgumentParser(
        prog="qdrant",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the data, made if absent")
    parser.add_argument(
        "--listen",
        type=_address,
        default="127.0.0.1:6334",
        metavar="HOST:PORT",
        help="address of the gRPC port (default 127.0.0.1:6334); port 0: any free one, see the log",
    )
    parser.add_argument(
        "--flush-seconds",
        type=_seconds,
        default=2.0,
        metavar="S",
        help="from a write to its flush (default 2); bounds the log replayed at the next start",
    )
    return parser.parse_args()


def _address(text):
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
