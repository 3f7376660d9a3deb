"""A signal is a request that is checked in chosen places; the second one kills.

Every case runs in a process of its own: the test runner has handlers and a signal stack of its own, and a signal
that misses would end it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

PRELUDE = """
import os, signal, sys, threading, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
from heatprop.interrupts import Interrupted, check, expect, handled, pending, shielded, take, wait_for

def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.05)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_raised_where_it_is_checked_with_the_shells_exit_code(name: str) -> None:
    done = run(f"""
try:
    with handled():
        send(signal.{name})
        print("goes on")
        check()
        print("not reached")
except Interrupted as interrupted:
    print(interrupted.exit_code)
""")
    assert (done.stdout, done.stderr, done.returncode) == (f"goes on\n{128 + signal.Signals[name]}\n", "", 0)


def test_what_is_shielded_is_finished_first() -> None:
    done = run("""
try:
    with handled():
        with shielded():
            send(signal.SIGINT)
            check()
            print("the frame")
        check()
        print("the next frame")
except Interrupted:
    print("stopped")
""")
    assert (done.stdout, done.stderr) == ("the frame\nstopped\n", "")


def test_handlers_are_as_before_afterwards_and_nothing_is_requested() -> None:
    done = run("""
numbers = (signal.SIGINT, signal.SIGTERM)
before = [signal.getsignal(number) for number in numbers]
with handled():
    with handled():
        send(signal.SIGTERM)
    assert pending().exit_code == 143
print([signal.getsignal(number) for number in numbers] == before, pending())
check()
""")
    assert (done.stdout, done.stderr) == ("True None\n", "")


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    done = run("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
with handled():
    send(signal.SIGINT)
    send(signal.SIGINT)
    check()
    print("goes on")
""")
    assert (done.stdout, done.stderr) == ("goes on\n", "")


@pytest.mark.parametrize("allowed", [1, 2])
def test_the_signal_after_the_request_kills(allowed: int) -> None:
    done = run(f"""
with handled():
    expect({allowed})
    for number in range(5):
        print(number, flush=True)
        send(signal.SIGINT)
""")
    assert done.returncode == -signal.SIGINT
    assert done.stdout.split() == [str(number) for number in range(allowed + 1)]


def test_nothing_is_requested_of_a_program_that_does_not_handle_signals_so() -> None:
    done = run("""
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    send(signal.SIGINT)
except KeyboardInterrupt as error:
    check()
    print(type(error).__name__, pending(), wait_for(lambda: threading.current_thread().name))
""")
    assert (done.stdout, done.stderr) == ("KeyboardInterrupt None MainThread\n", "")


def test_waits_end_at_a_request() -> None:
    done = run("""
from queue import Queue
with handled():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        take(Queue())
    except Interrupted:
        print("queue")
    try:
        wait_for(lambda: time.sleep(600))
    except Interrupted:
        print("work")
    sys.stdout.flush()
    os._exit(0)
""")
    assert (done.stdout, done.stderr) == ("queue\nwork\n", "")


def test_a_wait_ends_at_a_request_that_comes_between_two_looks_or_at_one() -> None:
    done = run("""
from queue import Queue
for number in range(30):
    with handled():
        threading.Timer(0.1 + (number - 15) * 1e-5, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            take(Queue())
        except Interrupted:
            print(number)
""")
    assert (done.stdout.split(), done.stderr) == ([str(number) for number in range(30)], "")


def test_what_is_waited_for_gives_its_result_or_its_error() -> None:
    done = run("""
with handled():
    print(wait_for(lambda: 7))
    try:
        wait_for(lambda: {}["key"])
    except KeyError as error:
        print("KeyError", error)
""")
    assert (done.stdout, done.stderr) == ("7\nKeyError 'key'\n", "")


def test_a_forked_process_dies_of_a_signal_and_the_request_is_not_its_parents() -> None:
    done = run("""
with handled():
    child = os.fork()
    if child == 0:
        time.sleep(600)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pending())
""")
    assert (done.stdout, done.stderr) == ("-15 None\n", "")


def test_a_signal_on_the_way_out_changes_no_exit_code() -> None:
    for attempt in range(12):
        with subprocess.Popen(
            [sys.executable, "-m", "heatprop", "models", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            written = b""
            while not written.rstrip().endswith(b"]"):  # all is written: what is left is to leave
                written += os.read(process.stdout.fileno(), 1 << 16)
            time.sleep(attempt * 0.005)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, b"") or process.returncode == 130
