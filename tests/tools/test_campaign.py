"""The campaigns: what counts as a fault, and that a small one runs the real command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from campaigns.outcomes import Ended, Tally, run_heatprop

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (Ended(["models"], 0, "x\n", ""), None),
        (Ended(["models"], 2, "", "heatprop: models takes nothing\n"), None),
        (Ended(["models"], 1, "", "heatprop: a.mp4: unfinished\n"), None),
        (Ended(["models"], None, "", ""), "hangs"),
        (Ended(["models"], -11, "", ""), "killed by SIGSEGV"),
        (Ended(["models"], 130, "", "heatprop: stopped\n"), "exit code 130"),
        (Ended(["models"], 1, "", " \n"), "fails without a word"),
        (Ended(["models"], 1, "", "Traceback (most recent call last):\n"), "traceback"),
        (Ended(["models"], 0, "", "Exception ignored in: <function>\n"), "traceback"),
        (Ended(["models"], 0, "", "[h264 @ 0x55] error while decoding\n"), "foreign line"),
        (Ended(["models"], 0, "", "a.py:3\nUserWarning: old\n"), "foreign line"),
        (Ended(["models"], 0, "", "a.jpg: Corrupt JPEG data\n"), "foreign line"),
    ],
)
def test_what_counts_as_a_fault(ended: Ended, fault: str | None) -> None:
    assert ended.fault() == fault


def test_a_tally_counts_outcomes_and_faults_apart() -> None:
    tally = Tally("videos")
    tally.count("exit code 0")
    tally.count("exit code 1")
    tally.count("exit code 0", "hangs", "a.mp4")
    assert tally.row() == "| videos | 3 | 2 exit code 0, 1 exit code 1 | 1 hangs |"
    assert tally.as_json()["examples"] == ["hangs: a.mp4"]


def test_what_hangs_is_killed_and_said(tmp_path: Path) -> None:
    ended = run_heatprop(["models"], tmp_path, longest=0.01)
    assert ended.fault() == "hangs"


def test_a_small_campaign_runs_the_real_command() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "campaign.py", "annotations", "--runs", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tally,) = json.loads(done.stdout.splitlines()[-1])["campaigns"]
    assert (tally["campaign"], tally["runs"], tally["faults"]) == ("annotations", 3, {})


def test_an_unknown_campaign_is_refused_in_a_line() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "campaign.py", "videoz"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no campaign 'videoz'; choose from videos, models" in done.stderr
