import pytest

from bench import imap_read

from .toy import Toy

SMALL = {"messages": 20, "mailboxes": 3, "seed": 1, "repeat": 2, "seconds": 0.05, "settle": 0}


@pytest.mark.parametrize(
    "capabilities",
    ["IMAP4rev1", "IMAP4rev1 LITERAL+ MOVE", "IMAP4rev1 LITERAL+ MULTIAPPEND", "IMAP4rev1 MULTIAPPEND MOVE"],
)
def test_measures_with_what_the_server_offers(capabilities):
    with Toy(capabilities=capabilities) as target:
        report = imap_read.run(target, **SMALL)
    assert report.errors == []
    assert ("MOVE 10" in report.figures) == ("MOVE" in capabilities)
    assert ("MOVE is not offered" in report.notes) == ("MOVE" not in capabilities)
    assert "SORT is not offered" in report.notes
    for name in ("SEARCH BODY", "STORE FLAGS on one", "EXPUNGE 10", "NOOP, 8 connections, depth 50"):
        assert report.figures[name].value > 0


def test_calls_figures_void_when_a_search_misses_one():
    with Toy({"forget"}) as target:
        report = imap_read.run(target, **SMALL)
    assert any("SEARCH UNSEEN" in error for error in report.errors)


def test_calls_figures_void_when_a_command_is_refused():
    toy = Toy()
    with toy as target:
        toy.logins = toy.logins[1:]
        report = imap_read.run(target, **SMALL)
    assert any("NO wrong" in error for error in report.errors)
