"""Tuning constants: how many runs, epochs and settings are processed at a time.

No decision depends on them. They trade speed for memory, and were chosen by measurement
(`benchmarks/speed/`). Tests use small values so that small histories cross every boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]

MIB = 2**20


@dataclass(frozen=True)
class Tuning:
    """How much work is done at a time.

    runs_per_batch: runs that are stepped together.
    most_padding: cells beyond the ends of runs, as a multiple of the others; with more, runs are
        put in batches by their length.
    padding_ignored: this number of cells beyond the ends of runs is never too many.
    epochs_per_block: epochs that are transposed at a time. Both are large enough to make the cost
        of a call negligible, and small enough for the cache.
    metrics_per_block: with more metrics than this, blocks are shorter than `epochs_per_block`.
    runs_per_tile: runs that are transposed at a time, so that whole cache lines are used.
    dense_share: if a smaller share of the runs is still needed, the others are dropped.
    window_bytes: the memory for the windows of interpreted rules; beyond it, a batch is halved.
    many_share: if a larger share of runs improves at an epoch, all are updated by a mask: with
        less, a mask is true in places that no processor predicts.
    intervals: intervals of patience kept in one scan; beyond it, its batch is halved.
    references: references tracked in one scan (runs times rules).
    rises: rises of levels kept in one scan; beyond it, its batch is halved.
    runs_apart: at least this number of runs without NaN and infinity are scanned apart from the
        others, which is faster.
    stops: epochs at which dials stop runs, as many as are worked out at a time.
    notes: record waits that are noted before they are converted to intervals, which are smaller.
    few_runs: with fewer runs, a replay steps run by run.
    few_steps: with fewer settings times runs, a sweep steps run by run.
    rules_together: rules that are stepped in one pass over a batch.
    families_together: families of settings that share one scan.
    kept_bytes: the memory for outcomes that a sweep keeps for its arrays; beyond it, they are
        computed again.
    quantile_bytes: the memory for the rows from which quantiles are computed.
    intervals_at_a_time: intervals that are added to totals or written to columns at a time.
    table_entries: the largest table that maps a patience to its settings; beyond it, they are
        found by binary search.
    cells_checked: cells of a history that are searched for missing metrics at a time.
    """

    runs_per_batch: int = 16_384
    most_padding: int = 3
    padding_ignored: int = 2**22
    epochs_per_block: int = 64
    metrics_per_block: int = 2
    runs_per_tile: int = 512
    dense_share: float = 0.6
    window_bytes: int = 20 * MIB
    many_share: float = 3 / 4
    intervals: int = 1_200_000
    references: int = 100_000
    rises: int = 1_200_000
    runs_apart: int = 1_000
    stops: int = 2**20
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
