"""Reads damaged logs, ledgers, states and rules: each ends well, or with a documented error."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import earlystop as es
from earlystop.checkpoints import read_ledger
from tests.support.mutations import altered, mutated
from tests.support.sample_logs import samples

RULE = (
    es.Patience("loss", 3, growth=0.5)
    | es.Warmup(es.Smoothed(es.Plateau("loss", 3, 0.01), "loss", window=2), epochs=2)
    | ~es.Diverged("loss", 9, mode="min") & es.MaxEpochs(50)
)
LONGEST = 20_000  # characters of an error


def attempt(seed: str) -> str:
    """Damage something that the library reads, and read it; what came of it.

    Any error that is not documented is raised.
    """
    dice = random.Random(seed)
    kind = dice.choices(["log", "ledger", "state", "rule"], [80, 8, 8, 4])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            _ATTEMPTS[kind](dice)
        except _DamagedError:
            return f"{kind}: no longer JSON"
        except es.EarlystopError as error:
            said = len(str(error))
            came = f"{kind}: {type(error).__name__}"
        else:
            return f"{kind}: read"
    if said > LONGEST:
        raise AssertionError(f"an error of {said:,} characters")
    return came


class _DamagedError(Exception):
    """The data is so damaged that it does not reach the library."""


@functools.cache
def _logs() -> tuple[bytes, ...]:
    return tuple(samples())


def _log(dice: random.Random) -> None:
    logs = _logs()
    data = dice.choice(logs)
    if data[:1] in b"{[" and dice.random() < 0.5:
        with contextlib.suppress(ValueError):
            data = json.dumps(altered(dice, json.loads(data))).encode()
    data = data if dice.random() < 0.2 else mutated(dice, data, logs)
    options: dict[str, Any] = {"on_error": dice.choice(["raise", "skip"])}
    if dice.random() < 0.2:
        options["format"] = dice.choice([format.name for format in es.logs.formats()])
    if dice.random() < 0.1:
        options["pattern"] = r"(?P<name>[a-z]{1,9})[=:] ?(?P<value>\S{1,20})"
    history = es.read_history(io.BytesIO(data), **options)
    assert history.runs == len(set(history.names))
    assert history.lengths.max() == history.epochs


@functools.cache
def _ledgers() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "run")
        stopper = es.Stopper(RULE, save=es.Best("loss"))
        with es.Checkpoints(folder, "{epoch}.bin", keep_last=2) as checkpoints:
            for epoch, loss in enumerate([0.9, 0.5, float("nan"), 0.7]):
                best = stopper.step({"loss": loss, "acc": 1.0}).save
                checkpoints.save(
                    lambda path: path.write_bytes(b"weights"),
                    epoch=epoch,
                    metrics={"loss": loss},
                    best=best,
                    state=stopper.state_dict(),
                )
        return ((folder / "checkpoints.json").read_bytes(),)


def _ledger(dice: random.Random) -> None:
    data = dice.choice(_ledgers())
    if dice.random() < 0.5:
        data = json.dumps(altered(dice, json.loads(data))).encode()
    else:
        data = mutated(dice, data, [*_ledgers(), *_logs()])
    with tempfile.TemporaryDirectory() as top:
        Path(top, "checkpoints.json").write_bytes(data)
        read_ledger(top)
        with es.Checkpoints(top, "{epoch}.bin", resume=True):
            pass


@functools.cache
def _states() -> tuple[bytes, ...]:
    stopper = es.Stopper(RULE, save=es.Best("loss"))
    states = [stopper.state_dict()]
    for loss in (0.9, 0.5, float("nan"), 0.7):
        stopper.step({"loss": loss, "acc": 1.0})
        states.append(stopper.state_dict())
    return tuple(json.dumps(state).encode() for state in states)


def _json(dice: random.Random, data: bytes, others: Sequence[bytes]) -> Any:
    """JSON data whose text, or parts, are damaged."""
    if dice.random() < 0.7:
        return altered(dice, json.loads(data))
    try:
        return json.loads(mutated(dice, data, others))
    except (ValueError, RecursionError):
        raise _DamagedError from None


def _state(dice: random.Random) -> None:
    data = _json(dice, dice.choice(_states()), _states())
    stopper = es.Stopper(RULE, save=es.Best("loss"))
    stopper.load_state_dict(data)
    while not stopper.stopped and stopper.epoch < 60:
        stopper.step({"loss": 0.6, "acc": 1.0})


def _rule(dice: random.Random) -> None:
    if dice.random() < 0.5:
        text = repr(RULE).encode()
        es.Rule.from_text(mutated(dice, text, [text]).decode("utf-8", "surrogateescape"))
        return
    form = json.dumps(RULE.to_dict()).encode()
    es.Rule.from_dict(_json(dice, form, [form]))


_ATTEMPTS: dict[str, Callable[[random.Random], None]] = {
    "log": _log,
    "ledger": _ledger,
    "state": _state,
    "rule": _rule,
}
