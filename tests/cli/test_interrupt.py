"""Ctrl-C is held back while a batch is stored, once."""

from __future__ import annotations

import signal

import pytest

from agentmem.cli.interrupt import Interrupt


def test_ctrl_c_waits_for_the_end_of_the_batch() -> None:
    interrupt, done = Interrupt(), []

    with interrupt.watching(), pytest.raises(KeyboardInterrupt):
        _store(interrupt, done, presses=1)

    assert done == ["batch"]


def test_a_second_ctrl_c_stops_at_once() -> None:
    interrupt, done = Interrupt(), []

    with interrupt.watching(), pytest.raises(KeyboardInterrupt):
        _store(interrupt, done, presses=2)

    assert done == []


def test_ctrl_c_between_batches_stops_at_once() -> None:
    interrupt = Interrupt()

    with interrupt.watching(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)

    with Interrupt().watching():
        pass

    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    with Interrupt().watching():
        inside = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)

    assert inside is signal.SIG_IGN


def _store(interrupt: Interrupt, done: list[str], presses: int) -> None:
    with interrupt.holding():
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        done.append("batch")
