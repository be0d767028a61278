"""What another server says of the collected mails, kept to compare ours with: ENVELOPE, BODY, BODYSTRUCTURE.

    python -m tests.structures HOST PORT USER PASSWORD > tests/messages/dovecot.json

Asks an empty folder there for each mail of tests/messages. The file that is kept came from Dovecot.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.imap_client import Imap
from mailcore.message.encode import crlf
from tests.messages import corpus, name_of
from tests.messages.wire import read

ITEMS = ("ENVELOPE", "BODY", "BODYSTRUCTURE")


def plain(value: Any) -> Any:
    """What wire.read() gave, as JSON can keep it: octets as latin-1."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def told(answer: bytes, item: str) -> Any:
    """The value of the one item of a FETCH answer."""
    start = answer.index(f"FETCH ({item} ".encode()) + len(item) + 8
    return plain(read(answer[start : answer.rindex(b")\r\n", start)]))


def ask(imap: Imap, folder: str) -> dict[str, dict[str, Any]]:
    """Put every mail into a fresh folder, and ask for it."""
    imap.recreate(folder)
    found = {}
    for number, path in enumerate(corpus(), 1):
        imap.append(folder, [(b"", crlf(path.read_bytes()))])
        imap.select(folder)
        found[name_of(path)] = {
            item: told(imap.command(b"FETCH %d %s" % (number, item.encode())), item) for item in ITEMS
        }
    return found


if __name__ == "__main__":
    host, port, user, password = sys.argv[1:]
    client = Imap(host, int(port))
    client.login(user, password)
    json.dump(ask(client, "structures"), sys.stdout, indent=0, sort_keys=True)
