"""Webmail's addresses. Mailboxes by public id, folders by serial, messages by uid."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from hostmail.webmail import acting, attachments, compose, judged, listing, live, reading, sharing, waiting


class Serial(IntConverter):
    """A number that fits the database's columns; a longer one is an address that does not exist."""

    regex = "[0-9]{1,15}"


register_converter(Serial, "serial")

app_name = "webmail"
_FOLDER = "<str:mailbox>/folder/<serial:serial>/"
_MESSAGE = f"{_FOLDER}<serial:uid>/"

urlpatterns = [
    path("", listing.home, name="home"),
    path("<str:mailbox>/", listing.mailbox, name="mailbox"),
    path("<str:mailbox>/live/", live.events, name="live"),
    path("<str:mailbox>/folders/", acting.folders_page, name="folders"),
    path("<str:mailbox>/people/", compose.people, name="people"),
    path("<str:mailbox>/quarantine/", judged.kept, name="quarantine"),
    path("<str:mailbox>/senders/", judged.senders, name="senders"),
    path("<str:mailbox>/undo/", acting.undo, name="undo"),
    path("<str:mailbox>/waiting/", waiting.waiting, name="waiting"),
    path("<str:mailbox>/waiting/<slug:public_id>/back/", waiting.take_back, name="take_back"),
    path("<str:mailbox>/compose/", compose.compose, name="compose"),
    path(_FOLDER, listing.folder, name="folder"),
    path(f"{_FOLDER}act/", acting.act, name="act"),
    path(f"{_FOLDER}delete/", acting.folder_delete, name="folder_delete"),
    path(f"{_FOLDER}share/", sharing.share, name="share"),
    path(f"{_FOLDER}empty/", acting.folder_empty, name="folder_empty"),
    path(_MESSAGE, reading.message, name="message"),
    path(f"{_MESSAGE}edit/", compose.edit, name="edit"),
    path(f"{_MESSAGE}reply/<str:kind>/", compose.reply, name="reply"),
    path(f"{_MESSAGE}html/", reading.html, name="html"),
    path(f"{_MESSAGE}html/remote/", reading.html_with_remote, name="html_remote"),
    path(f"{_MESSAGE}source/", attachments.source, name="source"),
    path(f"{_MESSAGE}part/<str:section>/", attachments.part, name="part"),
]
