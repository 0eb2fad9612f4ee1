"""A Maven repository of our own on loopback: what it serves, and how often it was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.local.artifacts import Artifact, File


class Repository:
    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = ""

    def add(self, coordinate: str, body: bytes) -> File:
        """Publish a jar; the returned pin has the checksum of this body."""
        group, name, version = coordinate.split(":")
        path = f"/{group.replace('.', '/')}/{name}/{version}/{name}-{version}.jar"
        self.content[path] = body
        return File(coordinate=coordinate, sha256=hashlib.sha256(body).hexdigest())

    def replace_all(self, body: bytes) -> None:
        for path in self.content:
            self.content[path] = body


@contextmanager
def repository() -> Iterator[Repository]:
    served = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            body = served.content.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def artifact(*files: File) -> dict[str, Artifact]:
    return {"trial": Artifact(version="1", download_mb=1, unpacked_mb=1, files=list(files))}
