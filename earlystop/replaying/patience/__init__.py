"""Every patience at once: the closed form of `Patience` over logged runs.

`Patience.step` decides one check after another, for one value of patience. For a log there is a
faster way, which answers all values in one pass. It rests on three observations.

**1. Which epochs set the reference does not depend on the patience.** An epoch is compared with the
reference, and only an improvement moves the reference; the patience plays no part. So the epochs
t_1 < t_2 < ... that set the reference are the same for every patience, up to where a run stops.

**2. Patience P stops at the first reference that is followed by P checks without improvement.**
That is at t_j + P, for the first j with t_(j+1) - t_j > P (after the last reference: if the log has
P more checks).

**3. So only record waits matter.** Let w_j be the number of checks without improvement after t_j.
If w_j is no longer than an earlier wait, every patience up to w_j has stopped before. If it is
longer than all earlier waits, it stops exactly the values above the longest of them, up to w_j: an
*interval* of patience values. A run has few of these (each wait is longer than the previous
record), and together they answer every patience.

An example, where lower is better:

    epoch        0    1    2    3    4    5    6    7    8    9
    val_loss   9.0  7.0  7.5  6.0  6.5  6.2  6.1  5.0  5.1  5.2
    reference    *    *         *                   *
    wait         0    0    1    0    1    2    3    0    1    2

The waits are 0, 1, 3 and 2. The records above 0 are 1 (after epoch 1) and 3 (after epoch 3); the 2
after epoch 7 is not a record. So there are two intervals:

    patience    reference   stops at epoch      best so far
    1           1           1 + 1 = 2           7.0 (epoch 1)
    2 to 3      3           3 + P = 5 or 6      6.0 (epoch 3)
    4 and more  -           never               5.0 (epoch 7)

>>> from earlystop import Best, History, Never, Patience
>>> from earlystop.replaying.patience.scan import scan_patience
>>> losses = [9.0, 7.0, 7.5, 6.0, 6.5, 6.2, 6.1, 5.0, 5.1, 5.2]
>>> def intervals(rule):
...     history, best = History({"val_loss": losses}), Best("val_loss")
...     ((_, scan),) = scan_patience([rule], Never(), best, history, slice(0, 1))
...     found = scan.intervals
...     return list(zip(*(a.tolist() for a in (found.first, found.last, found.reference_epoch,
...                                            found.best_epoch, found.best))))
>>> intervals(Patience("val_loss"))
[(1, 1, 1, 1, 7.0), (2, 3, 3, 3, 6.0)]

**A best other than the reference.** The best is found by plain comparison, so it may change while
the rule waits: `min_delta` ignores small improvements, and the best may even be of another metric.
An interval is then split where the best changes. With `min_delta=1.5` the references are epochs 0,
1 and 7, and the wait after epoch 1 is 5. Stopping before epoch 3 keeps 7.0, later 6.0:

>>> intervals(Patience("val_loss", min_delta=1.5))
[(1, 1, 1, 1, 7.0), (2, 5, 1, 3, 6.0)]

**Growth.** With `growth=g` the rule waits for max(P, g * t) checks after an improvement at epoch t.
A wait counts only if it reaches the length that growth requires, and the run stops no earlier;
`Patience.required_wait` computes that length.

**What counts as an improvement.** In the text above, "sets the reference" means that the epoch ends
the wait. Where the reference itself moves on other epochs, too, or a value is taken without
comparison, the patience plays no part either, so all settings of `Improvement` are answered alike.
A NaN that is skipped is no check: runs that have one are stepped. A `gate` holds improvements back
(`held_waits.py`). With a `cooldown` the waits depend on when the rule fired, and with it on the
patience: it is stepped.

**Combined with another rule.** In `Patience(...) | rest`, the first rule to fire stops the run. The
scan also steps `rest`, and cuts the intervals of a run where `rest` ends it.

Improvements are found by the rule's own `judge` and `improves`, and waits are compared with its
`required_wait`; property tests check the outcome against its `step`.

`intervals.py` stores the intervals as arrays, `references.py` tracks the references, `waits.py`
turns record waits into intervals, with `held_waits.py` for those behind a gate, `scan.py` makes the
pass over a batch.
"""
