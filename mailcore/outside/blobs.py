"""Octets by hash, one namespace a tenant: put, get, drop. In files below the data folder, or in S3.

A blob is written and synced before the row that names it commits, and dropped only after the commit that
forgets it; so a crash leaves at most a blob that no row names, which the sweep finds by iterate(). Octets
are kept as given (callers compress) and under the name given: the SHA-256 of the content in hexadecimal.

Files: DATA_DIR/blobs/TENANT/ab/cdef... Written under a temporary name, fdatasync, rename, then fsync of the
folder: after put() returns, a power cut loses nothing. S3: HOSTMAIL_STORAGE_URL, the same names as keys.
"""

import datetime as dt
import errno
import functools
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import obstore
from django.conf import settings
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from mailcore import limits
from mailcore.errors import DiskFull, NoSuchBlob, StoreDown, TryLater
from mailcore.outside import clock

Item = tuple[int, str, bytes]
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Blob:
    """What iterate() tells of one blob."""

    tenant_id: int
    sha256: str
    octets: int
    modified_at: dt.datetime


class Backend(Protocol):
    """What a store must do; both below are tested by the same tests."""

    def put_many(self, items: Iterable[Item]) -> None: ...

    def get(self, tenant_id: int, sha256: str) -> bytes: ...

    def drop(self, tenant_id: int, sha256: str) -> None: ...

    def exists(self, tenant_id: int, sha256: str) -> bool: ...

    def iterate(self, tenant_id: int | None) -> Iterator[Blob]: ...


def put(tenant_id: int, sha256: str, raw: bytes) -> None:
    """Store raw durably under tenant and hash; what is there already is kept and its age renewed.

    Raises DiskFull, StoreDown, TryLater.
    """
    backend().put_many([(tenant_id, sha256, raw)])


def put_many(items: Iterable[Item]) -> None:
    """Store many (tenant, hash, octets) durably; side by side, with one sync for each folder."""
    backend().put_many(items)


def get(tenant_id: int, sha256: str) -> bytes:
    """Return the octets. Raises NoSuchBlob, StoreDown, TryLater."""
    return backend().get(tenant_id, sha256)


def drop(tenant_id: int, sha256: str) -> None:
    """Remove the octets, if they are there. Only after the commit that forgets them."""
    backend().drop(tenant_id, sha256)


def exists(tenant_id: int, sha256: str) -> bool:
    """Whether the octets are there."""
    return backend().exists(tenant_id, sha256)


def iterate(tenant_id: int | None = None) -> Iterator[Blob]:
    """Give every blob of a tenant, or of all.

    The sweep drops those that no row names and that are at least a day old: a younger one may belong to a
    transaction that has not committed, and put() makes an old one young again.
    """
    return backend().iterate(tenant_id)


def backend() -> Backend:
    """Return the store that the settings name."""
    url = settings.HOSTMAIL_STORAGE_URL
    return _bucket(url) if url else _files(Path(settings.HOSTMAIL_DATA_DIR) / "blobs")


