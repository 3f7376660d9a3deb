"""The first Ctrl-C stops between two frames, the second at once.

Every case runs in a process of its own: the test runner has handlers and a signal stack of its own, and a signal
that misses would end it.
"""

import signal
import subprocess
import sys

import pytest

PRELUDE = """
import os, signal, time
from heatprop.cli.interrupts import Interrupted, Interrupts

def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.2)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_raised_with_the_shells_exit_code(name: str) -> None:
    done = run(f"""
try:
    with Interrupts():
        send(signal.{name})
        print("not reached")
except Interrupted as interrupted:
    print(interrupted.exit_code)
""")
    assert (done.stdout, done.stderr, done.returncode) == (f"{128 + signal.Signals[name]}\n", "", 0)


def test_a_held_block_is_finished_first() -> None:
    done = run("""
try:
    with Interrupts() as interrupts:
        with interrupts.held():
            send(signal.SIGINT)
            print("the frame")
        print("the next frame")
except Interrupted:
    print("stopped")
""")
    assert (done.stdout, done.stderr) == ("the frame\nstopped\n", "")


def test_handlers_are_as_before_afterwards() -> None:
    done = run("""
numbers = (signal.SIGINT, signal.SIGTERM)
before = [signal.getsignal(number) for number in numbers]
try:
    with Interrupts():
        send(signal.SIGTERM)
except Interrupted:
    print([signal.getsignal(number) for number in numbers] == before)
""")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    done = run("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
with Interrupts():
    send(signal.SIGINT)
    print("goes on")
""")
    assert (done.stdout, done.stderr) == ("goes on\n", "")


def test_the_second_signal_kills() -> None:
    program = """
with Interrupts() as interrupts, interrupts.held():
    print("ready", flush=True)
    while interrupts._pending is None:
        time.sleep(0.01)
    print("held", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", PRELUDE + program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == -signal.SIGINT
