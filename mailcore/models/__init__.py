"""The nouns. Import them from here."""

from mailcore.models.address import Address, AliasTarget
from mailcore.models.audit import AuditEntry
from mailcore.models.change import Change
from mailcore.models.content import Content
from mailcore.models.dkim_key import DkimKey
from mailcore.models.domain import Domain
from mailcore.models.event import Event
from mailcore.models.folder import Folder, Subscription
from mailcore.models.mailbox import ALL_RIGHTS, Access, AppPassword, Mailbox, Rights
from mailcore.models.message import ExpungedMessage, Message, ThreadRef
from mailcore.models.metadata import Metadata
from mailcore.models.queue import Attempt, DeadDestination, QueueEntry
from mailcore.models.relay import Relay
from mailcore.models.report import DMARCCount, DMARCRow, OwedReport, Report, ReportKind, TLSRow
from mailcore.models.search import SearchBlock, SearchMailbox, SearchPlane, SearchText
from mailcore.models.sender_rule import SenderRule
from mailcore.models.sending import Acquaintance, Allowance, SendingDay, Unsubscription
from mailcore.models.sharing import EVERY_RIGHT, LETTERS, FolderRight, MailboxGroup, Right
from mailcore.models.spam import Quarantined, SpamPolicy
from mailcore.models.submission import Submission
from mailcore.models.suppression import Suppression
from mailcore.models.tenant import Tenant
from mailcore.models.tls import STSPolicy, TLSCount
from mailcore.models.user import ApiToken, Invitation, Membership, Role, User
from mailcore.models.verifier import Verifier
from mailcore.models.webhook import Webhook, WebhookPost

__all__ = [
    "ALL_RIGHTS",
    "EVERY_RIGHT",
    "LETTERS",
    "Access",
    "Acquaintance",
    "Address",
    "AliasTarget",
    "Allowance",
    "ApiToken",
    "AppPassword",
    "Attempt",
    "AuditEntry",
    "Change",
    "Content",
    "DMARCCount",
    "DMARCRow",
    "DeadDestination",
    "DkimKey",
    "Domain",
    "Event",
    "ExpungedMessage",
    "Folder",
    "FolderRight",
    "Invitation",
    "Mailbox",
    "MailboxGroup",
    "Membership",
    "Message",
    "Metadata",
    "OwedReport",
    "Quarantined",
    "QueueEntry",
    "Relay",
    "Report",
    "ReportKind",
    "Right",
    "Rights",
    "Role",
    "STSPolicy",
    "SearchBlock",
    "SearchMailbox",
    "SearchPlane",
    "SearchText",
    "SenderRule",
    "SendingDay",
    "SpamPolicy",
    "Submission",
    "Subscription",
    "Suppression",
    "TLSCount",
    "TLSRow",
    "Tenant",
    "ThreadRef",
    "Unsubscription",
    "User",
    "Verifier",
    "Webhook",
    "WebhookPost",
]
