import os

from bench import idle

from .toy import Toy

SMALL = {"connections": 8, "tls": False, "mailboxes": 4, "deliveries": 3, "settle": 0.1, "seed": 1}


def test_measures_how_soon_idle_clients_hear():
    with Toy() as target:
        target.roots = (os.getpid(),)
        report = idle.run(target, **SMALL)
    assert report.errors == []
    assert 0 < report.figures["final dot to first EXISTS p50"].value < 1000
    assert "memory per idle connection" in report.figures


def test_calls_figures_void_when_a_client_is_not_told(monkeypatch):
    monkeypatch.setattr(idle, "HEAR_SECONDS", 0.3)
    with Toy({"deaf"}) as target:
        report = idle.run(target, **SMALL)
    assert any("0 of 2 idle clients heard" in error for error in report.errors)
