"""A scanner that speaks clamd's INSTREAM and finds what it is told to find, or misbehaves."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from typing import Self


class FakeClamd:
    """`with FakeClamd({b"EICAR": "Eicar-Signature"}) as fake`: fake.endpoint. seen has what was scanned.

    reply, if set, is said to everything at once, before anything is read.
    """

    def __init__(self, finds: dict[bytes, str] | None = None, *, reply: bytes = b"") -> None:
        self.seen: list[bytes] = []
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if reply:
                    self.wfile.write(reply)
                    self.wfile.flush()
                    self.request.shutdown(socket.SHUT_WR)
                    while self.request.recv(65536):
                        pass
                    return
                assert self.rfile.read(10) == b"zINSTREAM\0"
                raw = b""
                while length := struct.unpack("!L", self.rfile.read(4))[0]:
                    raw += self.rfile.read(length)
                fake.seen.append(raw)
                name = next((name for mark, name in (finds or {}).items() if mark in raw), "")
                self.wfile.write(f"stream: {name} FOUND\0".encode() if name else b"stream: OK\0")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def endpoint(self) -> tuple[str, int]:
        return self._server.server_address[0], self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
