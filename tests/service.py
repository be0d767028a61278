"""The whole service, or one part of it, as a program: `manage.py up` on ports and a folder of its own.

A test gets it from the fixtures `service` (running, with defaults) or `start_service` (a function).
At the end it is stopped by SIGTERM, must end with status 0, and must not have logged an error that the
test did not expect.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.servers import free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent
PORTS = ("http", "smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "sieve")
START_SECONDS = 60


class Service:
    """A running `manage.py COMMAND`; ports["imap"] says where, logins[address] the demo's password."""

    def __init__(self, folder: Path, *command: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.command = command or ("up",)
        self.ports = {name: free_port() for name in PORTS}
        self.logins: dict[str, str] = {}
        self.output: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        self.log_path = folder / "service.log"
        self.process: subprocess.Popen | None = None
        self._ready = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HOSTMAIL_")},
            "DJANGO_SETTINGS_MODULE": "hostmail.settings",
            "HOSTMAIL_DATA_DIR": str(folder / "data"),
            "HOSTMAIL_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            **{f"HOSTMAIL_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **(env or {}),
        }

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports['http']}"

    @property
    def data_dir(self) -> Path:
        return Path(self.env["HOSTMAIL_DATA_DIR"])

    def start(self) -> "Service":
        """Start it and return when it has said `ready`."""
        self._ready.clear()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *self.command],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        wait_for(
            lambda: self._ready.is_set() or self.process.poll() is not None,
            START_SECONDS,
            f"{self.command} ready",
        )
        if not self._ready.is_set():
            raise AssertionError(f"{self.command} ended with {self.process.returncode}:\n{self.tail()}")
        return self

    def _read(self, process: subprocess.Popen) -> None:
        for line in process.stdout:  # to its end, so the program never waits for us
            text = line.rstrip("\n")
            self.output.append(text)
            if match := re.match(r"  (\S+@\S+) +(\S{2,})", text):
                self.logins[match[1]] = match[2]
            if text == "ready":
                self._ready.set()
        process.stdout.close()

    def manage(self, *arguments: str, given: str | None = None, status: int = 0) -> str:
        """Run another manage.py command on the same data; return its standard output."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.env, cwd=self.folder, input=given, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == status, (
            f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def stop(self) -> None:
        """SIGTERM, and it must end with status 0."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command} did not stop within 30 seconds:\n{self.tail()}") from None
        assert status == 0, f"{self.command} ended with {status}:\n{self.tail()}"

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def expect(self, pattern: str) -> None:
        """Let errors in the log pass that match pattern: the test causes them on purpose."""
        self.expected.append(re.compile(pattern))

    def errors(self) -> list[str]:
        """Return what was logged as an error, or as a traceback, and is not expected (promise P12)."""
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return [
            line for line in lines if is_error(line) and not any(fine.search(line) for fine in self.expected)
        ]

    def tail(self) -> str:
        log = self.log_path.read_text(errors="replace")[-6000:] if self.log_path.exists() else ""
        return "\n".join(self.output[-40:]) + "\n" + log


def is_error(line: str) -> bool:
    """Say whether a log line tells of a failure of ours."""
    if not line.startswith("{"):
        return line.startswith("Traceback") or bool(re.match(r"(ERROR|CRITICAL)\b", line))
    try:
        return json.loads(line).get("level") in ("error", "critical")
    except ValueError:
        return False
