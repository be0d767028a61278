"""The address of a static file changes with its content."""

from django.contrib.staticfiles import finders

from hostmail.static import VersionedStorage


def test_carries_a_hash_of_the_content(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.css"
    monkeypatch.setattr(finders, "find", lambda name: str(path) if name == "a.css" else None)
    storage = VersionedStorage()
    path.write_text("one")
    first = storage.url("a.css")
    path.write_text("two, and longer")
    second = storage.url("a.css")
    assert first.startswith("/static/a.css?v=")
    assert first != second


def test_a_file_that_is_not_there_has_no_hash() -> None:
    assert VersionedStorage().url("nowhere.css") == "/static/nowhere.css"
