import pytest

from bench import smtp_in

from .toy import Toy

SMALL = {"connections": 3, "per_connection": 4, "mailboxes": 4, "seed": 1, "timeout": 0.5, "sample": 20}


def test_measures_a_server_that_does_its_work():
    with Toy() as target:
        report = smtp_in.run(target, messages=40, **SMALL)
    assert report.errors == []
    assert report.figures["end to end"].value > 0
    assert report.figures["DATA reply p50"].value > 0
    assert report.figures["accepted"].value >= report.figures["end to end"].value


def test_sends_one_command_at_a_time_without_pipelining():
    with Toy(pipelining=False) as target:
        report = smtp_in.run(target, messages=20, **SMALL)
    assert report.errors == []
    assert "PIPELINING" in report.notes[0]


def test_counts_from_what_was_there_before():
    with Toy() as target:
        for _ in range(2):
            assert smtp_in.run(target, messages=8, **SMALL).errors == []


@pytest.mark.parametrize(
    ("fault", "said"), [("lose", "holds"), ("double", "gained"), ("change", "lacks"), ("reject", "550")]
)
def test_calls_figures_void_when_the_server_errs(fault, said):
    with Toy({fault}) as target:
        report = smtp_in.run(target, messages=20, **SMALL)
    assert any(said in error for error in report.errors)
    assert not report.as_dict()["valid"]


def test_says_when_nothing_listens():
    with Toy() as target:
        target.ports["smtp"] = 1
        report = smtp_in.run(target, messages=4, **SMALL)
    assert any("cannot connect" in error for error in report.errors)
