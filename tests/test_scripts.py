"""What `make run` and `make test` call first: quick when nothing is to do, one plain line when stuck."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/venv", "scripts/need", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def run(
    clone: Path, *words: str, path: str = os.environ["PATH"], **env: str
) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": path, "HOME": str(clone), **env}
    command = ["/bin/sh", *words]
    return subprocess.run(command, cwd=clone, env=surroundings, capture_output=True, text=True, timeout=60)


def stamp(clone: Path, kind: str, *files: str) -> None:
    content = b"".join((clone / name).read_bytes() for name in files)
    (clone / ".venv" / f"stamp-{kind}").write_text(hashlib.sha256(content).hexdigest()[:32] + "\n")


def test_a_filled_environment_costs_nothing(clone: Path) -> None:
    program(clone / ".venv" / "bin" / "python", 'case "$*" in *pip*) echo installing;; esac')
    stamp(clone, "run", "requirements.txt")
    done = run(clone, "scripts/venv", "run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_tests_need_is_enough_to_run(clone: Path) -> None:
    program(clone / ".venv" / "bin" / "python", 'case "$*" in *pip*) echo installing;; esac')
    stamp(clone, "dev", "requirements.txt", "requirements-dev.txt")
    assert run(clone, "scripts/venv", "run").stdout == ""


def test_changed_requirements_are_installed(clone: Path) -> None:
    program(clone / ".venv" / "bin" / "python", 'case "$*" in *pip*) echo "pip $*";; esac')
    stamp(clone, "run", "requirements.txt")
    (clone / "requirements.txt").write_text("other==1\n")
    done = run(clone, "scripts/venv", "run")
    assert "-r requirements.txt" in done.stdout
    assert run(clone, "scripts/venv", "run").stdout == ""


def test_a_failed_install_is_tried_again(clone: Path) -> None:
    program(clone / ".venv" / "bin" / "python", 'case "$*" in *pip*) exit 1;; esac')
    done = run(clone, "scripts/venv", "run")
    assert done.returncode == 1
    assert "network" in done.stderr
    assert not (clone / ".venv" / "stamp-run").exists()


def test_names_the_package_when_python_cannot_make_environments(clone: Path) -> None:
    program(
        clone / "bin" / "python3",
        'case "$*" in *ensurepip*) exit 1;; *version_info*print*|*print*) echo 3.11;; esac',
    )
    done = run(clone, "scripts/venv", "run", PYTHON=str(clone / "bin" / "python3"))
    assert done.returncode == 1
    assert done.stderr == "This Python cannot make virtual environments: apt-get install python3.11-venv\n"


def test_names_the_package_when_there_is_no_python(clone: Path) -> None:
    for name in ("dirname", "cat", "sha256sum", "cut"):
        (clone / "bin").mkdir(exist_ok=True)
        (clone / "bin" / name).symlink_to(shutil.which(name) or name)
    done = run(clone, "scripts/venv", "run", path=str(clone / "bin"))
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed: apt-get install python3 python3-venv")


def test_missing_programs_are_named_in_one_line_and_it_goes_on(clone: Path) -> None:
    program(clone / "bin" / "id", "echo 1000")
    program(clone / "bin" / "sudo", "exit 1")
    (clone / "bin" / "ls").symlink_to("/bin/ls")
    program(clone / ".venv" / "bin" / "python", "")
    done = run(clone, "scripts/need", path=str(clone / "bin"))
    assert done.returncode == 0
    assert done.stdout.startswith("Some tests will be skipped; as root: apt-get install")
    assert "swaks" in done.stdout
    assert done.stdout.count("\n") == 1


def test_missing_programs_are_installed_by_root(clone: Path) -> None:
    program(clone / "bin" / "id", "echo 0")
    for name in ("ls", "mktemp", "rm", "tail", "env"):
        (clone / "bin" / name).symlink_to(shutil.which(name) or name)
    program(clone / "bin" / "apt-get", f'echo "$*" >> {clone}/asked')
    program(clone / ".venv" / "bin" / "python", "")
    done = run(clone, "scripts/need", path=str(clone / "bin"))
    assert done.returncode == 0
    asked = (clone / "asked").read_text()
    assert asked.startswith("update")
    assert "install" in asked
    assert "swaks" in asked


def test_an_rfc_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    for folder in ("mailcore", "hostmail"):
        (tmp_path / folder).mkdir()
    table = tmp_path / "mailcore" / "rfcs.md"
    table.write_text("| RFC | What | How far | Where |\n|---|---|---|---|\n| 822 | A | whole | old |\n")
    (tmp_path / "mailcore" / "one.py").write_text('"""RFC 822."""\nSpec("NOOP", ANY, "9999 §1", noop)\n')
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rfcs", tmp_path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == "RFC 9999 is cited in mailcore/one.py and not listed in mailcore/rfcs.md\n"
    assert table.read_text().endswith("| 822 | A | whole | `mailcore/one.py` |\n")


def test_every_rfc_of_the_code_is_in_the_table() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rfcs", "--check"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    assert done.returncode == 0
