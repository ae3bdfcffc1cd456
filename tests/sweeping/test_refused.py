"""What cannot be swept is refused with the way out."""

from typing import Any

import pytest

import earlystop as es
from tests.sweeping.swept import sweep

REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "an unknown field": (
        lambda h: sweep(es.Patience("loss"), h, patients=[1]),
        ValueError,
        "`sweep`: Patience('loss', mode='min') has no field 'patients': available fields:",
    ),
    "a field of two parts": (
        lambda h: sweep(es.Patience("loss") | es.Patience("acc"), h, patience=[1]),
        ValueError,
        "`sweep`: 'patience' is ambiguous in Patience('loss', mode='min') | Patience('acc', "
        "mode='max'): name one of '0.patience', '1.patience',",
    ),
    "a part that is not there": (
        lambda h: sweep(es.Patience("loss"), h, **{"3.patience": [1]}),
        ValueError,
        "`sweep`: Patience('loss', mode='min') has no field '3.patience'",
    ),
    "no grid": (
        lambda h: sweep(es.Patience("loss"), h),
        ValueError,
        "`sweep` needs at least one field, with at least one value each",
    ),
    "an empty axis": (
        lambda h: sweep(es.Patience("loss"), h, patience=[]),
        ValueError,
        "`sweep` needs at least one field, with at least one value each",
    ),
    "one value": (
        lambda h: sweep(es.Patience("loss"), h, patience=5),
        TypeError,
        "`sweep(patience=...)` must be a sequence of values, got 5",
    ),
    "a name for a sequence": (
        lambda h: sweep(es.Patience("loss"), h, monitor="loss"),
        TypeError,
        "`sweep(monitor=...)` must be a sequence of values, got 'loss'",
    ),
    "a field twice": (
        lambda h: sweep(es.Patience("loss") | es.Never(), h, patience=[1], **{"0.patience": [2]}),
        ValueError,
        "`sweep`: 'patience' and '0.patience' change the same part of",
    ),
    "a rule and what is in it": (
        lambda h: sweep(
            es.Warmup(es.Patience("loss"), 1), h, rule=[es.Patience("acc")], patience=[2]
        ),
        ValueError,
        "`sweep`: 'rule' and 'patience' change the same part of",
    ),
    "a value that makes no sense": (
        lambda h: sweep(es.Patience("loss"), h, patience=[1, -1]),
        ValueError,
        "`Patience(patience=...)` must be a whole number of at least 0, got -1",
    ),
    "nothing to be best at": (
        lambda h: sweep(es.MaxEpochs(3), h, n=[1, 2]),
        ValueError,
        "`sweep`: MaxEpochs(1) does not say which metric should be best: pass "
        "save=Best('val_loss', mode='min')",
    ),
    "a best rule with a min_delta": (
        lambda h: sweep(es.MaxEpochs(3), h, n=[1], save=es.Best("loss", min_delta=0.1)),
        TypeError,
        "`sweep(save=...)` must be a Best without min_delta",
    ),
    "a stopper": (
        lambda h: sweep(es.EarlyStopping("loss"), h, patience=[1]),
        TypeError,
        "`sweep(rule)` must be a rule, such as Patience('val_loss'), got Stopper(",
    ),
    "no history": (
        lambda h: sweep(es.Patience("loss"), {"loss": [1.0]}, patience=[1]),
        TypeError,
        "`sweep` takes a History, or several, got dict",
    ),
    "a metric that is not there": (
        lambda h: sweep(es.Patience("val_loss"), h, patience=[1]),
        KeyError,
        "Patience('val_loss', patience=1, mode='min') asks for 'val_loss', but no epoch",
    ),
    "a gap, where none is allowed": (
        lambda h: sweep(es.Patience("loss", 9), h, on_missing="raise", min_delta=[0.1]),
        KeyError,
        "no metric 'loss' at epoch 1 of 'run 0'",
    ),
    "no workers": (
        lambda h: sweep(es.Patience("loss"), h, workers=0, patience=[1]),
        ValueError,
        "`sweep(workers=...)` must be a whole number of at least 1, got 0",
    ),
    "another way with gaps": (
        lambda h: sweep(es.Patience("loss"), h, on_missing="warn", patience=[1]),
        ValueError,
        "`sweep(on_missing=...)` must be one of 'raise', 'skip', got 'warn'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_swept_is_refused(what: str) -> None:
    make, kind, text = REFUSED[what]
    history = es.History({"loss": [[3.0, None, 1.0]], "acc": [[0.1, 0.2, 0.3]]})
    with pytest.raises(kind) as caught:
        make(history)
    assert str(caught.value).startswith(text)
    assert isinstance(caught.value, es.EarlystopError)
