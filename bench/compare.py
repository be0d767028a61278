"""Peers, ours, peers again, in one session on one machine; medians, and the ratio of each figure.

    python -m bench [--full] [--only smtp_in,imap_read] [--database sqlite] [--out FOLDER]

`make bench` calls it. Small sizes by default (about 6 minutes); --full takes the sizes that figures are
quoted for. Each visit to a server starts it afresh in a new folder; mail in and submission run --rounds
times on fresh mailboxes each, IMAP reading repeats inside. A ratio over 1 means that ours is better,
whichever way the figure runs. Void figures count for nothing and make the exit status 1.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import hostmail, idle, imap_read, smtp_in, submission
from bench.peers.__main__ import down as peers_down
from bench.peers.__main__ import up as peers_up
from bench.procs import machine
from bench.report import Report, Target, load_target, rounded

# Idle clients first: their memory is a difference, and processes that earlier load left behind end during it.
PROGRAMS = ("idle", "idle_tls", "smtp_in", "submission", "imap_read")
SETTLE_SECONDS = 3
# About the measurement, not about the server: no ratio.
ABOUT_MEASUREMENT = (
    "client CPU",
    "others' CPU",
    "memory of the server before",
    "messages per relay connection",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    mail_in: int
    submissions: int
    folder: int
    idle: int
    deliveries: int
    seconds: float  # of each measurement of a rate


SMALL = Sizes(mail_in=1000, submissions=1000, folder=1000, idle=200, deliveries=10, seconds=1)
FULL = Sizes(mail_in=3000, submissions=2000, folder=10_000, idle=1000, deliveries=40, seconds=3)


def visit(server: Path, sizes: Sizes, programs: list[str], rounds: int, seed: int) -> list[Report]:
    """Run the programs on one running server, each round on mailboxes that nobody used before."""
    target = load_target(server)
    reports = []
    unused = iter(range(0, len(target.logins) - 19, 20))

    def fresh() -> Target:
        first = next(unused)
        part = load_target(server)
        part.logins = part.logins[first : first + 20]
        return part

    shared = {"connections": 20, "per_connection": 20, "mailboxes": 20}
    steps: list[Callable[[], Report]] = []
    for program in programs:
        if program == "smtp_in":
            for number in range(rounds):
                steps.append(
                    lambda number=number: smtp_in.run(
                        fresh(), messages=sizes.mail_in, seed=seed + number, **shared
                    )
                )
        elif program == "submission":
            senders = fresh()
            for number in range(rounds):
                steps.append(
                    lambda number=number, senders=senders: submission.run(
                        senders, messages=sizes.submissions, seed=seed + 10 + number, **shared
                    )
                )
        elif program == "imap_read":
            steps.append(
                lambda: imap_read.run(
                    fresh(), messages=sizes.folder, mailboxes=20, seed=seed, repeat=3, seconds=sizes.seconds
                )
            )
        else:
            steps.append(
                lambda tls=program == "idle_tls": idle.run(
                    fresh(),
                    connections=sizes.idle,
                    tls=tls,
                    mailboxes=20,
                    deliveries=sizes.deliveries,
                    settle=8,
                    seed=seed + 20,
                )
            )
    for step in steps:
        report = step()
        report.finish(None)
        reports.append(report)
        time.sleep(SETTLE_SECONDS)
    return reports


Values = dict[tuple[str, str], list[float]]


def collect(reports: list[Report]) -> tuple[Values, dict[tuple[str, str], tuple[str, str]]]:
    """Return the values of each (program, figure) of valid reports, and its unit and direction."""
    values: Values = {}
    kinds = {}
    for report in reports:
        if report.errors:
            continue
        for name, figure in report.figures.items():
            values.setdefault((report.program, name), []).append(figure.value)
            kinds[report.program, name] = (figure.unit, figure.better)
    return values, kinds


def table(theirs: list[Report], ours: list[Report]) -> tuple[list[dict[str, object]], str]:
    """Return the rows, and the table to print."""
    their_values, kinds = collect(theirs)
    our_values, our_kinds = collect(ours)
    rows, lines = [], []
    program = ""
    for key, (unit, better) in (kinds | our_kinds).items():
        their, our = their_values.get(key, []), our_values.get(key, [])
        row: dict[str, object] = {"program": key[0], "figure": key[1], "unit": unit, "better": better}
        row |= {"theirs": their, "ours": our}
        their_median = statistics.median(their) if their else None
        our_median = statistics.median(our) if our else None
        ratio = None
        if their_median and our_median and not key[1].startswith(ABOUT_MEASUREMENT):
            ratio = our_median / their_median if better == "higher" else their_median / our_median
        rows.append(row | {"their_median": their_median, "our_median": our_median, "ratio": ratio})
        if key[0] != program:
            program = key[0]
            lines += ["", f"{program:<50} {'theirs':>12} {'ours':>12} {'ratio':>8}  unit"]
        spread = ""
        if len(their) > 1 and their_median and (max(their) - min(their)) > 0.3 * their_median:
            spread = f"  theirs {rounded(min(their))}-{rounded(max(their))}"
        cells = [rounded(value) if value is not None else "-" for value in (their_median, our_median)]
        shown = f"{ratio:.2f}x" if ratio else "-"
        lines.append(f"  {key[1]:<48} {cells[0]:>12} {cells[1]:>12} {shown:>8}  {unit}{spread}")
    return rows, "\n".join(lines)


def _visits(options: argparse.Namespace, base: Path) -> list[tuple[str, Callable[[], list[Report]]]]:
    sizes = FULL if options.full else SMALL
    wanted = set(options.only.split(",")) if options.only else set(PROGRAMS)
    if unknown := wanted - set(PROGRAMS):
        raise SystemExit(f"--only knows {', '.join(PROGRAMS)}, not {', '.join(sorted(unknown))}")
    programs = [program for program in PROGRAMS if program in wanted]
    # 20 for each round of mail in, 20 for senders, reader and each kind of idle clients, one for the first
    # try.
    mailboxes = 20 * (options.rounds + 4) + 1

    def at(
        number: int, up: Callable[[Path], Path], down: Callable[[Path], None]
    ) -> Callable[[], list[Report]]:
        def run() -> list[Report]:
            folder = base / f"v{number}"
            server = up(folder)
            try:
                return visit(server, sizes, programs, options.rounds, seed=1000 * (number + 1))
            finally:
                down(folder)

        return run

    def peers(number: int) -> tuple[str, Callable[[], list[Report]]]:
        start = lambda folder: peers_up(  # noqa: E731
            folder, store=options.store, hibernate=options.hibernate, mailboxes=mailboxes
        )
        return "theirs", at(number, start, peers_down)

    def ours(number: int) -> tuple[str, Callable[[], list[Report]]]:
        start = lambda folder: hostmail.up(  # noqa: E731
            folder, database=options.database, routing=options.routing, mailboxes=mailboxes
        )
        return "ours", at(number, start, hostmail.down)

    if options.peers_only:
        return [peers(0)]
    return [peers(0), ours(1), peers(2)]


def main() -> int:
    """Compare our service with Postfix and Dovecot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="the real sizes: about a quarter of an hour")
    parser.add_argument("--only", help=f"some of {','.join(PROGRAMS)}")
    parser.add_argument("--rounds", type=int, default=3, help="of mail in and of submission in each visit")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--routing", choices=("mx", "smart"), default="mx", help="how ours finds the sink")
    parser.add_argument("--store", choices=("maildir", "mdbox"), default="maildir")
    parser.add_argument("--hibernate", action="store_true", help="let Dovecot hibernate idle clients")
    parser.add_argument("--peers-only", action="store_true", help="one visit to the peers, none to ours")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder for the JSON")
    parser.add_argument("--work", type=Path, help="folder for the servers' data (default: a new one in /tmp)")
    options = parser.parse_args()

    base = Path(tempfile.mkdtemp(prefix="hb-", dir=options.work))
    base.chmod(0o755)
    about = machine(base)
    print(
        f"{about['cores']} cores, {about.get('cpu')}, {about['memory_mib']} MiB,"
        f" {about.get('filesystem')}, load {about['load']}"
    )
    started = time.time()
    found: dict[str, list[Report]] = {"theirs": [], "ours": []}
    failures = []
    for whose, run in _visits(options, base):
        try:
            found[whose] += run()
        except SystemExit as failure:  # what the other side did is still worth printing
            failures.append(f"{whose} did not start: {failure}")
    with contextlib.suppress(OSError):  # a server that did not start leaves its logs there
        base.rmdir()
    rows, text = table(found["theirs"], found["ours"])
    print(text)
    void = [f"{r.server}, {r.program}: {e}" for reports in found.values() for r in reports for e in r.errors]
    errors = failures + void
    for error in errors:
        print(f"VOID: {error}")
    about["load_after"] = machine()["load"]
    options.out.mkdir(parents=True, exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(started))
    path = options.out / f"{name}.json"
    settings = {key: str(value) for key, value in vars(options).items()}
    data = {
        "machine": about,
        "started": name,
        "seconds": time.time() - started,
        "options": settings,
        "failures": failures,
        "table": rows,
        "reports": [report.as_dict() for reports in found.values() for report in reports],
    }
    path.write_text(json.dumps(data, indent=1) + "\n")
    print(f"\n{path}, {data['seconds']:.0f} s")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
