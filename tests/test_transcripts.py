"""Golden conversations, and the player that plays them."""

import pytest

from tests import transcript
from tests.transcript import Play, octets_of, pattern_of, transcripts


@pytest.mark.parametrize("path", transcripts(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_goes_as_written(path, maild, monkeypatch):
    transcript.play(path, maild, monkeypatch)


# --- The player --------------------------------------------------------------------------------------------


def test_sends_octets_as_written():
    values = {"name": b"Ann", "x": b"x"}
    assert (
        octets_of(r"Hi $name\r\n\0\xff\\ \$name é. a...", values)
        == b"Hi Ann\r\n\0\xff\\ $name \xc3\xa9. a..."
    )


def test_expects_what_is_written():
    values = {"uid": b"7"}
    assert pattern_of("* 1 FETCH (UID $uid)", values).fullmatch(b"* 1 FETCH (UID 7)")
    assert not pattern_of("* 1 FETCH (UID $uid)", values).fullmatch(b"* 1 FETCH (UID 8)")
    match = pattern_of("* OK [UIDVALIDITY $validity] ...", values).fullmatch(
        b"* OK [UIDVALIDITY 99] it is so"
    )
    assert match.groupdict() == {"validity": b"99"}
    assert pattern_of(r"a.b", values).fullmatch(b"a.b")
    assert not pattern_of(r"a.b", values).fullmatch(b"axb")
    assert pattern_of("$a-$a", values).fullmatch(b"1-1")
    assert not pattern_of("$a-$a", values).fullmatch(b"1-2")


@pytest.mark.parametrize(
    "text",
    [
        "S1: +OK nothing of the kind",
        "S1: ...\nS1: +OK never",
        "S1: ...\nS1!: +OK ...\nC1: QUIT\nS1: +OK Bye",
        "S1: +OK ...\nC1: QUIT\n@ closed 1",
        "S1: +OK ...\nC1: CAPA\nS1: +OK ...",
        "S1: +OK ...\nS1!: +OK ...",
        "@ holds alice 1",
        "@ mail alice: Subject: x\\r\\n\\r\\n\n@ kept alice 1: y",
    ],
)
def test_fails_when_it_goes_otherwise(text, maild, monkeypatch, tmp_path):
    monkeypatch.setattr(transcript, "SECONDS", 1)
    (tmp_path / "pop3").mkdir()
    path = tmp_path / "pop3" / "x.txt"
    path.write_text(text + "\n")
    with pytest.raises((AssertionError, TimeoutError)):
        Play(path, maild, monkeypatch, octet_by_octet=False).run()


def test_finds_transcripts_of_every_protocol():
    assert {path.parent.name for path in transcripts()} == {"imap", "pop3", "smtp"}
