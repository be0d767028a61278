"""ImapFlow, the IMAP client of Node programs: it reads, flags, moves and waits. Where Node is there."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.mailcore.imap.test_programs import ann, held, imap
from tests.servers import find

MODULES = Path(__file__).parents[3] / "build" / "npm" / "node_modules"
SCRIPT = Path(__file__).with_name("imapflow.cjs")

__all__ = ["ann"]


def mail(number: int) -> bytes:
    return b"Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\nhi %d\r\n" % (number, number, number)


if find("node") is not None:  # scripts/need brings ImapFlow, but not Node

    @pytest.mark.once
    def test_reads_flags_moves_and_waits(maild, ann):
        if not (MODULES / "imapflow").is_dir():
            pytest.skip("needs ImapFlow: sh scripts/need")
        command = [find("node"), str(SCRIPT), str(maild.ports["imap"]), ann.address, ann.password]
        env = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        ) as running:
            try:
                seen = converse(maild, ann, running)
            finally:
                running.kill()
        assert "CONDSTORE" in seen["enabled"]
        assert ["INBOX", "\\Inbox"] in seen["folders"]
        assert ["Sent", "\\Sent"] in seen["folders"]
        size = len(mail(1))
        assert seen["mails"] == [[n, str(n), [], size, "text/plain"] for n in range(1, 6)]
        assert seen["source"].encode() == mail(2)
        assert seen["text"] == "hi 2\r\n"
        assert seen["unseen"] == [1, 2, 3, 4, 5]
        assert seen["appended"] == 6
        assert (seen["moved"], seen["copied"]) == ([[3, 1]], [[4, 2]])
        assert seen["status"] == [2, 2, 3]
        # Other clients' news, in IDLE: a new mail, a flag, an expunge.
        assert seen["idle"] == 4
        assert seen["news"] == [
            ["exists", 4, 5],
            ["flags", 1, ["\\Answered", "\\Seen"]],
            ["flags", 2, ["\\Deleted"]],
            ["expunge", 2],
        ]
        there = held(maild, ann)
        assert {raw.split(b"\r\n")[0][-1:]: set(flags.split()) for flags, raw in there["INBOX"]} == {
            b"1": {"\\Seen", "\\Answered"},
            b"4": set(),
            b"7": set(),
            b"x": {"\\Seen"},
        }
        assert [raw for _, raw in there["Trips/Paris"]] == [mail(3), mail(4)]


def converse(maild, ann, running: subprocess.Popen[str]) -> dict[str, object]:
    """What it says; when it waits, another client gives it something to hear."""
    seen = {}
    for line in running.stdout:
        what, value = json.loads(line)
        seen[what] = value
        if what == "idle":
            with imap(maild, ann) as other:
                other.append("INBOX", "", "", mail(7))
                other.select()
                other.store("1", "+FLAGS", "\\Answered")
                other.store("2", "+FLAGS.SILENT", "\\Deleted")
                other.expunge()
    _, said = running.communicate(timeout=30)
    assert running.returncode == 0, (said, seen)
    return seen
