"""Mailboxes: make, change, suspend, remove. Their mail is not to be had here."""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from hostmail.api.v1.spam import OfMailbox
from mailcore import limits
from mailcore.errors import NotAllowedNow
from mailcore.imap.wire import withheld
from mailcore.models import Access, Address, Mailbox, Membership, Rights
from mailcore.services import allowances, mailboxes, stops, users, ways


class MailboxShown(serializers.ModelSerializer[Mailbox]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    address = serializers.SerializerMethodField()
    addresses = serializers.SerializerMethodField()
    imap_without = serializers.SerializerMethodField()

    class Meta:
        model = Mailbox
        fields = (
            "id", "address", "addresses", "name", "tenant", "kind", "state", "suspended_because",
            "quota_octets", "quota_messages", "used_octets", "message_count", "has_imap", "has_pop3",
            "has_smtp", "pop3_deletes", "imap_without", "created_at",
        )  # fmt: skip

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_address(self, mailbox: Mailbox) -> str | None:
        return next((str(row) for row in mailbox.addresses.all() if row.is_primary), None)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_addresses(self, mailbox: Mailbox) -> list[str]:
        return [str(row) for row in mailbox.addresses.all()]

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(list(withheld.WORDS))))
    def get_imap_without(self, mailbox: Mailbox) -> list[str]:
        return mailbox.imap_without.split()


class MailboxAdded(Strict):
    address = serializers.CharField(max_length=320)
    password = serializers.CharField(max_length=200, required=False, trim_whitespace=False)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    quota_octets = serializers.IntegerField(min_value=1, required=False)
    kind = serializers.ChoiceField(Mailbox.Kind.choices, required=False)
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class MailboxChanged(Strict):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    quota_octets = serializers.IntegerField(min_value=1, required=False)
    quota_messages = serializers.IntegerField(
        min_value=1, required=False, allow_null=True, help_text="null: as many as fit"
    )
    has_imap = serializers.BooleanField(required=False)
    has_pop3 = serializers.BooleanField(required=False)
    has_smtp = serializers.BooleanField(required=False)
    pop3_deletes = serializers.ChoiceField(Mailbox.Deleting.choices, required=False)
    imap_without = serializers.ListField(
        child=serializers.ChoiceField(list(withheld.WORDS)), required=False, max_length=len(withheld.WORDS),
        help_text="Capabilities that its programs are not offered, for those that misuse them",
    )  # fmt: skip


class Reason(Strict):
    because = serializers.CharField(max_length=200, required=False, allow_blank=True)


class SendingShown(serializers.Serializer[object]):
    recipients = serializers.IntegerField(help_text="Outside, today (UTC)")
    first_recipients = serializers.IntegerField(help_text="Of them, those never written to before")
    held = serializers.IntegerField(help_text="Those that wait because of a limit")
    recipient_limit = serializers.IntegerField(allow_null=True, help_text="In force; null: none")
    first_limit = serializers.IntegerField(allow_null=True)
    stopped_because = serializers.CharField(allow_null=True, help_text="null: it may send")


class SendingChanged(Strict):
    recipient_limit = serializers.IntegerField(
        min_value=0, max_value=limits.SENDING_MOST, allow_null=True, required=False,
        help_text="A day; it counts where it is lower than what the service allows",
    )  # fmt: skip
    first_limit = serializers.IntegerField(
        min_value=0, max_value=limits.SENDING_MOST, allow_null=True, required=False
    )


class SendingResumed(Strict):
    drop = serializers.BooleanField(
        default=False, help_text="Drop what waited in the queue instead of sending it"
    )


class NewPassword(Strict):
    password = serializers.CharField(max_length=200, trim_whitespace=False)


RIGHTS = {
    "read": Rights.READ,
    "write": Rights.WRITE,
    "send_as": Rights.SEND_AS,
    "administer": Rights.ADMINISTER,
}


class PersonShown(serializers.ModelSerializer[Access]):
    email = serializers.CharField(source="user.email", read_only=True)
    rights = serializers.SerializerMethodField()

    class Meta:
        model = Access
        fields = ("email", "rights", "is_owner")

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(sorted(RIGHTS))))
    def get_rights(self, access: Access) -> list[str]:
        return [name for name, right in RIGHTS.items() if access.rights & right]


class PersonGiven(Strict):
    email = serializers.CharField(max_length=254)
    rights = serializers.ListField(
        child=serializers.ChoiceField(list(RIGHTS)), help_text="None of them takes all access away"
    )


