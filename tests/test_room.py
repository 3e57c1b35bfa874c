"""Uploads are taken while the page's temporary files have room, and refused before they are read."""

import os
import subprocess
import sys

import pytest
from conftest import awaited
from pages import ROOT

from cemviz.ui import room
from cemviz.ui.room import Room, folder_size


class Page:
    """An app that keeps what it is sent among the temporary files; `during` runs while an upload is under way."""

    def __init__(self, folder):
        self.folder, self.during, self.calls = folder, None, 0

    async def __call__(self, scope, receive, send):
        self.calls += 1
        if self.during:
            during, self.during = self.during, None
            await during()
        (self.folder / f"file{self.calls}").write_bytes(b"x" * int(dict(scope["headers"]).get(b"content-length", b"0")))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"taken"})


@pytest.fixture
def page(tmp_path, monkeypatch):
    (tmp_path / "of a visitor").mkdir()
    monkeypatch.setattr(room, "get_upload_folder", lambda: str(tmp_path))
    return Page(tmp_path)


async def post(app, size, path="/gradio_api/upload", method="POST"):
    """Status of a request with a body of `size` bytes; None does not say its length."""
    statuses = []

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [] if size is None else [(b"content-length", str(size).encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, None, send)
    return statuses[0]


def test_uploads_are_taken_until_there_is_no_room_and_again_when_files_went(page, tmp_path):
    app = Room(page, most=100)
    assert [awaited(post(app, size)) for size in (60, 41, 40)] == [200, 507, 200]
    (tmp_path / "file1").rename(tmp_path / "of a visitor" / "file")
    assert folder_size(tmp_path) == 100 and awaited(post(app, 1)) == 507
    (tmp_path / "of a visitor" / "file").unlink()
    assert awaited(post(app, 60)) == 200 and page.calls == 3


def test_uploads_that_are_under_way_count_and_no_longer_when_they_ended(page):
    app, answers = Room(page, most=100), []

    async def another():
        answers.append(await post(app, 51))

    page.during = another
    assert awaited(post(app, 50)) == 200 and answers == [507]
    assert awaited(post(app, 50)) == 200


def test_an_upload_says_how_long_it_is_and_nothing_else_is_asked(page):
    app = Room(page, most=0)
    assert [awaited(post(app, size)) for size in (None, 1)] == [411, 507]
    assert awaited(post(app, "-1")) == 411 and awaited(post(app, "9" * 5000)) == 411
    assert awaited(post(app, 5, path="/gradio_api/queue/join")) == 200
    assert awaited(post(app, 5, method="GET")) == 200


@pytest.mark.slow
def test_a_temporary_folder_that_cannot_be_made_is_said_before_the_page_opens(tmp_path):
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "folder")
    command = [sys.executable, "app.py", "--no-browser", "--device", "cpu"]
    where = {"cwd": ROOT, "env": os.environ | {"GRADIO_TEMP_DIR": place}, "capture_output": True, "text": True}
    done = subprocess.run(command, timeout=120, **where)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"app.py: error: GRADIO_TEMP_DIR is {place!r}")
