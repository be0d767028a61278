"""Logging in to a mailbox: the one way in for IMAP, POP3, submission and ManageSieve.

Callers use it as mailboxes.authenticate. A login name is an address of the mailbox; what is behind it is
read anew at every login, also when the password is remembered, so that a suspension, a new password or a
second factor counts at once (threats.md W18, W44).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from django.apps import apps
from django.contrib.auth.hashers import make_password

from mailcore import limits, secrets
from mailcore.errors import LoginFailed, LoginThrottled, MailboxSuspended, TenantSuspended, WayClosed
from mailcore.message.address import Path
from mailcore.models import ALL_RIGHTS, AppPassword, Mailbox, Rights, Tenant, User
from mailcore.outside import clock
from mailcore.services import addresses, logins, mail_log, races, sql, stops, verifiers

# Without 0, 1, i, l, o, which people mistake; 20 of these 31 letters are 99 bits.
APP_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_APP_PASSWORD = re.compile(f"[{APP_LETTERS}]{{20}}")

PASSWORD, APP_PASSWORD = "password", "app-password"


@dataclass(frozen=True, slots=True)
class Login:
    """Who came in, to which mailbox, under which of its addresses, and by what (via)."""

    user_id: int
    mailbox_id: int
    tenant_id: int
    address: str
    via: str
    app_password_id: int | None = None
    login_version: int = 0
    # Bits of Rights: an owner has all of them; whoever came by an app password has what they were given.
    rights: int = int(ALL_RIGHTS)
    protocol: str = ""

    @property
    def may_write(self) -> bool:
        return bool(self.rights & Rights.WRITE)


@dataclass(frozen=True, slots=True)
class Door:
    """What a login name leads to, read anew at every login. All zeros for a name nobody has."""

    mailbox_id: int = 0
    tenant_id: int = 0
    mailbox_state: str = ""
    tenant_state: str = ""
    owner_id: int = 0
    owner_password: str | None = None
    owner_version: int = 0
    owner_is_active: bool = False
    # The protocols it may not be opened by (services/ways.py).
    closed: frozenset[str] = frozenset()


def authenticate(login: str, password: str, *, protocol: str, peer: str | None) -> Login:
    """Let a mail client in with an address of the mailbox and its owner's password or an app password.

    The owner's password is refused while the person has a second factor. Takes the same time whether the
    name exists or not. Raises LoginFailed (hold the answer back for its wait_seconds), LoginThrottled,
    and once the password was right MailboxSuspended, TenantSuspended, WayClosed.
    """
    path, name = _path_and_name(login)
    try:
        door, came = _came(path, name, password, peer)
    except (LoginFailed, LoginThrottled):
        mail_log.login_failed(protocol, login, peer, "PLAIN")
        raise
    found = admit(door, came, peer, protocol)
    mail_log.login(protocol, name, peer, "PLAIN")
    return found


def _came(path: Path | None, name: str, password: str, peer: str | None) -> tuple[Door, Login]:
    """What is behind that name, and who has the password."""
    logins.check(name, peer)
    if not password or len(password.encode("utf-8", "surrogatepass")) > limits.PASSWORD_OCTETS:
        raise logins.failed(name, peer)
    door = _door(path)
    known = logins.good.get(name, password)
    came = _from_memory(known, door, name) if known else None
    if came is None:
        came = _by_password(door, name, password, peer)
    return door, came


def admit(door: Door, came: Login, peer: str | None, protocol: str) -> Login:
    """Let in who has proven who they are. Raises MailboxSuspended, TenantSuspended, WayClosed."""
    logins.succeeded(came.address, peer)
    if door.tenant_state != Tenant.State.ACTIVE:
        raise TenantSuspended
    if door.mailbox_state != Mailbox.State.ACTIVE:
        raise MailboxSuspended
    if protocol in door.closed:
        raise WayClosed
    if protocol == "smtp":
        stops.note_login(came.tenant_id, came.mailbox_id, peer)
    return replace(came, rights=_rights(came), protocol=protocol)


def door_of(login: str) -> tuple[str, Door]:
    """The name that failures count for, and what is behind it now."""
    path, name = _path_and_name(login)
    return name, _door(path)


def _path_and_name(login: str) -> tuple[Path | None, str]:
    path = addresses.login_path(login)
    return path, str(path) if path else login[: limits.ADDRESS_OCTETS].casefold()


def came_by_proof(door: Door, name: str, proven: verifiers.Candidate) -> Login | None:
    """Who has proven to know that password; None when it opens this door no more (services/scram.py)."""
    via = PASSWORD if proven.app_password_id is None else APP_PASSWORD
    if via == PASSWORD and (
        proven.user_id != door.owner_id or proven.made_of != verifiers.fingerprint(door.owner_password)
    ):
        return None
    came = Login(
        proven.user_id, door.mailbox_id, door.tenant_id, name, via, proven.app_password_id,
        proven.login_version,
    )  # fmt: skip
    return came if _is_good(came) else None


def _rights(login: Login) -> int:
    """What the person may do in the mailbox now; 0 when access is gone."""
    if login.via == PASSWORD:
        return int(ALL_RIGHTS)
    row = sql.row(
        "SELECT rights FROM access WHERE mailbox_id = %s AND user_id = %s", (login.mailbox_id, login.user_id)
    )
    return int(row[0]) if row else 0


def _door(path: Path | None) -> Door:
    row = None
    if path is not None:
        row = sql.row(_DOOR, (path.local, path.domain))
        if row is not None and row[1] is None:
            # An alias: only one that leads to a single mailbox is a name for it.
            found = addresses.resolve_login(str(path))
            row = sql.row(_DOOR_OF_MAILBOX, (found[0],)) if found else None
    if row is None or row[3] == Mailbox.State.CLOSING:
        return Door()
    return Door(
        row[1], row[2], row[3], row[4], row[5] or 0, row[6], row[7] or 0, bool(row[8]), _closed(row[9:])
    )


def _closed(is_open: Sequence[bool]) -> frozenset[str]:
    return frozenset(name for name, may in zip(_WAYS, is_open, strict=True) if not may)


_WAYS = ("imap", "pop3", "smtp")


_WHO = (
    " m.id, m.tenant_id, m.state, t.state, p.id, p.password, p.login_version, p.is_active,"
    " m.has_imap, m.has_pop3, m.has_smtp"
)
_OWNER = (
    " LEFT JOIN tenant t ON t.id = m.tenant_id"
    " LEFT JOIN access c ON c.mailbox_id = m.id AND c.is_owner LEFT JOIN person p ON p.id = c.user_id"
)
_DOOR = (
    f"SELECT a.id, {_WHO} FROM domain d"
    " JOIN address a ON a.domain_id = COALESCE(d.alias_of_id, d.id) AND a.local_part = %s"
    " AND a.tenant_id = d.tenant_id"
    f" LEFT JOIN mailbox m ON m.id = a.mailbox_id{_OWNER}"
    " WHERE d.name = %s AND a.is_enabled AND NOT (d.state = 'pending')"
)
_DOOR_OF_MAILBOX = f"SELECT 0, {_WHO} FROM mailbox m{_OWNER} WHERE m.id = %s"


def _from_memory(known: logins.Known, door: Door, name: str) -> Login | None:
    if known.mailbox_id != door.mailbox_id:
        return None
    if known.via == PASSWORD and known.encoded != door.owner_password:
        return None
    came = Login(
        known.user_id, door.mailbox_id, door.tenant_id, name, known.via, known.app_password_id,
        known.login_version,
    )  # fmt: skip
    return came if _is_good(came) else None


def _by_password(door: Door, name: str, password: str, peer: str | None) -> Login:
    app = _app_password(door.mailbox_id, password)
    if app is not None:
        app_id, user_id, version = app
        came = Login(user_id, door.mailbox_id, door.tenant_id, name, APP_PASSWORD, app_id, version)
        _note_use(app_id, peer)
        if not verifiers.is_there_of_app(app_id):
            letters = password.replace("-", "").replace(" ", "").lower()
            verifiers.write_of_app(AppPassword.objects.get(pk=app_id), letters)
    else:
        _try_password(door, name, password, peer)
        owner = door.owner_id
        came = Login(owner, door.mailbox_id, door.tenant_id, name, PASSWORD, None, door.owner_version)
        if not verifiers.is_there(door.mailbox_id, owner, door.owner_password or ""):
            verifiers.write(door.mailbox_id, owner, password, door.owner_password or "")
    encoded = door.owner_password if came.via == PASSWORD else None
    known = logins.Known(
        came.mailbox_id, came.user_id, came.login_version, encoded, came.via, came.app_password_id,
        clock.monotonic() + limits.LOGIN_CACHE_SECONDS,
    )  # fmt: skip
    logins.good.put(name, password, known)
    return came


def _try_password(door: Door, name: str, password: str, peer: str | None) -> None:
    """Return if password is the owner's and may be used here; raise LoginFailed, LoginThrottled, Busy."""
    may = door.owner_is_active and not has_second_factor(door.owner_id)
    # A right password that may not be used here is remembered, counted and timed as a wrong one is.
    encoded = f"{may}:{door.owner_password}"
    before = logins.wrong.get(name, password)
    if before and (before.mailbox_id, before.encoded) == (door.mailbox_id, encoded):
        raise logins.failed_again(name, peer)
    if not _password_is_right(door, name, password, peer) or not may:
        until = clock.monotonic() + limits.LOGIN_WRONG_SECONDS
        known = logins.Known(door.mailbox_id, door.owner_id, 0, encoded, "", None, until)
        logins.wrong.put(name, password, known)
        raise logins.failed(name, peer)


