"""A process is seen to end, told to end, and never taken for another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import earlystop as es
from earlystop.watching.process import Process, signal_named

WAITS = [sys.executable, "-c", "print(flush=True); input()"]
IGNORES = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); input()",
]


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("with_pidfd", [True, False])
def test_a_process_that_is_sent_a_signal_is_seen_to_end(
    with_pidfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    with begun(WAITS) as child:
        process = Process(child.pid)
        assert not process.ended
        assert not process.wait(0)
        assert process.signal(signal.SIGTERM)
        if not with_pidfd:
            child.wait()  # what nobody has waited for has a number still
        assert process.wait(60)
        assert process.ended
        child.wait()
        assert not process.signal(signal.SIGTERM)
        process.close()


def test_a_process_that_ignores_a_signal_is_known_to() -> None:
    with begun(IGNORES) as child:
        process = Process(child.pid)
        assert process.ignores(signal.SIGINT) == sys.platform.startswith("linux")
        assert not process.ignores(signal.SIGTERM)
        child.communicate(b"\n")


def test_a_number_that_no_process_has_is_refused() -> None:
    with pytest.raises(es.RuleError, match="there is no process"):
        Process(2**22 + 1)


@pytest.mark.parametrize("name", ["nonsense", "", "999"])
def test_a_signal_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(es.RuleError, match="there is no signal"):
        signal_named(name)
