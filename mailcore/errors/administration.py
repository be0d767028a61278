"""Failures of those who administer: pages, API and commands."""

from __future__ import annotations

from mailcore.errors.base import MailError


class NotFound(MailError):
    """No such thing, or not one the actor may see: the two look the same."""

    code = "not_found"
    imap, http = "NONEXISTENT", 404
    text = "No such thing"


class AlreadyExists(MailError):
    """Name, address or domain is taken."""

    code = "already_exists"
    imap, http = "ALREADYEXISTS", 409
    text = "That exists already"


class NotAllowedNow(MailError):
    """The state of the thing does not permit this: closed, suspended, still pending, in use."""

    code = "not_allowed_now"
    imap, http = "CANNOT", 409
    text = "That cannot be done in its present state"


class BadValue(MailError):
    """A value given by a person or program is not acceptable; the text says which and why."""

    code = "bad_value"
    imap, http = "CANNOT", 400
    text = "That value is not acceptable"
