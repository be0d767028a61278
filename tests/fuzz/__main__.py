"""`python -m tests.fuzz [--seconds N] [--seed N] [TARGET...]`, or `--input FILE TARGET` for one input."""

import argparse
import hashlib
import random
import sys
import time
from pathlib import Path

from tests.fuzz import attempt, hunt, shrink
from tests.fuzz.targets import TARGETS

KEPT = Path("build") / "fuzz"


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.fuzz")
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options.add_argument("--seconds", type=float, default=60, help="for all targets together")
    options.add_argument("--seed", type=int, default=time.time_ns())
    options.add_argument("--input", type=Path, help="try this one file, and show what happens")
    given = options.parse_args()
    if unknown := sorted(set(given.targets) - set(TARGETS)):
        options.error(f"no such target: {', '.join(unknown)}")
    chosen = [TARGETS[name] for name in given.targets or TARGETS]
    if given.input:
        for target in chosen:
            target.run(given.input.read_bytes())
        return 0
    print(f"seed {given.seed}", flush=True)
    failed = 0
    for target in chosen:
        raw = hunt(target, random.Random(f"{given.seed} {target.name}"), seconds=given.seconds / len(chosen))
        error = None if raw is None else attempt(target, raw)
        if raw is None or error is None:
            print(f"{target.name}: nothing found", flush=True)
            continue
        failed += 1
        raw = shrink(target, raw, error)
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{target.name}-{hashlib.sha256(raw).hexdigest()[:12]}"
        path.write_bytes(raw)
        print(f"{target.name}: {type(error).__name__}: {error}; {len(raw)} octets, {raw[:200]!r}")
        print(f"  again: .venv/bin/python -m tests.fuzz --input {path} {target.name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
