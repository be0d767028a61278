"""Logging in to a mailbox by SCRAM: one exchange for IMAP, POP3 and submission. (RFC 5802, RFC 7677)

Each step is one call, and reads what it needs anew; nothing is held between them but what was said. Failures
count where those of PLAIN do (logins.py), and who may come in is decided where it is for PLAIN (doors.py).
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from mailcore import scram
from mailcore.errors import LoginFailed, LoginThrottled
from mailcore.services import doors, logins, mail_log, verifiers
from mailcore.services.doors import Login


class Exchange:
    """One client's way in: first(), final(), then login is who came.

    endpoint is what the TLS channel is bound by (RFC 5929 §4), b"" without one.
    """

    def __init__(self, mechanism: str, *, protocol: str, peer: str | None, endpoint: bytes) -> None:
        self.login: Login | None = None
        self._mechanism = mechanism
        self._is_plus = mechanism == scram.PLUS
        self._protocol = protocol
        self._peer = peer
        self._endpoint = endpoint
        self._name = ""
        self._first: scram.First | None = None
        self._challenge = b""
        self._known: verifiers.Known | None = None

    def first(self, octets: bytes) -> bytes:
        """The answer to the client's first message. Raises BadSyntax, LoginFailed, LoginThrottled."""
        with self._logged():
            return self._begin(octets)

    def _begin(self, octets: bytes) -> bytes:
        self._first = scram.client_first(octets)
        scram.check_binding(self._first, is_plus=self._is_plus, has_endpoint=bool(self._endpoint))
        self._name, door = doors.door_of(self._first.name)
        logins.check(self._name, self._peer)
        self._known = verifiers.known(door.mailbox_id, self._name)
        nonce = b64encode(os.urandom(18))
        self._challenge = scram.server_first(self._first, nonce, self._known.salt, self._known.iterations)
        return self._challenge

    def final(self, octets: bytes) -> bytes:
        """The answer to the client's last message: what proves us. login is set.

        Raises BadSyntax, LoginFailed (hold the answer back for its wait_seconds), LoginThrottled, and once
        the proof was right MailboxSuspended, TenantSuspended, WayClosed.
        """
        with self._logged():
            answer = self._end(octets)
        mail_log.login(self._protocol, self._name, self._peer, self._mechanism)
        return answer

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Who does not get in here stands in the mail log."""
        try:
            yield
        except (LoginFailed, LoginThrottled):
            mail_log.login_failed(self._protocol, self._name, self._peer, self._mechanism)
            raise

    def _end(self, octets: bytes) -> bytes:
        assert self._first is not None
        assert self._known is not None
        logins.check(self._name, self._peer)
        try:
            final = scram.client_final(octets, self._first, self._challenge, self._endpoint)
        except LoginFailed as error:
            raise logins.failed(self._name, self._peer) from error
        signature: bytes | None = None
        proven: verifiers.Candidate | None = None
        for candidate in self._known.candidates:
            for keys in candidate.keys:
                found = keys.signature(final.message, final.proof)
                if found is not None:
                    signature, proven = found, candidate
        # Read anew: meanwhile the password may be another, or the mailbox suspended.
        _, door = doors.door_of(self._first.name)
        came = doors.came_by_proof(door, self._name, proven) if proven is not None else None
        if came is None or signature is None:
            raise logins.failed(self._name, self._peer)
        self.login = doors.admit(door, came, self._peer, self._protocol)
        return scram.server_final(signature)
