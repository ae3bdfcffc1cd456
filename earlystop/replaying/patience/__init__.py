"""Every patience at once: the closed form of `Patience` over logged runs.

`Patience.step` decides one check after another, for one value of patience. Over a log there is a
shorter way, which answers all values in one pass. It rests on three observations.

**1. What sets the reference does not depend on the patience.** An improvement is judged against the
reference, and only an improvement moves the reference; the patience never enters. So the epochs
t_1 < t_2 < ... that set the reference are the same for every patience, up to where a run stops.

**2. Patience P stops at the first reference that is followed by P checks without improvement.**
That is at t_j + P, for the first j with t_(j+1) - t_j > P (after the last reference: if the log has
P more checks).

**3. So only record waits matter.** Call w_j the checks without improvement after t_j. If w_j is no
longer than an earlier wait, every patience that it could end has ended earlier. If it is longer
than all before, it ends exactly the values between the longest wait before and itself: an
*interval* of patience values. A run has few of them (each is longer than the one before), and
together they answer every patience.

An example, where lower is better:

    epoch        0    1    2    3    4    5    6    7    8    9
    val_loss   9.0  7.0  7.5  6.0  6.5  6.2  6.1  5.0  5.1  5.2
    reference    *    *         *                   *
    wait         0    0    1    0    1    2    3    0    1    2

The waits are 0, 1, 3 and 2. Records above 0 are 1 (after epoch 1) and 3 (after epoch 3); the 2
after epoch 7 is none. So there are two intervals:

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

**Another best.** What is kept is the best by plain comparison, which may come while the rule waits:
`min_delta` lets a small gain pass by, and the best may even be of another metric. An interval is
then divided where the best changes. With `min_delta=1.5` the references are epochs 0, 1 and 7, and
the wait after epoch 1 is 5. Stopping before epoch 3 keeps 7.0, later 6.0:

>>> intervals(Patience("val_loss", min_delta=1.5))
[(1, 1, 1, 1, 7.0), (2, 5, 1, 3, 6.0)]

**Growth.** With `growth=g` the rule waits for max(P, g * t) checks after an improvement at epoch t.
A wait counts only if it is at least as long as growth asks for, and the stop comes no earlier than
that; `Patience.required_wait` says how long.

**Another rule beside it.** In `Patience(...) | rest`, whichever fires first stops. The scan steps
`rest` along, and cuts the intervals of a run where `rest` ends it.

Improvements are found with the rule's own `improves`, waits are compared with its `required_wait`;
properties hold the outcome to its `step`.

`intervals.py` has the intervals as arrays, `references.py` follows what sets the reference,
`waits.py` turns record waits into intervals, `scan.py` makes the pass over a batch.
"""
