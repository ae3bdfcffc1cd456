"""`earlystop demo`: watch a small network over-fit, and see what stopping in time is worth.

A network with one hidden layer of five units learns handwritten digits (scikit-learn's bundled
set) from 700 samples, three times from the same seed: never stopped, stopped at the first epoch
that does not improve (patience 0), and after 20 epochs without improvement (patience 20). A folder
keeps the best models, the history and a picture. At the end, the decisions are replayed from the
history of the run that was never stopped.

The default seed is one where validation loss pauses on its way down, as in the tutorial this
follows; other seeds over-fit as well, but may forgive a patience of 0.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from ._files.atomic import write_whole
from ._files.paths import local_path
from .adapters.loop import EpochLoop
from .engine.early_stopping import EarlyStopping
from .engine.stopper import Stopper
from .history.history import History
from .plotting import LINE_STYLES, draw_metric, legend_below, mark_stop, picture, styled
from .plotting.style import FAINT
from .replaying.replay import replay
from .rules import Best, Never

__all__ = ["run_demo"]

_TRAINING, _VALIDATION = 700, 300
_MONITOR = "val_loss"

Samples = tuple[Any, Any]


@dataclass(frozen=True)
class _Run:
    """One way of training, and its result."""

    name: str
    stopper: Stopper
    history: dict[str, list[float | None]]
    reason: str
    last_accuracy: float
    kept_accuracy: float
    kept: Path


def run_demo(folder: Path, *, epochs: int = 600, seed: int = 11, progress: bool = True) -> bool:
    """Run the demonstration: write its files into `folder`, and print the results.

    Returns whether the replayed decisions are the live ones. Raises OSError if the folder cannot be
    written.
    """
    folder = local_path(folder, "the folder of the demonstration")
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    training, validation, test = _samples(seed)
    console.print(
        f"A network of 5 hidden units learns digits from {_TRAINING} samples, three times from "
        f"seed {seed}; {_VALIDATION} samples validate, {len(test[1])} test.\n"
    )
    stoppers = {
        "never stopped": Stopper(Never(), save=Best(_MONITOR)),
        "patience 0": EarlyStopping(_MONITOR, patience=0),
        "patience 20": EarlyStopping(_MONITOR, patience=20),
    }
    runs = [
        _train(name, stopper, (training, validation, test), folder, epochs, seed, progress)
        for name, stopper in stoppers.items()
    ]
    for run in runs:
        console.print(f"[bold]{run.name}[/]: {run.reason}", highlight=False, soft_wrap=True)
    console.print()
    console.print(_table(runs, epochs))
    same = _replayed(runs, console)
    history_path = write_whole(folder / "history.csv", _csv(runs[0].history))
    picture_path = write_whole(folder / "history.png", _picture(runs))
    console.print()
    for path in (history_path, picture_path, *(run.kept for run in runs)):
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    return same


def _samples(seed: int) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples, shuffled."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(digits))
    indices = np.split(order, [_TRAINING, _TRAINING + _VALIDATION])
    training, validation, test = ((images[i] / 16, digits[i]) for i in indices)
    return training, validation, test


def _train(
    name: str,
    stopper: Stopper,
    samples: tuple[Samples, Samples, Samples],
    folder: Path,
    epochs: int,
    seed: int,
    progress: bool,
) -> _Run:
    """Train until the stopper stops; keep the best weights in the folder."""
    training, validation, test = samples
    network = _network(seed)
    path = folder / f"best-{name.replace(' ', '-')}.npz"
    last_accuracy = 0.0

    def save(epoch: int, metrics: dict[str, float]) -> Path:
        return write_whole(path, _weights(network))

    def restore(kept: Path) -> None:
        nonlocal last_accuracy
        last_accuracy = _evaluated(network, test)[1]
        _load_weights(network, kept)

    with EpochLoop(
        stopper, max_epochs=epochs, save=save, restore=restore, progress=progress
    ) as loop:
        for _ in loop:
            network.partial_fit(*training, classes=np.arange(10))
            loss, accuracy = _evaluated(network, training)
            val_loss, val_accuracy = _evaluated(network, validation)
            loop.report(loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy)
    return _Run(
        name=name,
        stopper=stopper,
        history=loop.history,
        reason=loop.reason,
        last_accuracy=last_accuracy,
        kept_accuracy=_evaluated(network, test)[1],
        kept=path,
    )


def _network(seed: int) -> MLPClassifier:
    """A small network with random weights."""
    return MLPClassifier(
        hidden_layer_sizes=(5,),
        solver="sgd",
        learning_rate_init=0.2,
        momentum=0,
        alpha=0,
        batch_size=20,
        random_state=seed,
    )


def _weights(network: MLPClassifier) -> bytes:
    """The weights of a network, as an .npz file."""
    arrays = {
        **{f"weights{i}": weights for i, weights in enumerate(network.coefs_)},
        **{f"biases{i}": biases for i, biases in enumerate(network.intercepts_)},
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _load_weights(network: MLPClassifier, path: Path) -> None:
    """Load the weights that `_weights` made."""
    with np.load(path) as arrays:
        layers = range(len(network.coefs_))
        network.coefs_ = [arrays[f"weights{i}"] for i in layers]
        network.intercepts_ = [arrays[f"biases{i}"] for i in layers]


def _evaluated(network: Any, samples: Samples) -> tuple[float, float]:
    """Cross-entropy and accuracy."""
    inputs, digits = samples
    chances = network.predict_proba(inputs)
    of_digit = chances[np.arange(len(digits)), digits]
    loss = -np.log(np.maximum(of_digit, np.finfo(float).tiny)).mean()
    return float(loss), float((chances.argmax(axis=1) == digits).mean())


def _table(runs: list[_Run], epochs: int) -> Table:
    table = Table(
        title="What stopping in time is worth",
        caption="Epochs count from 0. Saved: share of the epochs. Accuracy: of the last model "
        "and of the one kept, on the test samples.",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    for heading in (
        "run",
        "epochs\nrun",
        "\nsaved",
        "best\nepoch",
        "val_loss\nbest",
        "val_loss\nlast",
        "accuracy\nlast",
        "accuracy\nkept",
    ):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    for run in runs:
        taken = run.stopper.checks
        table.add_row(
            run.name,
            str(taken),
            f"{1 - taken / epochs:.0%}",
            str(run.stopper.best_check),
            f"{run.stopper.best:.4f}",
            f"{run.history[_MONITOR][-1]:.4f}",
            f"{run.last_accuracy:.4f}",
            f"{run.kept_accuracy:.4f}",
        )
    return table


def _replayed(runs: list[_Run], console: Console) -> bool:
    """Replay the decisions from the history of the run that was never stopped."""
    history = History.from_runs([runs[0].history])
    console.print("\nReplayed from the history of the run that was never stopped:")
    all_same = True
    for run in runs[1:]:
        result = replay(run.stopper, history)
        live = (run.stopper.checks, run.stopper.best_check)
        again = (int(result.checks[0]), int(result.saved_check[0]))
        all_same &= live == again
        console.print(
            f"  {run.name}: {again[0]} epochs, best epoch {again[1]}; "
            f"live {live[0]} and {live[1]}: {'the same' if live == again else 'DIFFERENT'}",
            highlight=False,
        )
    return all_same


def _csv(history: dict[str, list[float | None]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *history])
    writer.writerows(
        [epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True))
    )
    return text.getvalue().encode()


def _picture(runs: list[_Run]) -> bytes:
    """Loss and accuracy of the run that was never stopped, with each run's stop and best."""
    history = runs[0].history
    with styled():
        figure = Figure(figsize=(9, 7), layout="constrained")
        loss_axes, accuracy_axes = figure.subplots(2, 1, sharex=True)
        for axes, name, label in (
            (loss_axes, "loss", "loss (cross-entropy)"),
            (accuracy_axes, "accuracy", "accuracy"),
        ):
            draw_metric(axes, history[name], label="training", color=FAINT, ls="--")
            draw_metric(axes, history[f"val_{name}"], label="validation")
            axes.set_ylabel(label)
            for level, (run, style) in enumerate(zip(runs[1:], LINE_STYLES, strict=False)):
                best, last = run.stopper.best_check or 0, run.stopper.checks - 1
                text = f"{run.name}: stops after epoch {last}"
                mark_stop(axes, last, style, level, label=text)
                axes.plot(
                    best,
                    history[f"val_{name}"][best],
                    style.marker,
                    color=style.color,
                    mfc="none",
                    mew=1.6,
                    ms=9,
                    label=f"{run.name}: best (epoch {best})",
                )
        title = "The run that was never stopped, and where two rules would have been"
        loss_axes.set_title(title, loc="left", pad=28)
        loss_axes.set_ylim(bottom=0)
        accuracy_axes.set_xlabel("epoch (the first is 0)")
        legend_below(accuracy_axes)
        return picture(figure)
