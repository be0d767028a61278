"""What became of a mail, in words: one sentence, and the one thing to do next.

The dashboard and the API say the same. Moments are told in the time zone that is active.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailcore.outside import clock
from mailcore.services import allowances
from mailcore.services.traces.after import GONE
from mailcore.services.traces.story import Outcome, Step, Story

VIA = {"imap": "IMAP", "pop3": "POP3", "webmail": "webmail", "api": "API"}


@dataclass(frozen=True, slots=True)
class Advice:
    """The one thing to do next. action: retry, release, unsuppress, unquarantine, ask, or "" for nothing.

    target is the public id of the queue entry, suppression or quarantined mail that a button steers; letter
    are words to send to the postmaster at to.
    """

    action: str
    text: str
    target: str = ""
    to: str = ""
    letter: str = ""


def clock_time(at: dt.datetime) -> str:
    """A moment as people say it: the time today, the day with it otherwise."""
    here, today = timezone.localtime(at), timezone.localtime(clock.now())
    return formats.date_format(here, "H:i" if here.date() == today.date() else "j M Y, H:i")


def folder_name(name: str, role: str = "") -> str:
    """A folder in a sentence."""
    return _("the Inbox") if role == "inbox" or name.upper() == "INBOX" else name or _("a folder")


def headline(story: Story) -> str:
    """One sentence about the whole mail."""
    if not story.outcomes:
        return _("We know of this mail, but not what became of it.")
    if len(story.outcomes) == 1:
        return sentence(story, story.outcomes[0])
    counts: dict[str, int] = {}
    for one in story.outcomes:
        counts[one.state] = counts.get(one.state, 0) + 1
    told = ", ".join(f"{count} {STATES[state]()}" for state, count in counts.items())
    return _("%(count)d recipients: %(told)s.") % {"count": len(story.outcomes), "told": told}


STATES = {
    "delivered": lambda: _("delivered"),
    "relayed": lambda: _("taken by their server"),
    "sending": lambda: _("on the way"),
    "waiting": lambda: _("waiting"),
    "held": lambda: _("on hold"),
    "bounced": lambda: _("returned"),
    "dropped": lambda: _("taken out of the queue"),
    "refused": lambda: _("refused"),
    "quarantined": lambda: _("in quarantine"),
}


def sentence(story: Story, one: Outcome) -> str:
    """What became of it for one recipient."""
    names = {
        "who": one.recipient or _("several people"),
        "sender": story.sender or _("a mail server"),
        "at": clock_time(one.at),
        "host": one.data.get("host") or _("the host"),
        "reply": _quoted(one),
        "next": clock_time(one.next_at) if one.next_at else "",
        "folder": folder_name(one.folder, one.role),
    }
    if one.state == "delivered":
        text = _("Delivered to %(folder)s of %(who)s at %(at)s") % names
        if one.role == "junk" and one.data.get("reason"):
            text += _(" because: %s") % one.data["reason"]
        return f"{text}{_afterwards(story, one)}."
    if one.state == "refused":
        reason = str(one.data.get("reason") or one.data.get("reply") or "")
        text = _("Refused at %(at)s: mail from %(sender)s for %(who)s") % names
        return f"{text}. {reason}".rstrip(". ") + "."
    if one.state == "held" and (why := _HELD.get(one.data.get("held", ""))):
        return why() % names
    if one.state == "dropped" and one.data.get("quarantine"):
        return _("Deleted from quarantine at %(at)s; %(who)s does not get it.") % names
    if one.state == "waiting" and one.data.get("host"):
        return _("Waiting: %(host)s says %(reply)s; next try %(next)s.") % names
    if one.state == "waiting" and names["reply"]:
        return _("Waiting: %(reply)s; next try %(next)s.") % names
    if one.state == "bounced" and not one.data.get("host"):  # nobody was asked: DNS, or our own rules
        return _("Not delivered to %(who)s at %(at)s: %(reply)s.") % names
    return _SENTENCES[one.state]() % names


_HELD = {
    allowances.LIMIT: lambda: _(
        "On hold for %(who)s: more was sent than is allowed in a day. It goes by itself when there is room."
    ),
    allowances.STOPPED: lambda: _("On hold for %(who)s: the mailbox may not send, since it looks stolen."),
}
_SENTENCES = {
    "sending": lambda: _("Handed in at %(at)s; it is on its way to %(who)s."),
    "waiting": lambda: _("Waiting to go to %(who)s; next try %(next)s."),
    "held": lambda: _("On hold: nothing is tried for %(who)s until somebody releases it."),
    "relayed": lambda: _("Taken by %(host)s for %(who)s at %(at)s."),
    "bounced": lambda: _("Not delivered to %(who)s: %(host)s says %(reply)s at %(at)s."),
    "dropped": lambda: _("Taken out of the queue at %(at)s; %(who)s does not get it."),
    "quarantined": lambda: _("In quarantine since %(at)s; %(who)s does not see it."),
}


def _quoted(one: Outcome) -> str:
    reply = " ".join(str(one.data.get("reply") or "").split())
    return f"“{reply[:200]}”" if reply else ""


def _afterwards(story: Story, one: Outcome) -> str:
    """ ", read at 10:40 by IMAP; moved to Archive at 10:41": the first reading and where it is now."""
    if one.life is None:
        return ""
    told = []
    for kind, text in (
        ("fetched", _("fetched at %(at)s by %(via)s")), ("read", _("read at %(at)s by %(via)s")),
    ):  # fmt: skip
        first = next((step for step in one.life.steps if step.kind == kind), None)
        if first is not None:
            told.append(text % {"at": clock_time(first.at), "via": via(first.via)})
    ends = [step for step in one.life.steps if step.kind in ("moved", GONE)]
    if ends:
        last = ends[-1]
        names = {"at": clock_time(last.at), "via": via(last.via)}
        if not one.life.places:
            told.append(_("deleted at %(at)s by %(via)s") % names)
        else:
            name, role = story.folders.get(one.life.places[-1].folder_id, ("", ""))
            told.append(_("moved to %(to)s at %(at)s by %(via)s") % {**names, "to": folder_name(name, role)})
    return "".join(f", {each}" for each in told)


def via(name: str) -> str:
    """A way into a mailbox, or what else did it, in a sentence: "by ..."."""
    if name == "rename":
        return _("renaming the Inbox")
    if name == "folder":
        return _("removing its folder")
    if name == "operator":
        return _("the operator")
    return VIA.get(name, name) or _("a mail program")


def advice(story: Story) -> Advice:
    """The one thing to do next, for the recipient with whom it stands worst."""
    rank = ("bounced", "held", "quarantined", "refused", "waiting", "dropped", "relayed", "delivered")
    order = {state: number for number, state in enumerate(rank)}
    chosen = min(story.outcomes, key=lambda one: order.get(one.state, len(rank)), default=None)
    return Advice("", _("Nothing to do.")) if chosen is None else advise(story, chosen)


def advise(story: Story, one: Outcome) -> Advice:
    """The one thing to do next about one recipient."""
    if one.state == "held":
        return Advice("release", _("Release it, and it goes out at once."), one.entry)
    if one.state == "waiting":
        return Advice("retry", _("It is tried again by itself; you can have it tried now."), one.entry)
    if one.state == "bounced":
        return _advise_on_bounce(story, one)
    if one.state == "quarantined" and one.quarantined:
        return Advice(
            "unquarantine", _("If it is wanted, release it: it goes to the Inbox."), one.quarantined
        )
    if one.state == "relayed":
        return _ask(
            story, one,
            _("Their server has it now. If the person does not see it, look in their spam folder first,"
              " then ask their postmaster with these words."),
        )  # fmt: skip
    texts = {
        "refused": _(
            "The sender was told. If the mail was wanted, ask them to put right what the reason names."
        ),
        "dropped": _("Send it again if it is still needed."),
        "sending": _("Nothing to do: this page shows what comes of it."),
        "quarantined": _("Nothing to do."),
    }
    if one.state == "delivered" and one.role == "junk":
        return Advice("", _("It is in Junk. Moving it to the Inbox there tells us that it is wanted."))
    return Advice("", texts.get(one.state, _("Nothing to do: it arrived.")))


def _advise_on_bounce(story: Story, one: Outcome) -> Advice:
    status = str(one.data.get("status") or "")
    if one.suppression:
        return Advice(
            "unsuppress",
            _("It is on the suppression list now. If the address is right, take it off and send again."),
            one.suppression,
        )
    if status in ("5.1.1", "5.1.2", "5.1.3", "5.1.10"):
        return Advice("", _("Check the address for a slip of the pen, and send again."))
    if status.endswith(".2.2"):
        return Advice("", _("The mailbox there is full: tell the person by another way."))
    if status == "5.4.7":
        return Advice("", _("Their server was out of reach for days. Send again once it answers."))
    return _ask(story, one, _("Ask their postmaster why, with these words."))


def _ask(story: Story, one: Outcome, text: str) -> Advice:
    domain = one.recipient.rpartition("@")[2]
    letter = _(
        "Your server %(host)s answered “%(reply)s” on %(at)s to our mail from %(sender)s to %(who)s."
        " Our reference: %(trace)s. What became of it?"
    ) % {
        "host": one.data.get("host") or domain,
        "reply": " ".join(str(one.data.get("reply") or one.data.get("code") or "").split())[:300],
        "at": one.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "sender": story.sender or "<>",
        "who": one.recipient,
        "trace": story.trace,
    }
    return Advice("ask", text, to=f"postmaster@{domain}", letter=letter)


def line(step: Step) -> str:
    """One step of the time line in a few words."""
    names = {
        "who": step.recipient or _("several people"),
        "sender": step.sender or _("a mail server"),
        "folder": folder_name(step.folder),
        "to": folder_name(step.to),
        "via": via(step.via),
        "host": step.data.get("host") or _("their server"),
    }
    is_lost = step.kind == "attempted" and not step.data.get("host")
    template = LINES.get("lost" if is_lost else step.kind)
    if step.kind == "submitted" and not step.recipient:
        count = step.data.get("recipient_count") or 0
        names["who"] = ngettext("%d recipient", "%d recipients", count) % count
    return template() % names if template else step.kind


LINES = {
    "filed": lambda: _("Mail from %(sender)s delivered to %(folder)s of %(who)s"),
    "kept": lambda: _("Copy kept in %(folder)s"),
    "reported": lambda: _("Report about it delivered to %(who)s"),
    "refused": lambda: _("Mail from %(sender)s for %(who)s refused"),
    "submitted": lambda: _("Handed in by %(sender)s for %(who)s"),
    "accepted": lambda: _("Mail from %(sender)s for %(who)s accepted"),
    "forwarded": lambda: _("Passed on to %(who)s"),
    "attempted": lambda: _("%(host)s tried for %(who)s"),
    "lost": lambda: _("No way found for %(who)s"),  # an attempt that came to no host
    "deferred": lambda: _("Put off for %(who)s"),
    "relayed": lambda: _("Taken by %(host)s for %(who)s"),
    "bounced": lambda: _("Given up for %(who)s"),
    "complained": lambda: _("Called spam by whoever reads %(who)s"),
    "dropped": lambda: _("Taken out of the queue for %(who)s"),
    "discarded": lambda: _("Deleted from the quarantine of %(who)s"),
    "held": lambda: _("Put on hold for %(who)s"),
    "released": lambda: _("Released for %(who)s"),
    "retried": lambda: _("Asked to be tried at once for %(who)s"),
    "quarantined": lambda: _("Put into quarantine for %(who)s"),
    "read": lambda: _("Read in %(folder)s of %(who)s by %(via)s"),
    "moved": lambda: _("Moved from %(folder)s to %(to)s by %(via)s"),
    "copied": lambda: _("Copied from %(folder)s to %(to)s by %(via)s"),
    "marked": lambda: _("Marked as deleted in %(folder)s by %(via)s"),
    "deleted": lambda: _("Deleted from %(folder)s by %(via)s"),
    "fetched": lambda: _("Fetched from %(folder)s of %(who)s by %(via)s"),
    "exported": lambda: _("Exported from %(folder)s of %(who)s by %(via)s"),
}


def details(step: Step, *, is_told: bool = False) -> list[str]:
    """What else is known of a step: the host's words, TLS, how long it took.

    is_told says that the tries stand in the time line themselves: then what came of them need not repeat it.
    """
    data, told = step.data, []
    if is_told and step.kind in ("deferred", "relayed", "bounced"):
        data = {"next": data.get("next")}
    reply = " ".join(str(data.get("reply") or "").split())
    code = " ".join(str(part) for part in (data.get("code"), data.get("status")) if part)
    if reply or code:
        told.append(_("Answer: %s") % f"{code} {reply}".strip()[:500])
    if data.get("address") or data.get("peer"):
        told.append(_("Address: %s") % (data.get("address") or data.get("peer")))
    if data.get("helo"):
        told.append(_("Called itself: %s") % data["helo"])
    if data.get("tls"):
        parts = (data["tls"], data.get("tls_cipher"), data.get("tls_verdict"), data.get("tls_policy"))
        told.append(_("TLS: %s") % ", ".join(str(part) for part in parts if part))
    elif step.kind == "attempted" and data.get("host"):
        told.append(_("TLS: none"))
    if data.get("phase") and not str(data.get("code") or "").startswith("2"):
        told.append(_("At: %s") % data["phase"])
    if step.kind == "attempted" and data.get("ms"):
        told.append(_("Took: %.1f s") % (data["ms"] / 1000))
    if data.get("next"):
        told.append(_("Next try: %s") % clock_time(dt.datetime.fromisoformat(str(data["next"]))))
    told += _judgement(data)
    if data.get("report"):
        told.append(_("About: %s") % ", ".join(map(str, data["report"])))
    return told


def _judgement(data: dict[str, object]) -> list[str]:
    """Who the sender was found to be, and how the mail was judged."""
    told = []
    sender, spam = data.get("sender"), data.get("spam")
    if isinstance(sender, dict):
        found = [
            f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
            for name, value in sender.items()
            if value
        ]
        told.append(_("Sender: %s") % "; ".join(found)[:500])
    if isinstance(spam, dict):
        tests = ", ".join(map(str, spam.get("tests") or ()))
        told.append(_("Spam score: %s") % f"{spam.get('score')} ({tests})"[:500])
    if data.get("reason"):
        told.append(_("Because: %s") % data["reason"])
    return told