class Mailboxes(OfMailbox, Shows):
    """Mailboxes of your organisations."""

    serializer_class = MailboxShown

    def get_queryset(self) -> QuerySet[Mailbox]:
        addresses = Prefetch(
            "addresses", Address.objects.select_related("domain").order_by("-is_primary", "pk")
        )
        rows = Mailbox.objects.exclude(state=Mailbox.State.CLOSING).select_related("tenant")
        return self.mine(rows).prefetch_related(addresses)

    def _now(self, mailbox: Mailbox, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=mailbox.pk), status)

    @extend_schema(request=MailboxAdded, responses={201: MailboxShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(MailboxAdded)
        made = mailboxes.create(
            self.tenant_for(asked.get("tenant")),
            asked["address"],
            name=asked.get("name", ""),
            password=asked.get("password"),
            quota_octets=asked.get("quota_octets"),
            kind=asked.get("kind", Mailbox.Kind.PERSONAL),
            actor=self.person,
        )
        return self._now(made, 201)

    @extend_schema(request=MailboxChanged, responses=MailboxShown)
    def partial_update(self, request: Request, public_id: str) -> Response:
        mailbox: Mailbox = self.get_object()
        asked = self.valid(MailboxChanged)
        if "quota_octets" in asked:
            mailboxes.set_quota(mailbox, asked["quota_octets"], actor=self.person)
        if "quota_messages" in asked:
            mailboxes.set_message_limit(mailbox, asked["quota_messages"], actor=self.person)
        if "name" in asked:
            mailboxes.rename(mailbox, asked["name"], actor=self.person)
        ways.change(
            mailbox, imap=asked.get("has_imap"), pop3=asked.get("has_pop3"), smtp=asked.get("has_smtp"),
            pop3_deletes=asked.get("pop3_deletes"),
            imap_without=" ".join(asked["imap_without"]) if "imap_without" in asked else None,
            actor=self.person,
        )  # fmt: skip
        return self._now(mailbox)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        mailboxes.remove(self.get_object(), actor=self.person)
        return Response(status=204)

    @extend_schema(request=Reason, responses=MailboxShown)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, public_id: str) -> Response:
        """Stop it: no mail, no sign-in."""
        mailbox: Mailbox = self.get_object()
        mailboxes.suspend(mailbox, self.valid(Reason).get("because", ""), actor=self.person)
        return self._now(mailbox)

    @extend_schema(request=None, responses=MailboxShown)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, public_id: str) -> Response:
        """Let it work again."""
        mailbox: Mailbox = self.get_object()
        mailboxes.resume(mailbox, actor=self.person)
        return self._now(mailbox)

    def _sending(self, mailbox: Mailbox) -> Response:
        row = allowances.row_of(mailbox)
        stands = asdict(allowances.today(mailbox))
        stands["stopped_because"] = row.stopped_because if row.stopped_at else None
        return Response(SendingShown(stands).data)

    @extend_schema(responses=SendingShown)
    @action(detail=True, methods=["get"])
    def sending(self, request: Request, public_id: str) -> Response:
        """What it sent today, and may."""
        return self._sending(self.get_object())

    @extend_schema(request=SendingChanged, responses=SendingShown)
    @sending.mapping.patch
    def limit_sending(self, request: Request, public_id: str) -> Response:
        """Limit what it may send below what the service allows."""
        mailbox: Mailbox = self.get_object()
        asked, row = self.valid(SendingChanged), allowances.row_of(mailbox)
        allowances.set_limits(
            mailbox,
            recipients=asked.get("recipient_limit", row.recipient_limit),
            first=asked.get("first_limit", row.first_limit),
            actor=self.person,
        )
        return self._sending(mailbox)

    @extend_schema(request=SendingResumed, responses=SendingShown)
    @action(detail=True, methods=["post"])
    def resume_sending(self, request: Request, public_id: str) -> Response:
        """Let it send again after it was stopped because it looked stolen."""
        mailbox: Mailbox = self.get_object()
        stops.lift(mailbox, drop=self.valid(SendingResumed)["drop"], actor=self.person)
        return self._sending(mailbox)

    def _people(self, mailbox: Mailbox) -> Response:
        rows = mailbox.accesses.select_related("user").order_by("-is_owner", "user__email")
        return Response(PersonShown(rows, many=True).data)

    @extend_schema(responses=PersonShown(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def people(self, request: Request, public_id: str) -> Response:
        """Who may use it, and for what."""
        return self._people(self.get_object())

    @extend_schema(request=PersonGiven, responses=PersonShown(many=True))
    @people.mapping.post
    def give(self, request: Request, public_id: str) -> Response:
        """Say what a member of the organisation may do with it."""
        mailbox: Mailbox = self.get_object()
        asked = self.valid(PersonGiven)
        member = Membership.objects.filter(
            tenant_id=mailbox.tenant_id, user__email=users.email_of(asked["email"])
        ).first()
        if member is None:
            raise NotAllowedNow("No member of this organisation has that address")
        if asked["rights"]:
            rights = sum({int(RIGHTS[name]) for name in asked["rights"]})
            mailboxes.grant(mailbox, member.user, rights, actor=self.person)
        else:
            mailboxes.revoke(mailbox, member.user, actor=self.person)
        return self._people(mailbox)

    @extend_schema(request=NewPassword, responses={204: None})
    @action(detail=True, methods=["post"])
    def password(self, request: Request, public_id: str) -> Response:
        """Give its owner a new password; every client must use it from now on."""
        mailboxes.set_password(self.get_object(), self.valid(NewPassword)["password"], actor=self.person)
        return Response(status=204)
