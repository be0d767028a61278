"""Plain SQL for the hot path, the same text on SQLite and PostgreSQL.

The ORM costs four times as much per message as the work itself, and Django's PostgreSQL cursor
binds parameters on the client, so nothing it runs is ever prepared. These few functions go to the
driver's own cursor inside Django's connection and transaction. Statements use %s.
"""

from __future__ import annotations

import datetime as dt
from asyncio import _get_running_loop
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from functools import cache, lru_cache
from threading import get_ident
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Row = tuple[Any, ...]


@cache
def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


@lru_cache(maxsize=512)
def _qmark(statement: str) -> str:
    return statement.replace("%s", "?")


_found: ContextVar[tuple[int, object, BaseDatabaseWrapper] | None] = ContextVar("sql.found", default=None)


def _wrapper() -> BaseDatabaseWrapper:
    """django.db.connections["default"], in a tenth of its time.

    Django finds the connection of this thread, or on an event loop of this context, at each access to each
    attribute, which adds up to more than the statements do. What is remembered here holds as long as both
    thread and loop are the same, and is inherited with the context just as Django's own.
    """
    thread, loop = get_ident(), _get_running_loop()
    found = _found.get()
    if found is not None and found[0] == thread and found[1] is loop:
        return found[2]
    wrapper = connections[DEFAULT_DB_ALIAS]
    _found.set((thread, loop, wrapper))
    return wrapper


def _raw() -> Any:
    """The driver's connection, opened if it is not."""
    wrapper = _wrapper()
    if wrapper.connection is None:
        wrapper.ensure_connection()
    return wrapper.connection


def _postgres_cursor() -> psycopg.Cursor[Row]:
    raw = _raw()
    if raw.prepare_threshold is None:
        raw.prepare_threshold = 2
    return psycopg.Cursor(raw)


def rows(statement: str, params: Sequence[Any] = ()) -> list[Row]:
    """All rows of a SELECT or of a statement with RETURNING. Octets come as bytes."""
    if is_sqlite():
        return _raw().execute(_qmark(statement), params).fetchall()  # type: ignore[no-any-return]
    with _postgres_cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def row(statement: str, params: Sequence[Any] = ()) -> Row | None:
    """The first row, or None."""
    found = rows(statement, params)
    return found[0] if found else None


def execute(statement: str, params: Sequence[Any] = ()) -> int:
    """Run one statement; how many rows it touched."""
    if is_sqlite():
        return int(_raw().execute(_qmark(statement), params).rowcount)
    with _postgres_cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def execute_many(statement: str, params: Sequence[Sequence[Any]]) -> None:
    """Run one statement for many rows: the driver's own loop, pipelined and prepared on PostgreSQL."""
    if not params:
        return
    if is_sqlite():
        _raw().executemany(_qmark(statement), params).close()
        return
    with _postgres_cursor() as cursor:
        if len(params) == 1:
            cursor.execute(statement, params[0])
        else:
            cursor.executemany(statement, params)


@lru_cache(maxsize=64)
def insert_statement(table: str, columns: tuple[str, ...], suffix: str = "") -> str:
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {suffix}"


def any_of(column: str, numbers: Iterable[int]) -> tuple[str, list[Any]]:
    """A condition "column is one of numbers" and its parameters.

    SQLite has no arrays and re-reads its statement anyway: whole numbers stand in the text there.
    """
    if is_sqlite():
        return f"{column} IN ({','.join([str(int(number)) for number in numbers])})", []
    return f"{column} = ANY(%s)", [list(numbers)]


def for_update() -> str:
    """The locking clause where rows are locked; SQLite has locked the whole file by then."""
    return "" if is_sqlite() else "FOR NO KEY UPDATE"


def moment(value: dt.datetime) -> Any:
    """An aware datetime as the driver's parameter."""
    return _wrapper().ops.adapt_datetimefield_value(value)


def text(value: str) -> str:
    """What both databases can keep: no NUL, no lone surrogates."""
    if value.isascii():
        return value.replace("\0", "")
    return value.replace("\0", "").encode("utf-8", "replace").decode()
