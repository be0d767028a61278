"""One POST to an address that a customer named, or one GET of a file, in a thread. (RFC 9110 §9.3)

The name is resolved once, every address is judged, and the connection goes to the very address that was
judged: a name that answers differently the second time leads nowhere (DNS rebinding). No redirect is
followed, no proxy asked, TLS certificates are verified, and the whole takes a limited time.
"""

import http.client
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadValue, MailError
from mailcore.outside import dns, reach, tls


class Failed(Exception):
    """No answer could be had; the text says why and is for the customer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status and the beginning of its text."""

    code: int
    text: str
    content_type: str = ""


def checked_url(url: str) -> SplitResult:
    """The parts of a URL that may be posted to. Raises BadValue."""
    if len(url) > limits.WEBHOOK_URL_CHARS or not url.isascii() or any(char <= " " for char in url):
        raise BadValue("That is not a URL that can be used here")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadValue("That is not a URL") from error
    may_be_plain = settings.HOSTMAIL_PRIVATE_TARGETS == "allow"
    if parts.scheme != "https" and not (parts.scheme == "http" and may_be_plain):
        raise BadValue("The URL has to begin with https://")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise BadValue("The URL names a host, and no user or password")
    if port is not None and port != 443 and port < 1024 and not (port == 80 and may_be_plain):
        raise BadValue("That port is not for the web")
    if reach.is_address(parts.hostname) and not reach.may_connect(parts.hostname):
        raise BadValue("That address is not on the internet")
    return parts


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST body to url; the answer, whatever its status. Raises Failed."""
    try:
        parts = checked_url(url)
    except BadValue as error:
        raise Failed(error.public) from error
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _exchange(
        host, port, "POST", path, body, headers, is_secure=parts.scheme == "https",
        seconds=limits.WEBHOOK_SECONDS, octets=limits.WEBHOOK_ANSWER_OCTETS,
    )  # fmt: skip


def get(host: str, path: str, *, port: int = 443, seconds: float, octets: int) -> Answer:
    """GET https://host/path, whose certificate is good for host; at most octets of it. Raises Failed."""
    return _exchange(host, port, "GET", path, None, {}, is_secure=True, seconds=seconds, octets=octets)


def _exchange(
    host: str,
    port: int,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    is_secure: bool,
    seconds: float,
    octets: int,
) -> Answer:
    address = _address(host)
    connection = http.client.HTTPConnection(host, port)
    if is_secure:
        connection.default_port = 443  # the Host field names only what is unusual
    cutter: threading.Timer | None = None
    try:
        plain = socket.create_connection((address, port), timeout=seconds)
        connection.sock = plain
        # One slow octet after the other would keep every single time-out.
        cutter = threading.Timer(seconds, _cut, [plain])
        cutter.daemon = True
        cutter.start()
        if is_secure:
            connection.sock = tls.client_context(verify=True).wrap_socket(plain, server_hostname=host)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read(octets).decode("utf-8", "replace")
        return Answer(answer.status, text, answer.headers.get("Content-Type", "") if body is None else "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"{type(error).__name__}: {error}"[:300]) from error
    finally:
        if cutter is not None:
            cutter.cancel()
        connection.close()


def _address(host: str) -> str:
    """The address to connect to: the first one, when all of them may be connected to. Raises Failed."""
    try:
        found = [host] if reach.is_address(host) else dns.addresses(host)
    except MailError as error:
        raise Failed(error.public) from error
    if not found or not all(reach.may_connect(address) for address in found):
        raise Failed("The host has an address that is not on the internet")
    return found[0]


def _cut(plain: socket.socket) -> None:
    try:
        plain.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
