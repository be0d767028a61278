"""Where is my mail? The mails of your organisations, found by what you know of them, and their stories."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Resource, Strict
from mailcore import limits
from mailcore.message import clues
from mailcore.models import Event, Tenant
from mailcore.services import traces
from mailcore.services.traces import Outcome, Step, Story, words


class Asking(Strict):
    """What to look for: the mails that fit any of the names, and all of the rest."""

    q = serializers.CharField(
        required=False, allow_blank=True, max_length=limits.TRACE_PASTED_OCTETS,
        help_text="Whatever you know: an address, a Message-ID, a trace, the id of a submission or of a"
        " queue entry, words of the subject, or a header section.",
    )  # fmt: skip
    address = serializers.CharField(required=False, max_length=320, help_text="Of the sender or a recipient")
    message_id = serializers.CharField(required=False, max_length=1000)
    subject = serializers.CharField(required=False, max_length=500, help_text="Words, in any case")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Not included")
    before = serializers.IntegerField(
        required=False, min_value=1, max_value=2**62, help_text="As the page before said: what is older"
    )
    tenant = serializers.SlugField(required=False, help_text="Slug; left out: all that you run")


class AdviceShown(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=["", "retry", "release", "unsuppress", "unquarantine", "ask"])
    text = serializers.CharField()
    target = serializers.CharField(
        help_text="What the action is for: the id of a queue entry, suppression or quarantined mail"
    )
    to = serializers.CharField(help_text="Whom to ask")
    letter = serializers.CharField(help_text="In these words")


class OutcomeShown(serializers.Serializer[Any]):
    recipient = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[
            "delivered", "refused", "sending", "waiting", "held", "relayed", "bounced", "dropped",
            "quarantined",
        ]
    )  # fmt: skip
    at = serializers.DateTimeField()
    next_at = serializers.DateTimeField(allow_null=True)
    folder = serializers.CharField()
    sentence = serializers.CharField()


class TraceShown(serializers.Serializer[Any]):
    trace = serializers.CharField()
    tenant = serializers.CharField()
    at = serializers.DateTimeField()
    sender = serializers.CharField()
    subject = serializers.CharField()
    octets = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField()
    outcomes = OutcomeShown(many=True)


class StepShown(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    recipient = serializers.CharField()
    sentence = serializers.CharField()
    via = serializers.CharField()
    data = serializers.JSONField()  # type: ignore[assignment]


class StoryShown(TraceShown):
    advice = AdviceShown()
    steps = StepShown(many=True)
    is_cut = serializers.BooleanField(help_text="More happened in the mailbox than was looked through")


class PageShown(serializers.Serializer[Any]):
    results = TraceShown(many=True)
    before = serializers.IntegerField(allow_null=True, help_text="For the next page; null on the last")


class Traces(Resource):
    """What happened to the mail of your organisations."""

    lookup_field = "trace"
    lookup_value_regex = r"[A-Za-z0-9_-]{1,40}"
    queryset = Event.objects.none()
    serializer_class = TraceShown

    @extend_schema(parameters=[Asking], responses=PageShown)
    def list(self, request: Request) -> Response:
        """Newest first."""
        return self._find(request.query_params.dict())

    @extend_schema(request=Asking, responses=PageShown)
    @action(detail=False, methods=["post"])
    def find(self, request: Request) -> Response:
        """The same for a question that is too long for an address, as a header section."""
        return self._find(request.data)

    def _find(self, asked: Any) -> Response:
        checked = Asking(data=asked)
        checked.is_valid(raise_exception=True)
        values = checked.validated_data
        rows = self.tenants()
        if "tenant" in values:
            rows = rows.filter(slug=values["tenant"])
            if not rows.exists():
                raise Http404
        slugs = dict(rows.values_list("pk", "slug"))
        found = traces.find(
            list(slugs), traces.Asked(_clues(values), values.get("since"), values.get("until")),
            before=values.get("before"),
        )  # fmt: skip
        stories = traces.summaries([(hit.tenant_id, hit.trace) for hit in found.hits])
        shown = [_told(story, slugs[story.tenant_id]) for story in stories]
        return Response(PageShown({"results": shown, "before": found.before}).data)

    @extend_schema(responses=StoryShown)
    def retrieve(self, request: Request, trace: str) -> Response:
        """The whole story of one mail; ?tenant= says whose part of it, where several have one."""
        rows = self.tenants()
        if slug := request.query_params.get("tenant"):
            rows = rows.filter(slug=slug)
        for tenant in self._with_part(rows, trace):
            if story := traces.tell(tenant.pk, trace):
                shown = _told(story, tenant.slug)
                shown["advice"] = words.advice(story)
                shown["steps"] = [_step(step) for step in story.steps]
                shown["is_cut"] = story.is_cut
                return Response(StoryShown(shown).data)
        raise Http404

    @staticmethod
    def _with_part(rows: QuerySet[Tenant], trace: str) -> QuerySet[Tenant]:
        found = traces.find([*rows.values_list("pk", flat=True)], traces.Asked(clues.Clues(ids=(trace,))))
        return rows.filter(pk__in={hit.tenant_id for hit in found.hits}).order_by("pk")


def _clues(values: dict[str, Any]) -> clues.Clues:
    found = clues.read(values.get("q", ""))
    return clues.Clues(
        found.ids,
        (*found.message_ids, *_given(values, "message_id")),
        (*found.addresses, *_given(values, "address")),
        (*found.words, *values.get("subject", "").casefold().split()[: limits.TRACE_CLUES]),
    )


def _given(values: dict[str, Any], name: str) -> tuple[str, ...]:
    return (values[name].strip().strip("<>"),) if values.get(name) else ()


def _told(story: Story, slug: str) -> dict[str, Any]:
    return {
        "trace": story.trace, "tenant": slug, "at": story.at, "sender": story.sender,
        "subject": story.subject, "octets": story.octets, "sentence": words.headline(story),
        "outcomes": [_outcome(story, one) for one in story.outcomes],
    }  # fmt: skip


def _outcome(story: Story, one: Outcome) -> dict[str, Any]:
    return {
        "recipient": one.recipient, "state": one.state, "at": one.at, "next_at": one.next_at,
        "folder": one.folder, "sentence": words.sentence(story, one),
    }  # fmt: skip


def _step(step: Step) -> dict[str, Any]:
    return {
        "at": step.at, "kind": step.kind, "recipient": step.recipient, "sentence": words.line(step),
        "via": step.via, "data": step.data,
    }  # fmt: skip
