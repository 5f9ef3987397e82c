"""GET /readyz on port 6333, as a server answers it: 200 once the engine behind the gRPC port does."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from api import messages


class Readyz(BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path == "/readyz" and engine_answers()
        text = b"all shards are ready\n" if ready else b"not ready\n"
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """A line for each health check would hide the engine's own."""


def engine_answers():
    with grpc.insecure_channel("127.0.0.1:6334") as channel:
        try:
            messages.QdrantStub(channel).HealthCheck(messages.HealthCheckRequest(), timeout=3)
        except grpc.RpcError:
            return False
    return True


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 6333), Readyz).serve_forever()
