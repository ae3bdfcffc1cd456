"""Every dial at once: `AdaptivePatience` over logged runs, by the running maximum of its score.

`AdaptivePatience.step` fires when its score reaches the square of its dial. The score does not
depend on the dial, so one pass over a run answers all of them: a dial stops the run at the first
check whose score reaches its square, and these checks can be read off the running maximum of the
score.

For a rising list of dials, the *level* of a run at a check is how many of them have fired by then:
the number of squares that the highest score so far has reached. Where the level rises from a to b,
the dials number a to b - 1 fire. Levels rise rarely, so all that a pass keeps of a run are these
rises.

An example, where lower is better, for the dials 1.5, 2 and 6 (squares 2.25, 4 and 36):

    check        0    1    2    3    4
    val_loss     8    4    4    4    2
    score        1    1    8   36    4
    level        0    0    2    3    3

The level rises twice: the dials 1.5 and 2 stop after check 2, the dial 6 after check 3. All three
keep the 4 of check 1: they form one *span* of levels, 0 to 2, that were reached while check 1 was
the best.

>>> import numpy as np
>>> from earlystop import AdaptivePatience, Best, History, Never
>>> from earlystop.replaying.score.scan import scan_scores
>>> rule = AdaptivePatience("val_loss", 1, min_gain=0, alpha=0.5)
>>> history = History({"val_loss": [8.0, 4.0, 4.0, 4.0, 2.0]})
>>> dials = np.array([1.5, 2.0, 6.0])
>>> ((_, scan),) = scan_scores(rule, dials, Never(), Best("val_loss"), history, slice(0, 1))
>>> [array.tolist() for array in scan.rises]  # lane, first level, level after the last, check
[[0, 0], [0, 2], [2, 3], [2, 3]]
>>> [array.tolist() for array in scan.spans]  # lane, first level, level after the last, best
[[0], [0], [3], [1], [4.0]]

The scores are the rule's own (`follow` and `score`); property tests check the outcome against its
`step`.
"""
