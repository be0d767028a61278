"""A transaction in which unique constraints, not earlier looks, decide who was first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from mailcore.errors import AlreadyExists, MailError, NotFound


@contextmanager
def change(taken: MailError | None = None) -> Iterator[None]:
    """Run the block in one transaction (or a savepoint of the open one).

    A row that breaks a unique constraint raises taken (AlreadyExists by default); one that refers to what
    somebody removed meanwhile raises NotFound. Anything else that breaks a constraint is our bug.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        words = str(error).lower()
        if "unique" in words:
            raise taken or AlreadyExists() from error
        if "foreign key" in words:
            raise NotFound from error
        raise
