"""Field types of our own."""

from __future__ import annotations

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ClusteredId(models.BigIntegerField):  # type: ignore[type-arg]
    """A primary key we number ourselves, by which the rows lie on disk.

    SQLite lays a table out by its primary key only when the column's type is exactly INTEGER;
    "bigint" would get a hidden row number and an index beside it.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)
