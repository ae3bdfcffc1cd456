"""What tools call the epoch, the step and the time of a row."""

from __future__ import annotations

import functools

__all__ = ["CLOCKS", "EPOCHS", "INNER", "RUNTIMES", "STEPS", "plain_name"]

# The columns that count rows, in order of preference. Names are compared as `plain_name` has them.
STEPS = (
    *("global_step", "trainer/global_step", "step", "_step", "iteration", "iterations"),
    *("training_iteration", "iter", "num_iterations", "num_iters", "numiters", "current_steps"),
    *("total_timesteps", "timesteps_total", "total_env_steps", "totalenvinteracts"),
    *("boosting_round", "round", "generation", "update", "updates", "num_updates"),
)


EPOCHS = ("epoch", "epochs", "epoch_id", "epoch_num", "trainer/epoch")


# Those that may count from the start of each epoch, or name an amount: the steps of an episode.
INNER = ("iters", "n_iter", "batch", "batch_idx", "steps", "timesteps")


# The time of day, and the time since the run began; in seconds.
CLOCKS = ("wall_time", "walltime", "timestamp", "_timestamp")
RUNTIMES = ("_runtime",)


# Those that count rows in any namespace, such as rollout/ or time/.
_IN_NAMESPACES = frozenset(
    ("total_timesteps", "timesteps_total", "training_iteration", "global_step")
)


@functools.lru_cache(4096)
def plain_name(name: str) -> str:
    """The name of a coordinate in one spelling: in lower case, with underscores.

    >>> plain_name("Wall time"), plain_name("time/total_timesteps"), plain_name("Epoch")
    ('wall_time', 'total_timesteps', 'epoch')
    """
    name = "_".join(name.lower().split())
    last = name.rpartition("/")[2]
    return last if last in _IN_NAMESPACES or name == "time/iterations" else name
