"""Every command by name, with its nature: states, sequence numbers, where it runs. And what we advertise."""

from __future__ import annotations

from django.conf import settings

from mailcore.imap.commands import (
    acl,
    append,
    auth,
    compress,
    copy,
    expunge,
    fetch,
    folder,
    idle,
    listing,
    metadata,
    multisearch,
    notify,
    quota,
    replace,
    select,
    sort,
    status,
    store,
    thread,
)
from mailcore.imap.commands import any as anytime
from mailcore.imap.commands import search as search
from mailcore.imap.session import ANY, LOGGED_IN, Session, Spec, State

_SPECS = (
    Spec("CAPABILITY", ANY, "9051 §6.1.1", anytime.capability, on_loop=lambda *_: True, polls=False),
    Spec("NOOP", ANY, "9051 §6.1.2", anytime.noop, on_loop=lambda *_: True),
    Spec("LOGOUT", ANY, "9051 §6.1.3", anytime.logout, on_loop=lambda *_: True, polls=False),
    Spec("ID", ANY, "2971", anytime.id_, on_loop=lambda *_: True, polls=False),
    Spec("STARTTLS", State.NOT_AUTHENTICATED, "9051 §6.2.1", auth.starttls, polls=False),
    Spec("LOGIN", State.NOT_AUTHENTICATED, "9051 §6.2.3", auth.login, polls=False),
    Spec("AUTHENTICATE", State.NOT_AUTHENTICATED, "9051 §6.2.2", auth.authenticate, polls=False),
    Spec("COMPRESS", LOGGED_IN, "4978", compress.compress, on_loop=lambda *_: True, polls=False),
    Spec("UNAUTHENTICATE", LOGGED_IN, "8437 §3", auth.unauthenticate, polls=False),
    Spec("ENABLE", State.AUTHENTICATED, "5161", auth.enable),
    Spec("SELECT", LOGGED_IN, "9051 §6.3.2", select.select, polls=False, names_seqs=select.names_seqs),
    Spec("EXAMINE", LOGGED_IN, "9051 §6.3.3", select.select, polls=False, names_seqs=select.names_seqs),
    Spec("CREATE", LOGGED_IN, "9051 §6.3.4", folder.create, writes=True),
    Spec("DELETE", LOGGED_IN, "9051 §6.3.5", folder.delete, writes=True),
    Spec("RENAME", LOGGED_IN, "9051 §6.3.6", folder.rename, writes=True),
    Spec("SUBSCRIBE", LOGGED_IN, "9051 §6.3.7", folder.subscribe, writes=True),
    Spec("UNSUBSCRIBE", LOGGED_IN, "9051 §6.3.8", folder.subscribe, writes=True),
    Spec("LIST", LOGGED_IN, "9051 §6.3.9", listing.list_),
    Spec("LSUB", LOGGED_IN, "3501 §6.3.9", listing.list_),
    Spec("NAMESPACE", LOGGED_IN, "2342", listing.namespace, on_loop=lambda *_: True),
    Spec("STATUS", LOGGED_IN, "9051 §6.3.11", status.status),
    Spec("APPEND", LOGGED_IN, "9051 §6.3.12", append.append, writes=True, tells_progress=True),
    Spec("REPLACE", State.SELECTED, "8508 §3", replace.replace, takes_seqs=True, writes=True),
    Spec("UID REPLACE", State.SELECTED, "8508 §3", replace.replace, writes=True),
    Spec("IDLE", LOGGED_IN, "2177", idle.idle, on_loop=lambda *_: True),
    Spec("NOTIFY", LOGGED_IN, "5465 §3.1", notify.notify),
    Spec("GETQUOTA", LOGGED_IN, "9208 §4.1.1", quota.get_quota),
    Spec("GETQUOTAROOT", LOGGED_IN, "9208 §4.1.2", quota.get_quota_root),
    Spec("SETQUOTA", LOGGED_IN, "9208 §4.1.3", quota.set_quota),
    Spec("SETACL", LOGGED_IN, "4314 §3.1", acl.set_acl),
    Spec("DELETEACL", LOGGED_IN, "4314 §3.2", acl.delete_acl),
    Spec("GETACL", LOGGED_IN, "4314 §3.3", acl.get_acl),
    Spec("LISTRIGHTS", LOGGED_IN, "4314 §3.4", acl.list_rights),
    Spec("MYRIGHTS", LOGGED_IN, "4314 §3.5", acl.my_rights),
    Spec("GETMETADATA", LOGGED_IN, "5464 §4.2", metadata.get_metadata),
    Spec("SETMETADATA", LOGGED_IN, "5464 §4.3", metadata.set_metadata, writes=True),
    Spec("CHECK", State.SELECTED, "3501 §6.4.1", anytime.noop, on_loop=lambda *_: True),
    Spec("CLOSE", State.SELECTED, "9051 §6.4.1", select.close, polls=False),
    Spec("UNSELECT", State.SELECTED, "9051 §6.4.2", select.close, polls=False),
    Spec("EXPUNGE", State.SELECTED, "9051 §6.4.3", expunge.expunge, writes=True),
    Spec("UID EXPUNGE", State.SELECTED, "4315 §2.1", expunge.expunge, writes=True),
    Spec(
        "SEARCH",
        State.SELECTED,
        "9051 §6.4.4",
        search.search,
        uses_seqs=True,
        on_loop=search.from_memory,
        tells_progress=True,
    ),
    Spec(
        "UID SEARCH",
        State.SELECTED,
        "9051 §6.4.9",
        search.search,
        on_loop=search.from_memory,
        names_seqs=search.names_seqs,
        tells_progress=True,
    ),
    Spec(
        "ESEARCH",
        LOGGED_IN,
        "7377 §2",
        multisearch.esearch,
        names_seqs=search.names_seqs,
        tells_progress=True,
    ),
    Spec("SORT", State.SELECTED, "5256 §3", sort.sort, uses_seqs=True, tells_progress=True),
    Spec("UID SORT", State.SELECTED, "5256 §3", sort.sort, names_seqs=search.names_seqs, tells_progress=True),
    Spec("THREAD", State.SELECTED, "5256 §3", thread.thread, uses_seqs=True, tells_progress=True),
    Spec(
        "UID THREAD",
        State.SELECTED,
        "5256 §3",
        thread.thread,
        names_seqs=search.names_seqs,
        tells_progress=True,
    ),
    Spec("FETCH", State.SELECTED, "9051 §6.4.5", fetch.fetch, uses_seqs=True, on_loop=fetch.from_memory),
    Spec("UID FETCH", State.SELECTED, "9051 §6.4.9", fetch.fetch, on_loop=fetch.from_memory),
    Spec("STORE", State.SELECTED, "9051 §6.4.6", store.store, uses_seqs=True, writes=True),
    Spec("UID STORE", State.SELECTED, "9051 §6.4.9", store.store, writes=True),
    Spec("COPY", State.SELECTED, "9051 §6.4.7", copy.copy, writes=True, takes_seqs=True),
    Spec("UID COPY", State.SELECTED, "9051 §6.4.9", copy.copy, writes=True),
    Spec("MOVE", State.SELECTED, "6851", copy.move, writes=True, takes_seqs=True),
    Spec("UID MOVE", State.SELECTED, "6851", copy.move, writes=True),
)
REGISTRY = {spec.name: spec for spec in _SPECS}

