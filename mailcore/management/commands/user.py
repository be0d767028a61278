"""`manage.py user`: people, with a mailbox or without."""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.management.console import PASSWORD, YES, Action, Options, Tool, argument, find_user
from mailcore.models import User
from mailcore.services import users


class Command(Tool):
    help = "People: add, list, passwd, deactivate, activate, remove."

    def actions(self) -> Sequence[Action]:
        email = argument("email", help="what the person signs in with")
        return (
            Action(
                "add", self.add, "Make a person; who exists is left alone.",
                (
                    email,
                    argument("--name", default=""),
                    argument("--staff", action="store_true", help="may use the admin panel"),
                    PASSWORD,
                ),
            ),
            Action("list", self.list, "Show people.", (argument("--staff", action="store_true"),)),
            Action("passwd", self.passwd, "Set a new password.", (email, PASSWORD)),
            Action("deactivate", self.deactivate, "Keep a person from signing in anywhere.", (email,)),
            Action("activate", self.activate, "Let a person sign in again.", (email,)),
            Action("remove", self.remove, "Forget a person; mailboxes stay.", (email, YES)),
        )  # fmt: skip

    def add(self, options: Options) -> None:
        email = users.email_of(options["email"])
        if User.objects.filter(email=email).exists():
            self.say(f"User {email} exists already", email=email, made=False)
            return
        password, is_new = self.password(options)
        user = users.create(
            email, name=options["name"], password=password, is_staff=options["staff"], actor=None
        )
        self.say(
            f"User {user.email} made" + (f", password {password}" if is_new else ""),
            email=user.email, made=True, staff=user.is_staff, password=password if is_new else None,
        )  # fmt: skip

    def list(self, options: Options) -> None:
        found = User.objects.order_by("email")
        if options["staff"]:
            found = found.filter(is_staff=True)
        self.table(
            ("email", "name", "staff", "active", "tenants", "last_login"),
            (
                (
                    user.email, user.name, user.is_staff, user.is_active,
                    [f"{member.tenant.slug} ({member.role})" for member in user.memberships.all()],
                    user.last_login,
                )
                for user in found.prefetch_related("memberships__tenant")
            ),
        )  # fmt: skip

    def passwd(self, options: Options) -> None:
        user = find_user(options["email"])
        password, is_new = self.password(options)
        users.set_password(user, password, actor=None)
        self.say(
            f"New password for {user.email}" + (f": {password}" if is_new else ""),
            email=user.email, password=password if is_new else None,
        )  # fmt: skip

    def deactivate(self, options: Options) -> None:
        user = find_user(options["email"])
        users.deactivate(user, actor=None)
        self.say(f"User {user.email} can no longer sign in", email=user.email, active=False)

    def activate(self, options: Options) -> None:
        user = find_user(options["email"])
        users.activate(user, actor=None)
        self.say(f"User {user.email} can sign in", email=user.email, active=True)

    def remove(self, options: Options) -> None:
        user = find_user(options["email"])
        email = user.email
        self.sure(options, f"Forget {email}?")
        users.remove(user, actor=None)
        self.say(f"User {email} is removed", email=email)
