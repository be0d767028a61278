"""One POST to an address that a customer named, in a thread. (RFC 9110 §9.3.3)

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
    address = _address(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host, port)
    cutter: threading.Timer | None = None
    try:
        plain = socket.create_connection((address, port), timeout=limits.WEBHOOK_SECONDS)
        connection.sock = plain
        # One slow octet after the other would keep every single time-out.
        cutter = threading.Timer(limits.WEBHOOK_SECONDS, _cut, [plain])
        cutter.daemon = True
        cutter.start()
        if parts.scheme == "https":
            connection.sock = tls.client_context(verify=True).wrap_socket(plain, server_hostname=host)
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read(limits.WEBHOOK_ANSWER_OCTETS).decode("utf-8", "replace")
        return Answer(answer.status, text)
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