_BEFORE_LOGIN = ("IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE")
_AFTER_LOGIN = (
    *_BEFORE_LOGIN,
    "BINARY", "CATENATE", "REPLACE", "ESORT", "SORT=DISPLAY", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES",
    "IDLE", "NAMESPACE", "CHILDREN", "UNSELECT", "UIDPLUS", "MULTIAPPEND", "MOVE",
    "SPECIAL-USE", "QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "LIST-EXTENDED", "LIST-STATUS",
    "STATUS=SIZE", "ESEARCH", "SORT", "CREATE-SPECIAL-USE", "METADATA", "LIST-METADATA", "CONDSTORE",
    "QRESYNC", "SEARCHRES", "WITHIN", "SAVEDATE", "PREVIEW", "OBJECTID", "PARTIAL",
    "UIDONLY", "UTF8=ACCEPT", "MULTISEARCH", "NOTIFY", "INPROGRESS",
    "ACL", "RIGHTS=texk", "LIST-MYRIGHTS",
)  # fmt: skip


def capabilities(session: Session) -> list[str]:
    """What is honoured in this state, on this connection and for this client (RFC 9051 §7.2.2)."""
    return [name for name in _honoured(session) if name.upper() not in session.withheld]


def _honoured(session: Session) -> list[str]:
    if session.state is not State.NOT_AUTHENTICATED:
        names = [*_AFTER_LOGIN, f"APPENDLIMIT={settings.HOSTMAIL_MAX_MESSAGE}"]
        if not session.is_compressed:
            names.append("COMPRESS=DEFLATE")
        return [*names, "UNAUTHENTICATE"] if auth.may_unauthenticate(session) else names
    names = list(_BEFORE_LOGIN)
    if session.surroundings.can_starttls:
        names.append("STARTTLS")
    if session.surroundings.may_login:
        names += [f"AUTH={name}" for name in auth.mechanisms(session)]
    else:
        names.append("LOGINDISABLED")
    return names
