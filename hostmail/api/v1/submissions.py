"""Sending: one request is one mail, to all its recipients at once or not at all."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from mailcore import limits
from mailcore.errors import BadAddress, BadValue, MessageTooBig
from mailcore.message import compose
from mailcore.message.address import parse_list, parse_path
from mailcore.models import Access, ApiToken, Mailbox, QueueEntry, Rights, Submission
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import outbound

_TAG = re.compile(r"\A[A-Za-z0-9_.:-]+\Z")


class Bounded(JSONParser):
    """JSON as long as the largest mail may make it: base64 is four thirds, and some for the rest."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        length = stream.META.get("CONTENT_LENGTH") if hasattr(stream, "META") else None
        if length and int(length) > settings.HOSTMAIL_MAX_MESSAGE * 3 // 2:
            raise MessageTooBig
        return super().parse(stream, media_type, parser_context)


class Octets(serializers.CharField):
    """Octets in base64."""

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except binascii.Error as error:
            raise serializers.ValidationError("This is not base64.") from error


class AttachmentGiven(Strict):
    filename = serializers.CharField(max_length=255, allow_blank=True)
    content_type = serializers.CharField(max_length=200, default="application/octet-stream")
    content = Octets(help_text="base64", trim_whitespace=False)
    content_id = serializers.CharField(
        max_length=200, required=False, help_text="The HTML shows it in place with src=cid:..."
    )


def _people(help_text: str = "") -> serializers.ListField:
    one = serializers.CharField(max_length=1000)
    return serializers.ListField(child=one, max_length=limits.ADDRESSES, required=False, help_text=help_text)


class SubmissionGiven(Strict):
    sender = serializers.CharField(
        max_length=1000, help_text="As in: Ann Example <ann@example.org>; an address you may send from"
    )
    to = _people("As sender; each one address")
    cc = _people()
    bcc = _people("In no header field")
    reply_to = _people()
    subject = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    html = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    in_reply_to = serializers.CharField(max_length=998, required=False)
    references = serializers.ListField(
        child=serializers.CharField(max_length=998), max_length=100, required=False
    )
    headers = serializers.DictField(
        child=serializers.CharField(max_length=2000), required=False, help_text="Further header fields"
    )
    attachments = AttachmentGiven(many=True, required=False)
    raw = Octets(
        required=False, trim_whitespace=False,
        help_text="A whole mail in base64 instead of subject, text, html, headers and attachments; to, cc and"
        " bcc are then its recipients and nothing else",
    )  # fmt: skip
    mailbox = serializers.CharField(
        max_length=24, required=False, help_text="Id; left out, the one that has the sender's address"
    )
    keep_copy = serializers.BooleanField(
        required=False, help_text="In the mailbox's Sent folder; left out, as the mailbox is set"
    )
    send_at = serializers.DateTimeField(
        required=False, help_text="Not before then; it can be cancelled until then"
    )
    tags = serializers.ListField(
        child=serializers.RegexField(_TAG, max_length=40),
        max_length=limits.SUBMISSION_TAGS,
        required=False,
    )