class Files:
    """Blobs as files, synced with their folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lasting: set[Path] = set()  # folders whose own entries are synced

    def put_many(self, items: Iterable[Item]) -> None:
        work = [(self._path(tenant_id, sha256), raw) for tenant_id, sha256, raw in items]
        try:
            folders = {path.parent for path, _ in work}
            above = {parent for folder in folders for parent in self._make_folder(folder)}
            if len(work) == 1:
                _write(*work[0])
            else:
                list(_writers().map(_write, *zip(*work, strict=True))) if work else None
            for folder in folders | above:
                _sync_folder(folder)
            self._lasting |= folders
        except OSError as error:
            raise _translated(error) from error

    def get(self, tenant_id: int, sha256: str) -> bytes:
        try:
            return self._path(tenant_id, sha256).read_bytes()
        except FileNotFoundError as error:
            raise NoSuchBlob from error
        except OSError as error:
            raise _translated(error) from error

    def drop(self, tenant_id: int, sha256: str) -> None:
        try:
            self._path(tenant_id, sha256).unlink(missing_ok=True)
        except OSError as error:
            raise _translated(error) from error

    def exists(self, tenant_id: int, sha256: str) -> bool:
        return self._path(tenant_id, sha256).is_file()

    def iterate(self, tenant_id: int | None) -> Iterator[Blob]:
        tenants = [str(tenant_id)] if tenant_id is not None else _names(self.root)
        for tenant in filter(str.isdecimal, tenants):
            for start in _names(self.root / tenant):
                for rest in _names(self.root / tenant / start):
                    if _HASH.fullmatch(start + rest):
                        found = self._look(int(tenant), start + rest)
                        if found:
                            yield found

    def sweep_unfinished(self, older_than_seconds: float) -> int:
        """Remove temporary files that a crash left behind; return how many."""
        removed, before = 0, clock.seconds() - older_than_seconds
        for path in self.root.glob("*/??/*.new"):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _look(self, tenant_id: int, sha256: str) -> Blob | None:
        try:
            stat = self._path(tenant_id, sha256).stat()
        except FileNotFoundError:  # dropped while we walk
            return None
        return Blob(tenant_id, sha256, stat.st_size, dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC))

    def _path(self, tenant_id: int, sha256: str) -> Path:
        return self.root / _key(tenant_id, sha256)

    def _make_folder(self, folder: Path) -> list[Path]:
        """Make folder if it is missing; return the folders above that must be synced for it to last.

        Also when somebody else has just made it: their sync may still be under way.
        """
        if folder in self._lasting:
            return []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [
            above
            for above in folder.parents
            if above == self.root.parent or self.root.parent in above.parents
        ]


class Bucket:
    """Blobs as objects of an S3-compatible store. A PUT that was answered is durable there."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    def put_many(self, items: Iterable[Item]) -> None:
        work = [(_key(tenant_id, sha256), raw) for tenant_id, sha256, raw in items]
        try:
            if len(work) == 1:
                obstore.put(self._store, *work[0])
            else:
                list(_writers().map(lambda one: obstore.put(self._store, *one), work))
        except (BaseError, OSError) as error:
            raise StoreDown from error

    def get(self, tenant_id: int, sha256: str) -> bytes:
        try:
            return bytes(obstore.get(self._store, _key(tenant_id, sha256)).bytes())
        except (NotFoundError, FileNotFoundError) as error:
            raise NoSuchBlob from error
        except (BaseError, OSError) as error:
            raise StoreDown from error

    def drop(self, tenant_id: int, sha256: str) -> None:
        try:
            obstore.delete(self._store, _key(tenant_id, sha256))
        except (NotFoundError, FileNotFoundError):
            pass
        except (BaseError, OSError) as error:
            raise StoreDown from error

    def exists(self, tenant_id: int, sha256: str) -> bool:
        try:
            obstore.head(self._store, _key(tenant_id, sha256))
        except (NotFoundError, FileNotFoundError):
            return False
        except (BaseError, OSError) as error:
            raise StoreDown from error
        return True

    def iterate(self, tenant_id: int | None) -> Iterator[Blob]:
        prefix = f"{tenant_id}/" if tenant_id is not None else None
        try:
            for page in obstore.list(self._store, prefix):
                for found in page:
                    tenant, _, name = found["path"].partition("/")
                    sha256 = name.replace("/", "")
                    if tenant.isdecimal() and _HASH.fullmatch(sha256):
                        yield Blob(int(tenant), sha256, found["size"], found["last_modified"])
        except (BaseError, OSError) as error:
            raise StoreDown from error


@functools.lru_cache(maxsize=4)
def _files(root: Path) -> Files:
    return Files(root)


@functools.lru_cache(maxsize=4)
def _bucket(url: str) -> Bucket:
    """Make the store of s3://bucket?endpoint=https://host&region=name; keys come from AWS_... variables."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    seconds = f"{limits.STORAGE_SECONDS}s"
    client = {"timeout": seconds, "connect_timeout": "10s"}
    if options.get("endpoint", "").startswith("http:"):
        client["allow_http"] = "true"
    return Bucket(S3Store(parts.netloc, client_options=client, **options))  # type: ignore[arg-type]


def _key(tenant_id: int, sha256: str) -> str:
    # A name that came from anywhere else must not leave its folder.
    if not _HASH.fullmatch(sha256):
        raise ValueError("not a SHA-256 in hexadecimal")
    return f"{int(tenant_id)}/{sha256[:2]}/{sha256[2:]}"


def _write(path: Path, raw: bytes) -> None:
    """Write and sync one file under its final name; its folder is the caller's to sync."""
    try:
        if path.stat().st_size == len(raw):
            os.utime(path)  # it stands complete (rename came after the sync); young again for the sweep
            return
    except FileNotFoundError:
        pass
    unfinished = path.with_name(f"{path.name[:16]}.{os.getpid()}.{os.urandom(6).hex()}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            view = memoryview(raw)
            while view:
                view = view[os.write(handle, view) :]
            os.fdatasync(handle)
        finally:
            os.close(handle)
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _translated(error: OSError) -> TryLater:
    return DiskFull() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else StoreDown()


@functools.lru_cache(maxsize=1)
def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(limits.BLOB_THREADS, thread_name_prefix="blobs")


os.register_at_fork(after_in_child=_writers.cache_clear)
