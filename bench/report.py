"""What a load program says at the end: figures, and whether they count; the options all programs share."""

import argparse
import csv
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.procs import Meter


@dataclass(frozen=True, slots=True)
class Figure:
    value: float
    unit: str
    better: str  # "higher" or "lower"


@dataclass(frozen=True, slots=True)
class Login:
    address: str
    password: str


@dataclass(slots=True)
class Target:
    """Where the server under test listens, who may log in, and which processes it consists of."""

    name: str
    host: str = "127.0.0.1"
    ports: dict[str, int] = field(default_factory=dict)  # smtp submission submissions imap imaps lmtp
    logins: list[Login] = field(default_factory=list)
    roots: tuple[int, ...] = ()
    outside_domain: str = "sink.example"  # whose mail the server sends to the sink
    sink_port: int = 0

    def port(self, what: str) -> int:
        if not self.ports.get(what):
            raise SystemExit(f"this program needs --{what}-port")
        return self.ports[what]


def add_target_options(parser: argparse.ArgumentParser, *ports: str) -> None:
    """Add the options that name a server; --server FILE (bench.peers, bench.hostmail) sets them all."""
    group = parser.add_argument_group("server under test")
    group.add_argument(
        "--server", type=Path, metavar="FILE", help="a server.json; single options below override it"
    )
    group.add_argument("--name", help="what to call it in the report")
    group.add_argument("--host")
    for port in ports:
        group.add_argument(f"--{port}-port", type=int, metavar="PORT")
    group.add_argument("--logins", type=Path, metavar="CSV", help="address,password a line")
    group.add_argument(
        "--pid", type=int, action="append", help="root of a server process tree, for its CPU and memory"
    )
    group.add_argument("--first", type=int, default=0, help="use the logins from this one on (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the mails; 0 (default) takes a new one from the clock"
    )


def read_logins(path: Path) -> list[Login]:
    """Read address,password lines; further columns are left alone."""
    with path.open(newline="") as file:
        return [Login(row[0], row[1]) for row in csv.reader(file) if row]


def load_target(server: Path) -> Target:
    """Return what a server.json describes."""
    data = json.loads(server.read_text())
    return Target(
        name=data["name"],
        host=data["host"],
        ports=data["ports"],
        logins=read_logins(server.parent / data["logins"]),
        roots=tuple(data["roots"]),
        outside_domain=data["outside_domain"],
        sink_port=data["sink_port"],
    )


def target_of(options: argparse.Namespace) -> Target:
    """Return the server that the options name, its logins from --first on."""
    target = load_target(options.server) if options.server else Target("server")
    target.name = options.name or target.name
    target.host = options.host or target.host
    for what in ("smtp", "submission", "submissions", "imap", "imaps"):
        if port := getattr(options, f"{what}_port", None):
            target.ports[what] = port
    if options.logins:
        target.logins = read_logins(options.logins)
    if options.pid:
        target.roots = tuple(options.pid)
    if not target.logins:
        raise SystemExit("no logins: give --server FILE or --logins CSV")
    target.logins = target.logins[options.first :]
    if not options.seed:
        options.seed = int(time.time())
    return target


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not less than share of all values."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(slots=True)
class Report:
    """Collects figures. One error makes all of them void: a server that loses mail is not fast."""

    program: str
    server: str
    figures: dict[str, Figure] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, *, better: str = "lower") -> None:
        self.figures[name] = Figure(value, unit, better)

    def add_latencies(
        self, name: str, seconds: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 0.99)
    ) -> None:
        for share in shares:
            if seconds:
                self.add(f"{name} p{share * 100:g}", percentile(seconds, share) * 1000, "ms")

    def add_median(self, name: str, seconds: Sequence[float]) -> None:
        if seconds:
            self.add(name, statistics.median(seconds) * 1000, "ms")

    def add_meter(self, meter: Meter, *, per: int = 0, what: str = "message") -> None:
        """Add what a stretch of work cost; "client ..." and "others ..." judge the measurement itself."""
        if meter.server is not None and per:
            self.add(f"server CPU per {what}", meter.server / per * 1000, "ms")
        if per:
            self.add(f"client CPU per {what}", meter.own / per * 1000, "ms")
        if meter.foreign is not None:
            self.add("others' CPU meanwhile", meter.foreign, "cores")

    def check(self, is_right: bool, error: str) -> None:
        if not is_right:
            self.error(error)

    def error(self, text: str) -> None:
        if len(self.errors) < 20:
            self.errors.append(text)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def as_dict(self) -> dict[str, object]:
        return {
            "program": self.program,
            "server": self.server,
            "valid": not self.errors,
            "figures": {
                name: {"value": figure.value, "unit": figure.unit, "better": figure.better}
                for name, figure in self.figures.items()
            },
            "errors": self.errors,
            "notes": self.notes,
        }

    def finish(self, path: Path | None) -> int:
        """Print the report, write it to path, and return the exit status: 1 when the figures are void."""
        print(f"{self.program} on {self.server}")
        for name, figure in self.figures.items():
            print(f"  {name:<48} {rounded(figure.value):>12} {figure.unit}")
        for note in self.notes:
            print(f"  note: {note}")
        for error in self.errors:
            print(f"  VOID: {error}")
        sys.stdout.flush()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.as_dict(), indent=1) + "\n")
        return 1 if self.errors else 0


def rounded(value: float) -> str:
    """Return value with three figures worth reading."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
