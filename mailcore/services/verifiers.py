"""SCRAM's verifiers of passwords: made when a password is set, or first used in clear. (RFC 5802, RFC 7677)

They lie sealed beside the argon2 hash. The salt of a name nobody has is what a mailbox of that name would
begin with, so that names cannot be told apart by it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mailcore import limits, scram, secrets
from mailcore.errors import BadSyntax, CannotUnseal
from mailcore.models import Access, AppPassword, Mailbox, User, Verifier
from mailcore.services import races, sql

_KEYS = 64  # octets of one pair


@dataclass(frozen=True, slots=True)
class Candidate:
    """A password that may be meant. made_of says of which stored password; "" for an app password."""

    user_id: int
    app_password_id: int | None
    login_version: int
    made_of: str
    keys: tuple[scram.Keys, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What a client that names a mailbox is told, and whom it may turn out to be."""

    salt: bytes
    iterations: int
    candidates: tuple[Candidate, ...] = ()


def fake(name: str) -> Known:
    """For a name nobody has, or whose passwords have no verifiers: the same each time it is asked."""
    return Known(bytes.fromhex(secrets.keyed_hash("scram salt", name))[:16], limits.SCRAM_ITERATIONS)


def known(mailbox_id: int, name: str) -> Known:
    """The verifiers of a mailbox's living passwords. name is what the client called it."""
    rows = sql.rows(
        "SELECT v.user_id, v.app_password_id, p.login_version, v.made_of, v.salt, v.iterations, v.sealed"
        " FROM scram_verifier v JOIN person p ON p.id = v.user_id"
        " LEFT JOIN app_password w ON w.id = v.app_password_id"
        " WHERE v.mailbox_id = %s AND w.revoked_at IS NULL AND p.is_active ORDER BY v.id",
        (mailbox_id,),
    )
    if not rows:
        return fake(name)
    salt, iterations = bytes(rows[0][4]), rows[0][5]
    candidates = []
    for user_id, app_password_id, version, made_of, its_salt, its_iterations, sealed in rows:
        if (bytes(its_salt), its_iterations) != (salt, iterations):
            continue
        try:
            octets = secrets.open_sealed("scram verifier", sealed)
        except CannotUnseal:
            continue
        pairs = [octets[at : at + _KEYS] for at in range(0, len(octets), _KEYS)]
        keys = tuple(scram.Keys(pair[:32], pair[32:]) for pair in pairs)
        candidates.append(Candidate(user_id, app_password_id, version, made_of, keys))
    return Known(salt, iterations, tuple(candidates))


def fingerprint(encoded: str | None) -> str:
    """What made_of says of a stored password."""
    return hashlib.sha256((encoded or "").encode()).hexdigest()


def is_there(mailbox_id: int, user_id: int, encoded: str) -> bool:
    """Whether the person's stored password has its verifier."""
    return (
        sql.row(
            "SELECT 1 FROM scram_verifier WHERE mailbox_id = %s AND user_id = %s AND app_password_id IS NULL"
            " AND made_of = %s",
            (mailbox_id, user_id, fingerprint(encoded)),
        )
        is not None
    )


def is_there_of_app(app_password_id: int) -> bool:
    """Whether an app password has its verifier."""
    return sql.row("SELECT 1 FROM scram_verifier WHERE app_password_id = %s", (app_password_id,)) is not None


def write_everywhere(user: User, password: str, encoded: str) -> None:
    """Write the verifier of a person's new password for each mailbox they own."""
    owned = Access.objects.filter(user=user, is_owner=True).values_list("mailbox_id", flat=True)
    for mailbox_id in owned:
        write(mailbox_id, user.pk, password, encoded)


def write(mailbox_id: int, user_id: int, password: str, encoded: str) -> None:
    """Write the verifier of a person's password, which is stored as encoded."""
    made = _make(mailbox_id, (password,))
    if made is not None:
        with races.change():
            Verifier.objects.update_or_create(
                mailbox_id=mailbox_id,
                user_id=user_id,
                app_password=None,
                defaults={**made, "made_of": fingerprint(encoded)},
            )


def write_of_app(app_password: AppPassword, letters: str) -> None:
    """Write that of an app password, as it is shown and without hyphens: clients send what is typed."""
    made = _make(app_password.mailbox_id, (letters, shown(letters)))
    if made is not None:
        with races.change():
            Verifier.objects.update_or_create(
                app_password=app_password,
                defaults={**made, "mailbox_id": app_password.mailbox_id, "user_id": app_password.user_id},
            )


def shown(letters: str) -> str:
    """An app password as people see it."""
    return "-".join(letters[start : start + 5] for start in range(0, len(letters), 5))


def _make(mailbox_id: int, spellings: tuple[str, ...]) -> dict[str, object] | None:
    """Salt, iterations and sealed keys; None for a password that SCRAM cannot carry."""
    there = sql.row(
        "SELECT salt, iterations FROM scram_verifier WHERE mailbox_id = %s ORDER BY id LIMIT 1", (mailbox_id,)
    )
    if there is not None:
        salt, iterations = bytes(there[0]), there[1]
    else:
        begin = fake(str(Mailbox.objects.get(pk=mailbox_id)))
        salt, iterations = begin.salt, begin.iterations
    try:
        pairs = [scram.keys(each, salt, iterations) for each in spellings]
    except BadSyntax:
        return None
    sealed = secrets.seal("scram verifier", b"".join(pair.stored + pair.server for pair in pairs))
    return {"salt": salt, "iterations": iterations, "sealed": sealed}
