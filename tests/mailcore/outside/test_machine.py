"""How busy the machine is, as its kernel counts it."""

from pathlib import Path

import pytest

from mailcore.outside import machine


def test_it_tells_what_share_of_the_cores_was_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(machine, "_STAT", stat)
    stat.write_text("cpu  100 10 40 800 50 0 0 0 0 0\ncpu0 1 2 3\n")
    load = machine.Load()
    assert load.busy() == 0.0
    stat.write_text("cpu  160 10 50 810 60 5 4 1 0 0\ncpu0 1 2 3\n")
    assert load.busy() == pytest.approx(80 / 100)
    assert load.busy() == 0.0


def test_it_says_idle_where_nobody_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_STAT", tmp_path / "none")
    assert machine.Load().busy() == 0.0
