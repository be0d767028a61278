"""`manage.py queue`: what leaves the house, and how it fares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db.models import QuerySet

from mailcore.errors import NotFound
from mailcore.management.console import Action, Arguments, Error, Options, Tool, argument, find_tenant
from mailcore.models import DeadDestination, QueueEntry, User
from mailcore.services import queue

State = QueueEntry.State
_OPEN = (State.WAITING, State.HELD)
_FILTERS: tuple[Arguments, ...] = (
    argument("--tenant", metavar="SLUG", help="of one organisation"),
    argument("--state", choices=State.values, help="in one state"),
    argument("--to", metavar="DOMAIN", help="to recipients of one domain"),
    argument("--sender", metavar="ADDRESS", help="with one return address"),
)
_ID = argument("ids", nargs="*", metavar="ID", help="entries, as `list` names them")


class Command(Tool):
    help = "The outbound queue: list, show, retry, hold, release, drop; dead: hosts that are down."

    def actions(self) -> Sequence[Action]:
        every = argument("--all", action="store_true", help="finished ones too")
        limit = argument("--limit", type=int, default=200, help="at most so many (200)")
        chosen = (_ID, *_FILTERS)
        return (
            Action("list", self.list, "Show entries, the newest first.", (*_FILTERS, every, limit)),
            Action("show", self.show, "Show one entry with all attempts.", (argument("id", metavar="ID"),)),
            Action("retry", self._steer(queue.retry, _OPEN, "due now"), "Try entries now.", chosen),
            Action(
                "hold", self._steer(queue.hold, (State.WAITING,), "on hold"), "Keep entries until released.",
                chosen,
            ),
            Action(
                "release", self._steer(queue.release, (State.HELD,), "due now"), "Let entries on hold go.",
                chosen,
            ),
            Action(
                "drop", self._steer(queue.drop, _OPEN, "dropped"), "Give entries up without a report.", chosen
            ),
            Action("dead", self.dead, "Show mail hosts that are down, and when they are asked again.", ()),
        )  # fmt: skip

    def list(self, options: Options) -> None:
        rows = self._filtered(options)
        if not options["all"] and not options["state"]:
            rows = rows.filter(state__in=_OPEN)
        self.table(
            ("id", "state", "sender", "recipient", "tenant", "due", "attempts", "reply"),
            (
                (
                    row.public_id, row.state, row.submission.reverse_path, row.recipient, row.tenant.slug,
                    row.due_at if row.state in _OPEN else None, row.attempt_count, _reply(row),
                )
                for row in rows.order_by("-pk")[: max(options["limit"], 0)]
            ),
        )  # fmt: skip

    def dead(self, options: Options) -> None:
        self.table(
            ("hosts", "since", "failures", "asked again", "reply"),
            (
                (row.hosts, row.since, row.failures, row.probe_at, row.last_reply)
                for row in DeadDestination.objects.order_by("since")[:1000]
            ),
        )

    def show(self, options: Options) -> None:
        row = self._named([options["id"]])[0]
        facts = {
            "id": row.public_id,
            "state": row.state,
            "sender": row.submission.reverse_path,
            "recipient": row.recipient,
            "tenant": row.tenant.slug,
            "source": row.submission.source,
            "trace": row.submission.trace,
            "created": row.created_at,
            "due": row.due_at if row.state in _OPEN else None,
            "finished": row.finished_at,
            "leased_by": row.lease_owner or None,
        }
        attempts = [
            {
                "at": made.started_at,
                "outcome": made.outcome,
                "host": made.host,
                "address": made.address,
                "tls": " ".join(filter(None, (made.tls_version, made.tls_cipher, made.tls_verdict))),
                "phase": made.phase,
                "code": made.code,
                "status": made.status,
                "reply": made.reply,
                "ms": made.duration_ms,
            }
            for made in row.attempts.all()
        ]
        if self.as_json:
            self.write_json({**facts, "attempts": attempts})
            return
        for name, value in facts.items():
            self.stdout.write(f"{name:10} {'' if value is None else value}")
        for made in attempts:
            where = f" at {made['host']} [{made['address']}]" if made["host"] else ""
            self.stdout.write(f"\n{made['at']:%Y-%m-%d %H:%M:%S}  {made['outcome']}{where}, {made['ms']} ms")
            said = " ".join(str(made[name]) for name in ("code", "status", "reply") if made[name])
            self.stdout.write(f"  {made['phase']}: {said}")
            self.stdout.write(f"  TLS: {made['tls'] or 'none'}")

    def _steer(
        self, verb: Callable[..., None], states: Sequence[str], words: str
    ) -> Callable[[Options], None]:
        """An action that does verb to the entries named, or to those chosen that are in one of states."""

        def run(options: Options) -> None:
            filters = [options[name] for name in ("tenant", "state", "to", "sender")]
            if bool(options["ids"]) == any(filters):
                raise Error("name entries, or choose them with --tenant, --state, --to or --sender")
            actor: User | None = None
            if options["ids"]:
                rows = self._named(options["ids"])
            else:
                rows = list(self._filtered(options).filter(state__in=states).order_by("pk"))
            for row in rows:
                verb(row, actor=actor)
            self.say(f"{len(rows)} {words}", entries=[row.public_id for row in rows])

        return run

    def _named(self, ids: Sequence[str]) -> Sequence[QueueEntry]:
        found = {row.public_id: row for row in self._rows().filter(public_id__in=ids)}
        for name in ids:
            if name not in found:
                raise NotFound(f"There is no queue entry {name}")
        return list(found.values())

    def _filtered(self, options: Options) -> QuerySet[QueueEntry]:
        rows = self._rows()
        if options["tenant"]:
            rows = rows.filter(tenant=find_tenant(options["tenant"]))
        if options["state"]:
            rows = rows.filter(state=options["state"])
        if options["to"]:
            rows = rows.filter(route=options["to"].lower())
        if options["sender"]:
            rows = rows.filter(submission__reverse_path=options["sender"].strip("<>"))
        return rows

    def _rows(self) -> QuerySet[QueueEntry]:
        return QueueEntry.objects.select_related("submission", "tenant")


def _reply(row: QueueEntry) -> str:
    words = (str(row.last_code or ""), row.last_status, row.last_reply[:100])
    return " ".join(filter(None, words))
