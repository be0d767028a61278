"""Failures of our own store."""

from __future__ import annotations

from mailcore.errors.later import TryLater


class CannotUnseal(TryLater):
    """A secret at rest does not open: changed, or sealed under a HOSTMAIL_SECRET_KEY that we do not have."""

    code = "cannot_unseal"
    imap, http = "SERVERBUG", 500


class NoSuchBlob(TryLater):
    """Octets that a row names are not in the store: damage, or a store that lags behind."""

    code = "no_such_blob"
    imap, http = "SERVERBUG", 500
    text = "The content of the message cannot be read at present"


class StoreDown(TryLater):
    """The storage backend does not answer, or refuses."""

    code = "store_down"
    text = "The message store does not answer, please try again later"
