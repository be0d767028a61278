"""`manage.py token`: keys of people for the API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mailcore.errors import NotAllowedNow, NotFound
from mailcore.management.console import Action, Error, Options, Tool, argument, find_tenant, find_user
from mailcore.models import ApiToken
from mailcore.outside import clock
from mailcore.services import users


class Command(Tool):
    help = "API tokens: add, list, remove."

    def actions(self) -> Sequence[Action]:
        return (
            Action(
                "add", self.add, "Make a token of a person; it is shown once.",
                (
                    argument("email"),
                    argument("--name", default="manage.py"),
                    argument("--tenant", metavar="SLUG", help="for this tenant only"),
                    argument("--days", type=int, help="until it expires"),
                ),
            ),
            Action("list", self.list, "Show tokens that work.", (argument("email", nargs="?"),)),
            Action("remove", self.remove, "End a token.", (argument("prefix", help="as listed"),)),
        )  # fmt: skip

    def add(self, options: Options) -> None:
        user = find_user(options["email"])
        tenant = find_tenant(options["tenant"]) if options["tenant"] else None
        if tenant and not user.memberships.filter(tenant=tenant).exists():
            raise NotAllowedNow(f"{user.email} is not a member of {tenant.slug}")
        if options["days"] is not None and not 0 < options["days"] < 36_500:
            raise Error("--days is a number of days from now")
        expires_at = clock.now() + dt.timedelta(days=options["days"]) if options["days"] else None
        token, secret = users.issue_token(
            user, options["name"], tenant=tenant, expires_at=expires_at, actor=None
        )
        self.say(secret, token=secret, prefix=token.prefix, email=user.email, expires_at=expires_at)

    def list(self, options: Options) -> None:
        found = ApiToken.objects.filter(revoked_at=None).select_related("user", "tenant")
        if options["email"]:
            found = found.filter(user=find_user(options["email"]))
        self.table(
            ("prefix", "name", "email", "tenant", "created_at", "last_used_at", "expires_at"),
            (
                (
                    token.prefix, token.name, token.user.email, token.tenant and token.tenant.slug,
                    token.created_at, token.last_used_at, token.expires_at,
                )
                for token in found.order_by("user__email", "created_at")
            ),
        )  # fmt: skip

    def remove(self, options: Options) -> None:
        found = list(ApiToken.objects.filter(prefix=options["prefix"], revoked_at=None))
        if len(found) != 1:
            raise NotFound(f"There is no token {options['prefix']}")
        users.revoke_token(found[0], actor=None)
        self.say(f"Token {found[0].prefix} is worthless now", prefix=found[0].prefix)
