"""The sizes of work: how many runs, epochs and settings are taken at a time.

No decision depends on them. They trade speed for memory, and were chosen by measuring
(`benchmarks/speed/`); tests set small ones so that small histories cross every border.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]

MIB = 2**20


@dataclass(frozen=True)
class Tuning:
    """Sizes of work.

    runs_per_batch, epochs_per_block: runs that are stepped together, and epochs that are laid out
        for them at a time. Enough to make little of the cost of a call, few enough for the cache.
    metrics_per_block: a block of this many metrics is that long; with more metrics it is shorter.
    runs_per_tile: runs that are transposed at a time, so that their cache lines are used whole.
    dense_share: where a smaller share of the runs is still going, the others are dropped.
    window_bytes: what the states of interpreted rules (windows) may take before a batch is halved.
    many_share: where a larger share of runs improves at an epoch, all are updated, none picked out.
    intervals: intervals of patience that are kept for one scan before its batch is halved.
    references: references that are tracked in one scan: runs times rules.
    notes: waits that are noted before they become intervals, which take less memory.
    few_runs: below this, a replay steps run by run.
    few_steps: below this many settings times runs, a sweep steps run by run.
    rules_together: rules that are stepped in one pass over a batch.
    families_together: settings that differ in more than patience and share one scan.
    kept_bytes: outcomes that a sweep keeps for its arrays; beyond that it works them out again.
    quantile_bytes: the rows that quantiles are computed from, at a time.
    intervals_at_a_time: intervals that are summed up or written out at a time.
    table_entries: the size of a table that finds settings by their patience; beyond, a search does.
    cells_checked: cells of a history that are searched for missing metrics at a time.
    """

    runs_per_batch: int = 16_384
    epochs_per_block: int = 64
    metrics_per_block: int = 2
    runs_per_tile: int = 512
    dense_share: float = 0.6
    window_bytes: int = 20 * MIB
    many_share: float = 1 / 4
    intervals: int = 1_200_000
    references: int = 100_000
    notes: int = 65_536
    few_runs: int = 24
    few_steps: int = 100
    rules_together: int = 32
    families_together: int = 16
    kept_bytes: int = 12 * MIB
    quantile_bytes: int = 16 * MIB
    intervals_at_a_time: int = 65_536
    table_entries: int = 2**19
    cells_checked: int = 2**20


DEFAULT = Tuning()
