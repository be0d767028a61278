"""Static files without a collecting step: the address carries a hash of the content.

Named by settings.STORAGES. A changed file gets a new address, so browsers may keep the old one.
"""

import functools
import hashlib
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


@functools.cache
def _digest(path: str, _changed_ns: int) -> str:
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=6).hexdigest()


class VersionedStorage(StaticFilesStorage):
    def url(self, name: str | None) -> str:
        address = str(super().url(name))
        path = finders.find(name) if name else None
        if not path:
            return address
        return f"{address}?v={_digest(str(path), Path(path).stat().st_mtime_ns)}"
