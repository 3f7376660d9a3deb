"""What of an address is shown, and what a source is called."""

from __future__ import annotations

import pytest

from heatprop.cli.output_names import stem_of
from heatprop.io.addresses import shown

SECRET = "s3cretS3cret9s3cret42"


@pytest.mark.parametrize(
    "address",
    [
        f"rtsp://bob:{SECRET}@10.0.0.7/door",
        f"rtsp://{SECRET}@10.0.0.7/door",
        f"https://example.org/clip.mp4?token={SECRET}",
        f"https://example.org/clip.mp4?a=1&X-Amz-Signature={SECRET}&X-Amz-Expires=60",
        f"https://example.org/clip.mp4?{SECRET}",
        f"https://example.org/clip.mp4?channel={SECRET}",
        f"https://example.org/clip.mp4#access_token={SECRET}",
        f"https://example.org/hls/{SECRET}/index.m3u8",
        f"https://example.org/live/{SECRET}.m3u8",
        f"RTMP://example.org/live/{SECRET}",
        "rtmp://example.org/live/s3cretS3cret9",
        "rtmps://live-api.example.org:443/rtmp/FB-1-s3cretS3cret9-0-Ab",
        f"srt://example.org:9000?mode=caller&passphrase={SECRET}&streamid={SECRET}",
        f"https://bob:{SECRET}@example.org/a?b={SECRET}#{SECRET}",
    ],
)
def test_what_lets_somebody_in_is_neither_shown_nor_in_the_name_of_an_output(address: str) -> None:
    for text in (shown(address), stem_of(address)):
        assert "s3cret" not in text
    assert "example.org" in shown(address) or "10.0.0.7" in shown(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/films/big_buck_bunny_1080p_h264.mp4",
        "rtsp://10.0.0.7:554/cam/realmonitor?channel=1&subtype=0",
        "rtsp://10.0.0.7:554/Streaming/Channels/101",
        "rtmp://example.org/live",
        "street@night.mp4",
        "films/a1B2c3d4e5f6g7h8i9j0k1.mp4",
    ],
)
def test_what_only_says_where_it_is_stays(address: str) -> None:
    assert shown(address) == address


def test_an_output_is_named_after_what_is_no_secret() -> None:
    assert stem_of(f"https://example.org/door/{SECRET}/") == "door"
    assert stem_of(f"rtmp://example.org/live/{SECRET}") == "live"
    assert stem_of(f"https://example.org/{SECRET}") == "example.org"