def _password_is_right(door: Door, name: str, password: str, peer: str | None) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    encoded = door.owner_password
    is_right, is_old = logins.verify(password, encoded, name=name, peer=peer)
    if is_right and is_old:
        with races.change():
            # Only while it is still the password that was checked.
            User.objects.filter(pk=door.owner_id, password=encoded).update(password=make_password(password))
    return is_right


def _app_password(mailbox_id: int, password: str) -> tuple[int, int, int] | None:
    """(app password, user, login version) of a living app password for this mailbox."""
    letters = password.replace("-", "").replace(" ", "").lower()
    if not _APP_PASSWORD.fullmatch(letters):
        return None
    hashes = secrets.keyed_hashes("app-password", letters)
    row = sql.row(
        "SELECT w.id, w.user_id, p.login_version FROM app_password w JOIN person p ON p.id = w.user_id"
        " JOIN access c ON c.mailbox_id = w.mailbox_id AND c.user_id = w.user_id"
        f" WHERE w.mailbox_id = %s AND w.secret_hash IN ({', '.join(['%s'] * len(hashes))})"
        " AND w.revoked_at IS NULL AND p.is_active",
        (mailbox_id, *hashes),
    )
    return (row[0], row[1], row[2]) if row else None


def _note_use(app_password_id: int, peer: str | None) -> None:
    hour_ago = clock.now() - dt.timedelta(hours=1)
    stale = sql.row(
        "SELECT 1 FROM app_password WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)",
        (app_password_id, sql.moment(hour_ago)),
    )
    if stale:
        address = logins.ip_of(peer)
        with races.change():
            AppPassword.objects.filter(pk=app_password_id).update(
                last_used_at=clock.now(), last_used_from=address
            )


