"""Django's SQLite backend with a turnstile before the write lock and our page layout.

SQLite serves waiting writers in no order: under load one of them may wait for seconds. Every
writer of every process therefore takes a file lock just before BEGIN IMMEDIATE and gives it back
after COMMIT or ROLLBACK, which turns the crowd into a queue. Reading never takes it.

Named by settings.DATABASES; nobody else imports this module.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Any

from django.db.backends.sqlite3 import base

# Without effect on a database that has tables, so it is simply said every time, before WAL.
LAYOUT = ("PRAGMA page_size = 8192", "PRAGMA auto_vacuum = INCREMENTAL")


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, which owns its own descriptor of the turnstile file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turnstile: int | None = None
        self._holds_turnstile = False

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        self.init_commands: list[str] = [*LAYOUT, *self.init_commands]
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        name = str(conn_params["database"])
        if ":memory:" not in name and "mode=memory" not in name:
            self._turnstile = os.open(name + ".turnstile", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        if self._turnstile is not None and not self._holds_turnstile:
            fcntl.flock(self._turnstile, fcntl.LOCK_EX)
            self._holds_turnstile = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._leave_turnstile()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            # A commit that fails is followed by a rollback, which finds nothing more to give back.
            self._leave_turnstile()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._leave_turnstile()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave_turnstile()
            if self._turnstile is not None:
                with contextlib.suppress(OSError):
                    os.close(self._turnstile)
                self._turnstile = None

    def _leave_turnstile(self) -> None:
        if self._holds_turnstile and self._turnstile is not None:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        self._holds_turnstile = False
