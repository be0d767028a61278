import pytest

from bench import submission
from bench.instance import free_ports

from .toy import Toy

SMALL = {"connections": 3, "per_connection": 4, "mailboxes": 4, "seed": 1, "timeout": 1}


def measure(faults, **changes):
    toy = Toy(faults)
    with toy as target:
        target.sink_port = toy.sink_port = free_ports(1)[0]
        return submission.run(target, messages=20, **(SMALL | changes))


def test_measures_until_the_sink_has_all():
    report = measure(set())
    assert report.errors == []
    assert report.figures["relayed, end to end"].value > 0


@pytest.mark.parametrize(("fault", "said"), [("lose", "had not reached"), ("double", "more than once")])
def test_calls_figures_void_when_the_server_errs(fault, said):
    assert any(said in error for error in measure({fault}).errors)


def test_calls_figures_void_when_nobody_may_sign_in():
    toy = Toy()
    with toy as target:
        target.sink_port = free_ports(1)[0]
        toy.logins = []
        report = submission.run(target, messages=4, **SMALL)
    assert any("235" in error for error in report.errors)
