"""The registry and what is advertised agree with the parser."""

from dataclasses import replace

from mailcore import limits
from mailcore.imap import commands
from mailcore.imap.session import State
from mailcore.imap.wire import parser
from mailcore.models import Rights
from tests.mailcore.imap.commands.talking import Talk


def test_every_command_that_is_parsed_has_a_row():
    assert set(commands.REGISTRY) == set(parser.COMMANDS)


def test_commands_with_sequence_numbers_hold_expunges_back():
    """RFC 9051 §7.5.1 names FETCH, STORE and SEARCH; SORT and THREAD are SEARCHes. Others may tell."""
    assert {name for name, spec in commands.REGISTRY.items() if spec.uses_seqs} == {
        "FETCH",
        "STORE",
        "SEARCH",
        "SORT",
        "THREAD",
    }


def test_commands_by_number_are_those_that_have_a_uid_form():
    """RFC 9586 §3: the rest goes on with UIDONLY. EXPUNGE has a UID form, and no number."""
    by_number = {name for name, spec in commands.REGISTRY.items() if spec.uses_seqs or spec.takes_seqs}
    with_uid_form = {name.removeprefix("UID ") for name in commands.REGISTRY if name.startswith("UID ")}
    assert by_number == with_uid_form - {"EXPUNGE"}


def test_only_harmless_commands_are_open_to_strangers():
    assert {name for name, spec in commands.REGISTRY.items() if spec.states & State.NOT_AUTHENTICATED} == {
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "ID",
        "STARTTLS",
        "LOGIN",
        "AUTHENTICATE",
    }


READER = dict.fromkeys(
    ("CREATE New", "DELETE Sent", "RENAME Sent Other", "SUBSCRIBE Sent", "UNSUBSCRIBE Sent", "EXPUNGE",
     "STORE 1 +FLAGS (\\Seen)", "UID STORE 1 +FLAGS (\\Seen)", "COPY 1 Sent", "MOVE 1 Sent", "UID EXPUNGE 1",
     "UID COPY 1 Sent", "UID MOVE 1 Sent", 'SETMETADATA "" (/private/comment "x")'),
    "NO [NOPERM] You may read this mailbox, but not change it",
)  # fmt: skip


def test_who_may_only_read_changes_nothing(cast, selected):
    reader = Talk(cast.alice)
    reader.session.login = replace(reader.session.login, rights=int(Rights.READ))
    before = selected.say("FETCH 1:* (FLAGS UID)")
    assert "a OK [READ-ONLY] SELECT completed" in reader.say("SELECT INBOX")
    for line, refused in READER.items():
        assert reader.say(line) == f"a {refused}\r\n", line
    for command in ("APPEND Sent", "REPLACE 1 Sent", "UID REPLACE 1 INBOX"):
        assert "NOPERM" in reader.say(f"{command} {{4}}\r\n", b"a\r\nb")
    assert reader.say("FETCH 1 (BODY[])").endswith("a OK FETCH completed\r\n")
    reader.say("CLOSE")
    assert selected.say("FETCH 1:* (FLAGS UID)") == before


def test_every_command_that_writes_says_so():
    writes = {name for name, spec in commands.REGISTRY.items() if spec.writes}
    assert writes == {line.partition(" ")[0] for line in READER if not line.startswith("UID")} | {
        " ".join(line.split(" ")[:2]) for line in READER if line.startswith("UID")
    } | {"APPEND", "REPLACE", "UID REPLACE"}


def test_a_long_search_says_that_it_goes_on(selected, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_PROGRESS_SECONDS", 0)
    line = '* OK [INPROGRESS ("a" NIL NIL)] Still at it\r\n'
    for command in ("SEARCH SMALLER 9999", "UID SEARCH TEXT Hello", "SORT (DATE) UTF-8 ALL"):
        said = selected.say(command)
        assert said.startswith(line), command
        assert said.count("* OK") >= 1
        assert said.endswith(" completed\r\n")
    assert "INPROGRESS (" not in selected.say("NOOP")
