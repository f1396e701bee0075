"""`python -m portal.demo.webserver`: shows the files of the demo's names over plain HTTP, and nothing else."""

import argparse
import http
import http.server
from pathlib import Path

from portal.demo import documents


class Shown(http.server.BaseHTTPRequestHandler):
    timeout = 5
    server_version, sys_version = "demo", ""

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0].lower()
        found = documents.at(self.server.folder, host, self.path)  # type: ignore[attr-defined]
        body = b"Nothing is here.\n" if found is None else found
        self.send_response(http.HTTPStatus.NOT_FOUND if found is None else http.HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(("127.0.0.1", port), Shown)
        self.folder = folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m portal.demo.webserver")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    Server(options.port, options.folder).serve_forever()
