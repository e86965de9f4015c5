"""Stop signals are remembered until the step is done; the second one is obeyed at once."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from lightning_fabric import Fabric

from vidgen.adversarial.signals import StopSignals

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="only the main thread of a process may handle signals",
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_remembered_and_the_handlers_come_back(number: signal.Signals):
    fabric = Fabric(accelerator="cpu", devices=1)
    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    with StopSignals() as signals:
        assert not signals.received(fabric)
        assert signals.name == ""
        os.kill(os.getpid(), number)
        assert signals.received(fabric)
        assert signals.name == number.name
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_leaves_at_once(second: signal.Signals):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), second)
        pytest.fail("it went on after the second signal")
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_there_is_nothing_to_handle():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def enter() -> None:
        with StopSignals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
