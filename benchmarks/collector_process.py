"""A collector for `telemetry_cost`: takes whatever is posted. Prints its address; ends with its standard input."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Takes(BaseHTTPRequestHandler):
    """Answers every POST with 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Takes one message."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main() -> None:
    """Serves until nobody is at the other end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