@cache
def _second_factors() -> str | None:
    if not apps.is_installed("allauth.mfa"):
        return None
    return str(apps.get_model("mfa", "Authenticator")._meta.db_table)


def has_second_factor(user_id: int) -> bool:
    """Whether a person signs in with more than a password. The table is allauth's, if it is there."""
    table = _second_factors()
    if table is None:
        return False
    return (
        sql.row(
            f"SELECT 1 FROM {table} WHERE user_id = %s AND type IN ('totp', 'webauthn')",
            (user_id,),
        )
        is not None
    )


def is_still_good(login: Login) -> bool:
    """Whether a session that began with login may go on: a few indexed rows. Sessions ask once a minute."""
    states = sql.row(
        "SELECT m.state, t.state, m.has_imap, m.has_pop3, m.has_smtp FROM mailbox m"
        " JOIN tenant t ON t.id = m.tenant_id WHERE m.id = %s",
        (login.mailbox_id,),
    )
    if states is None or states[:2] != ("active", "active") or login.protocol in _closed(states[2:]):
        return False
    return _is_good(login) and _rights(login) == login.rights


def _is_good(login: Login) -> bool:
    """Whether the person still may, with what they came with."""
    row = sql.row(
        "SELECT p.login_version, p.is_active, c.is_owner FROM access c JOIN person p ON p.id = c.user_id"
        " WHERE c.mailbox_id = %s AND c.user_id = %s",
        (login.mailbox_id, login.user_id),
    )
    if row is None or row[0] != login.login_version or not row[1]:
        return False
    if login.via == PASSWORD:
        return bool(row[2]) and not has_second_factor(login.user_id)
    alive = sql.row(
        "SELECT 1 FROM app_password WHERE id = %s AND revoked_at IS NULL", (login.app_password_id,)
    )
    return alive is not None


def app_hash(letters: str) -> str:
    """What is kept of an app password, given without its hyphens."""
    return secrets.keyed_hash("app-password", letters)