class RecipientShown(serializers.ModelSerializer[QueueEntry]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = QueueEntry
        fields = (
            "id", "recipient", "state", "due_at", "attempt_count", "last_code", "last_status", "last_reply",
            "finished_at",
        )  # fmt: skip


class SubmissionShown(serializers.ModelSerializer[Submission]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    mailbox = serializers.CharField(source="mailbox.public_id", read_only=True, allow_null=True)
    sender = serializers.CharField(source="reverse_path", read_only=True)
    send_at = serializers.DateTimeField(source="hold_until", read_only=True)
    tags = serializers.SerializerMethodField()
    recipients = RecipientShown(source="entries", many=True, read_only=True)

    class Meta:
        model = Submission
        fields = (
            "id", "trace", "source", "sender", "mailbox", "tenant", "tags", "send_at", "created_at",
            "recipients",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_tags(self, submission: Submission) -> list[str]:
        return submission.tags.split()


class Submissions(Shows):
    """Mail that you, or your organisations, have sent; kept a week after its end."""

    serializer_class = SubmissionShown
    parser_classes = (Bounded,)

    def senders(self) -> QuerySet[Access]:
        """What gives this request's person the right to send from a mailbox."""
        rows = Access.objects.filter(user=self.person, mailbox__state=Mailbox.State.ACTIVE)
        token = self.request.auth
        if isinstance(token, ApiToken) and token.tenant_id is not None:
            rows = rows.filter(mailbox__tenant_id=token.tenant_id)
        return rows.select_related("mailbox", "mailbox__tenant")

    def get_queryset(self) -> QuerySet[Submission]:
        entries = Prefetch("entries", QueueEntry.objects.order_by("pk"))
        rows = Submission.objects.exclude(source=Submission.Source.SYSTEM).filter(
            Q(mailbox__in=self.senders().values("mailbox")) | Q(tenant__in=self.tenants().values("pk"))
        )
        return rows.select_related("tenant", "mailbox").prefetch_related(entries)

    @extend_schema(parameters=[OpenApiParameter("tag")])
    def list(self, request: Request) -> Response:
        rows = self.get_queryset()
        if tag := request.query_params.get("tag"):
            rows = rows.filter(tags__contains=f" {tag} ")
        return self.page(rows)

    @extend_schema(
        request=SubmissionGiven,
        responses={201: SubmissionShown, 200: SubmissionShown},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                location=OpenApiParameter.HEADER,
                description="Asked again with the same key, the first answer holds and nothing is sent twice",
            )
        ],
    )
    def create(self, request: Request) -> Response:
        key = self._key(request)
        asked = self.valid(SubmissionGiven)
        _, sender = _person(asked["sender"])
        mailbox = self._mailbox(asked.get("mailbox"), sender)
        if key and (before := self.get_queryset().filter(mailbox=mailbox, idempotency_key=key).first()):
            return self.answer(before)
        people = {name: [_person(one) for one in asked.get(name, [])] for name in ("to", "cc", "bcc")}
        recipients = [address for name in ("to", "cc", "bcc") for _, address in people[name]]
        if not recipients:
            raise serializers.ValidationError({"to": ["Say who it is for."]})
        made = outbound.submit(
            mailbox,
            _raw(asked, people),
            recipients,
            user_id=self.person.pk,
            source=Submission.Source.API,
            reverse_path=sender,
            key=key,
            file_sent=asked.get("keep_copy"),
            hold_until=asked.get("send_at"),
            tags=" ".join(("", *dict.fromkeys(asked.get("tags", [])), "")) if asked.get("tags") else "",
        )
        return self.answer(self.get_queryset().get(pk=made.pk), 201)

    @extend_schema(request=None, responses=SubmissionShown)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: str) -> Response:
        """Take back a mail that waits: all of it, or nothing once some of it has left."""
        sent: Submission = self.get_object()
        rights = self.senders().filter(mailbox=sent.mailbox).values_list("rights", flat=True)
        if not any(one & Rights.SEND_AS for one in rights) and not self.tenants().filter(pk=sent.tenant_id):
            raise Http404
        outbound.later.cancel(sent, actor=self.person)
        return self.answer(self.get_queryset().get(pk=sent.pk))

    def _key(self, request: Request) -> str | None:
        key = request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= limits.IDEMPOTENCY_KEY_CHARS:
            raise BadValue(f"An Idempotency-Key has 1 to {limits.IDEMPOTENCY_KEY_CHARS} characters")
        # Webmail has keys of its own.
        return f"api:{key}" if key else None

    def _mailbox(self, public_id: str | None, sender: str) -> Mailbox:
        """The mailbox to send from, named or known by its address, if this person may send from it."""
        rows = self.senders()
        if public_id:
            rows = rows.filter(mailbox__public_id=public_id)
        else:
            path = parse_path(sender)
            rows = rows.filter(
                mailbox__addresses__local_part=path.local.lower(),
                mailbox__addresses__domain__name=path.domain,
            )
        for access in rows:
            if access.rights & Rights.SEND_AS:
                return access.mailbox
        if public_id:
            raise Http404
        raise serializers.ValidationError({"sender": ["No mailbox of yours has that address: name one."]})


def _person(typed: str) -> compose.Person:
    """One name and address. Raises BadAddress."""
    if any(char in typed for char in "\r\n\0"):
        raise BadAddress("An address is one line")
    found = parse_list(typed)
    if len(found) != 1:
        raise BadAddress(f"{typed[:100]}: this is not one address")
    try:
        return found[0].name, str(parse_path(found[0].address))
    except BadAddress as error:
        raise BadAddress(f"{typed[:100]}: {error.public}") from error


_FIELDS = ("subject", "text", "html", "headers", "attachments", "in_reply_to", "references", "reply_to")


def _raw(asked: dict[str, Any], people: dict[str, list[compose.Person]]) -> bytes:
    """The mail that was asked for. Raises BadHeader, BadAddress, ValidationError."""
    if "raw" in asked:
        if also := [name for name in _FIELDS if name in asked]:
            raise serializers.ValidationError({name: ["Not together with raw."] for name in also})
        raw: bytes = asked["raw"]
        return raw
    author, now = _person(asked["sender"]), clock.now()
    domain = author[1].rpartition("@")[2]
    return compose.build(
        compose.Draft(
            author=author,
            subject=asked.get("subject", ""),
            text=asked.get("text", ""),
            html=asked.get("html"),
            message_id=compose.make_message_id(random_id().encode(), domain=domain, now=now),
            date=now,
            to=people["to"],
            cc=people["cc"],
            bcc=people["bcc"],
            reply_to=[_person(one) for one in asked.get("reply_to", [])],
            attachments=[
                compose.Attachment(
                    one["filename"], one["content_type"], one["content"], one.get("content_id")
                )
                for one in asked.get("attachments", [])
            ],
            in_reply_to=asked.get("in_reply_to"),
            references=asked.get("references", []),
            extra=tuple(asked.get("headers", {}).items()),
        )
    )
