"""Failures of a folder, its name, its uses and its metadata."""

from __future__ import annotations

from mailcore.errors.base import MailError


class NoSuchFolder(MailError):
    """No folder of that name in this mailbox. (RFC 5530 NONEXISTENT; APPEND and COPY say TRYCREATE)"""

    code = "no_such_folder"
    imap, http = "NONEXISTENT", 404
    text = "No such folder"


class TryCreate(NoSuchFolder):
    """The folder for a message is not there, and CREATE would help. (RFC 9051 §6.3.12, §6.4.7)"""

    code = "try_create"
    imap = "TRYCREATE"


class FolderGone(NoSuchFolder):
    """The folder was deleted while somebody worked in it. (RFC 9051 §7.1)"""

    code = "folder_gone"
    http = 410
    text = "The selected folder was deleted"


class FolderLost(FolderGone):
    """It is there, but no longer for who had it open. (RFC 4314 §5.1.1)"""

    code = "folder_lost"
    text = "You may no longer read the selected folder"


class FolderExists(MailError):
    """A folder of that name is already there. (RFC 5530)"""

    code = "folder_exists"
    imap, http = "ALREADYEXISTS", 409
    text = "A folder of that name exists already"


class BadFolderName(MailError):
    """Empty, too long, too deep, control characters, or broken modified UTF-7. (RFC 9051 §5.1)"""

    code = "bad_folder_name"
    imap, http = "CANNOT", 400
    text = "That is not a valid folder name"


class FolderProtected(MailError):
    """INBOX cannot be deleted; special folders keep their use. (RFC 9051 §6.3.5)"""

    code = "folder_protected"
    imap, http = "CANNOT", 409
    text = "That folder cannot be changed this way"


class BadFolderUse(MailError):
    """The folder cannot be for that: another one is, or nothing here is. (RFC 6154 §3 USEATTR)"""

    code = "bad_folder_use"
    imap, http = "USEATTR", 409
    text = "A folder cannot have that use"


class FolderInUse(MailError):
    """The folder has children and cannot go before them. (RFC 5530 HASCHILDREN, RFC 9051 §6.3.5)"""

    code = "folder_in_use"
    imap, http = "HASCHILDREN", 409
    text = "The folder has folders below it"


class BadMetadata(MailError):
    """No name for an entry: /private/... or /shared/..., components not empty. (RFC 5464 §3.2)"""

    code = "bad_metadata"
    imap, http = "CANNOT", 400
    text = "That is not a valid name for an entry"


class MetadataTooBig(MailError):
    """A value is longer than one may be. (RFC 5464 §4.3 METADATA MAXSIZE)"""

    code = "metadata_too_big"
    imap, http = "METADATA MAXSIZE 32768", 413  # limits.METADATA_VALUE_OCTETS
    text = "The value is too long"


class TooMuchMetadata(MailError):
    """One entry more than a mailbox may have. (RFC 5464 §4.3 METADATA TOOMANY)"""

    code = "too_much_metadata"
    imap, http = "METADATA TOOMANY", 409
    text = "There is no room for more entries"


class TooManyFolders(MailError):
    """One more than a mailbox may have. (RFC 5530 LIMIT)"""

    code = "too_many_folders"
    imap, http = "LIMIT", 409
    text = "Too many folders"
