"""What of an address is shown, and what a source is called."""

from __future__ import annotations

import base64
import string
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heatprop.cli.output_names import name_outputs, stem_of
from heatprop.cli.output_options import OutputOptions
from heatprop.errors import SourceError
from heatprop.io import open_video
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
        "rtmp://example.org/live/s3cretS3cret9/",
        "rtmp://example.org/live playpath=s3cret token=s3cret",
        "rtsp://example.org/user=admin_password=s3cret_channel=1_stream=0",
        "rtsp://example.org/user=admin&password=s3cret&channel=1&stream=0.sdp?real_stream",
        "https://example.org/token=s3cret/index.m3u8",
        "https://example.org/token/s3cret/index.m3u8",
        "https://example.org/access_token%3Ds3cret/index.m3u8",
        "https://example.org/index.m3u8;jsessionid=s3cret",
        "https://example.org/hdntl=exp=1690~acl=%2f*~hmac=s3cret/index.m3u8",
        "https://example.org/key:s3cret/index.m3u8",
        "https://example.org/clip.mp4?s3cretS3cret9==",
        "https://example.org/clip.mp4?channel=1;token=s3cret",
        "https://example.org/clip.mp4?stream=s3cret",
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
        "rtsp://10.0.0.7/live/north_door",
        "rtsp://10.0.0.7/h264Preview_01_main",
        "rtsp://10.0.0.7/axis-media/media.amp?camera=1&resolution=1920x1080&fps=25",
        "rtsp://10.0.0.7/cam/realmonitor&channel=1&subtype=0",
        "rtsp://10.0.0.7/videoMain/trackID=1",
        "rtsp://10.0.0.7/nphMotionJpeg",
        "rtsp://[fe80::1]:554/FrontDoorCamera/stream1",
        "https://example.org/cams/camera-entrance-hall-north/live.m3u8",
        "https://example.org/NorthEntranceCamera01/index_1080p60fps.m3u8",
        "https://example.org/2024-05-01T12-30-00Z/20240501T123000Z_1920x1080.mp4",
        "https://example.org/VID_20240501_123456789.mp4",
        "https://example.org/bbb_sunflower_1080p_30fps_normal.mp4",
        "https://example.org/ILSVRC2015_val_00000000/SampleVideo_1280x720_1mb.mp4",
        "https://example.org/Bahnhofstrasse_12/Knightsbridge/live_stream1/live_cam2.m3u8",
        "https://example.org/@street/clip.mp4",
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


WORDS = st.sampled_from(
    ["password", "pass", "pwd", "token", "access_token", "key", "api-key", "secret", "sig", "auth", "Signature"]
)
ENDS = st.sampled_from(["", "/", "/index.m3u8", "&channel=1", "_channel=1_stream=0", ";a=b", "?a=b", "#a"])
# Letters of which no word in the addresses below has one, so that a secret is found where it shows.
SIGNS = st.text("XYZ0123456789-_.~!$*+,:%", min_size=4, max_size=30).filter(lambda text: not text.isdigit())


def holds(text: str, secret: str) -> bool:
    """Return whether a text shows a secret, or a piece of it that tells something."""
    pieces = {secret[at : at + 4] for at in range(max(1, len(secret) - 3))}
    return any(piece in text for piece in pieces)


def told(address: str) -> list[str]:
    """Return all that is made of an address for people to see."""
    wanted = OutputOptions(output="out", json="out")
    several = name_outputs([address, address.replace("example", "another", 1)], wanted)
    return [shown(address), stem_of(address), *(str(name) for one in several for name in (one.video, one.results))]


@given(SIGNS, st.lists(st.sampled_from("/?#@:"), max_size=4), st.data())
def test_a_password_is_not_shown_whatever_signs_are_in_it(
    secret: str, others: list[str], data: st.DataObject
) -> None:
    for sign in others:
        at = data.draw(st.integers(0, len(secret)))
        secret = secret[:at] + sign + secret[at:]
    for user in ("admin", "", "admin.of-doors"):
        address = f"rtsp://{user}:{secret}@example.org:554/live/north_door"
        assert shown(address) == "rtsp://***@example.org:554/live/north_door"
        assert stem_of(address) == "north_door"


@example("password", "%3D", "000:", "&channel=1", "")
@given(
    WORDS,
    st.sampled_from(["=", "%3D", "%3d"]),
    SIGNS,
    ENDS,
    st.sampled_from(["", "user=admin_", "live;", "user=admin&"]),
)
def test_what_is_said_to_be_a_secret_is_not_shown_wherever_it_stands(
    word: str, is_: str, secret: str, end: str, before: str
) -> None:
    for text in told(f"https://example.org/cams/{before}{word}{is_}{secret}{end}"):
        assert not holds(text, secret)
    for text in told(f"https://example.org/cams?{before}{word}={secret}"):
        assert not holds(text, secret)


KEYS = st.one_of(
    st.uuids(version=4).map(str),
    st.uuids(version=4).map(lambda one: str(one).upper()),
    st.binary(min_size=48, max_size=64).map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")),
    st.binary(min_size=48, max_size=64).map(lambda data: base64.urlsafe_b64encode(data).decode() + "=="),
    st.binary(min_size=16, max_size=32).map(bytes.hex),
    st.binary(min_size=9).map(lambda data: f"eyJ{base64.urlsafe_b64encode(data).decode()}.eyJh.c2ln"),
    st.lists(st.sampled_from(string.ascii_letters), min_size=8, max_size=8).flatmap(
        lambda letters: st.text(string.digits, min_size=8, max_size=8).map(
            lambda digits: "".join(letter + digit for letter, digit in zip(letters, digits, strict=True))
        )
    ),
    st.lists(st.text(string.ascii_lowercase + string.digits, min_size=4, max_size=4), min_size=4, max_size=5)
    .map("-".join)
    .filter(lambda key: any(sign.isdigit() for sign in key)),
)  # fmt: skip


@given(KEYS, st.sampled_from(["", "/index.m3u8", ".m3u8", "/"]))
def test_a_key_in_a_path_is_not_shown(key: str, end: str) -> None:
    for text in told(f"https://example.org/live/{key}{end}"):
        assert key not in text
    assert shown(f"https://example.org/live/{key}{end}").startswith("https://example.org/live/***")


@pytest.mark.parametrize(
    "key", [uuid.UUID(int=0), "abcd1234efgh5678", "x7Kp2mQ9vT4nL8wZ", "aB3-xY_9kL2mN4pQ", "1" * 18]
)
def test_so_are_keys_that_look_like_words_and_numbers(key: object) -> None:
    assert shown(f"https://example.org/{key}/index.m3u8") == "https://example.org/***/index.m3u8"


@pytest.mark.parametrize("secret", ["s3c/ret", "s3c[ret", "s3c#ret", "s3c?ret", "s3c@ret", "s3c\u2100ret"])
@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtmp"])
def test_an_error_does_not_show_a_password_that_makes_the_address_another(scheme: str, secret: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_video(f"{scheme}://admin:{secret}@127.0.0.1:1/live")
    assert "ret" not in str(caught.value)
    assert str(caught.value).startswith(f"{scheme}://***@127.0.0.1:1/live: ")
