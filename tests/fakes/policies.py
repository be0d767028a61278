"""An HTTPS host on loopback that serves MTA-STS policies, or lies about them.

    with FakePolicies("example.org") as web:             # a certificate for mta-sts.example.org
        web.say("version: STSv1\\r\\nmode: enforce\\r\\n...")
        web.asked                                        # [(Host field, path), ...]

While it is open, policies are asked for at its port. Names are the caller's: mta-sts.example.org needs an A.
"""

import http.server
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Self

from mailcore.services.outbound import sts_policies
from tests.fakes.remote import authority


class FakePolicies:
    def __init__(self, *domains: str, names: tuple[str, ...] = ()) -> None:
        self.names = names or tuple(f"mta-sts.{domain}" for domain in domains)
        self.asked: list[tuple[str, str]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (404, {}, b"")

    def say(self, text: str, *, code: int = 200, kind: str = "text/plain", **headers: str) -> Self:
        self.answer = code, {"Content-Type": kind, **headers}, text.encode()
        return self

    def __enter__(self) -> Self:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append((self.headers["Host"], self.path))
                code, headers, body = fake.answer
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request: object, address: object) -> None:
                pass  # a client that does not like our certificate

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = authority().issue_cert(*self.names)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pair.pem"
            path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
            context.load_cert_chain(path)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self._before, sts_policies.HTTPS_PORT = sts_policies.HTTPS_PORT, self._server.server_port
        return self

    def __exit__(self, *exc: object) -> None:
        sts_policies.HTTPS_PORT = self._before
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
