"""What pages are made of beside their HTML: sent small to whoever takes it small."""

import gzip

import pytest

from luckrig.web.assets import static_files
from tests.tracker.trackers import running_tracker

FILES = {file.name: (url, file) for url, file in static_files().items()}


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate , gzip ; q=1.0", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("", False),
        ("x-gzip", False),
    ],
)
async def test_a_style_is_packed_for_those_who_take_it(accepted: str, is_packed: bool) -> None:
    url, file = FILES["app.css"]
    async with running_tracker() as tracker:
        request = tracker.http.build_request("GET", url, headers={"accept-encoding": accepted})
        reply = await tracker.http.send(request, stream=True)
        raw = b"".join([piece async for piece in reply.aiter_raw()])
    assert reply.headers["vary"] == "Accept-Encoding"
    assert (reply.headers.get("content-encoding") == "gzip") == is_packed
    assert (gzip.decompress(raw) if is_packed else raw) == file.content
    assert not is_packed or len(raw) < len(file.content) / 2


async def test_a_picture_is_sent_as_it_is() -> None:
    url, file = FILES["preview.png"]
    async with running_tracker() as tracker:
        reply = await tracker.http.get(url, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in reply.headers
    assert reply.content == file.content
