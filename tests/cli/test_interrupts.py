"""The first Ctrl-C stops between two frames, the second at once."""

import os
import signal
import subprocess
import sys

import pytest

from heatprop.cli.interrupts import Interrupted, Interrupts


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_with_the_shells_exit_code(number: signal.Signals) -> None:
    with Interrupts(), pytest.raises(Interrupted) as caught:
        send(number)
    assert caught.value.exit_code == 128 + number


def test_a_held_block_is_finished_first() -> None:
    done = []

    def work(interrupts: Interrupts) -> None:
        with interrupts.held():
            send(signal.SIGINT)
            done.append("the frame")
        done.append("the next frame")

    with Interrupts() as interrupts, pytest.raises(Interrupted):
        work(interrupts)
    assert done == ["the frame"]


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts(), pytest.raises(Interrupted):
        send(signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            send(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_second_signal_kills() -> None:
    program = """
from time import sleep
from heatprop.cli.interrupts import Interrupts
with Interrupts() as interrupts, interrupts.held():
    print("ready", flush=True)
    while interrupts._pending is None:
        sleep(0.01)
    print("held", flush=True)
    sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == -signal.SIGINT
