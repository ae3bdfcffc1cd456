"""`earlystop demo`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["demo"]


@click.command(short_help="Watch a small network over-fit, and stop it.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("earlystop-demo"),
    show_default=True,
    help="Folder for the history, the picture and the best models.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=600,
    show_default=True,
    help="How long the run that is never stopped lasts.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    default=11,
    show_default=True,
    help="Of the samples and the first weights.",
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
def demo(out: Path, epochs: int, seed: int, quiet: bool) -> None:
    """Train a small network that over-fits; stop it in time, and keep the best."""
    try:
        from ..demo import run_demo
    except ImportError as error:
        raise click.ClickException(
            f"the demo needs {error.name}: pip install scikit-learn matplotlib tqdm"
        ) from error
    try:
        same = run_demo(out, epochs=epochs, seed=seed, progress=not quiet)
    except OSError as error:
        raise click.ClickException(f"cannot write to {out}: {error}") from error
    if not same:
        raise click.ClickException("the replayed decisions differ from the live ones")
