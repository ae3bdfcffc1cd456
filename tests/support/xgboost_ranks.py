"""One worker of a distributed training of XGBoost, for tests of its adapter.

Run as `python xgboost_ranks.py FOLDER ARGUMENTS`, those of the tracker as JSON; writes
FOLDER/RANK.json. Each worker has rows of its own, and its own values of the custom metric.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from earlystop.adapters.xgboost import EarlyStopping
from xgboost import collective

import earlystop as es

TURNING = [5.0, 3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]  # of worker 0: best in round 2
SETTINGS = {"objective": "binary:logistic", "nthread": 1, "max_depth": 2, "eta": 0.5}


def train(callback: Any, rounds: int = 60, model: Any = None, metric: Any = None) -> Any:
    rng = np.random.default_rng(collective.get_rank())
    x = rng.normal(size=(200, 4))
    y = x[:, 0] + rng.normal(size=200) > 0
    data, valid = xgboost.DMatrix(x[:100], y[:100]), xgboost.DMatrix(x[100:], y[100:])
    how: Any = {"evals": [(valid, "valid")], "callbacks": [callback], "verbose_eval": False}
    return xgboost.train(SETTINGS, data, rounds, xgb_model=model, custom_metric=metric, **how)


def own_values() -> Any:
    """A custom metric in which the workers differ. XGBoost gives all of them the mean."""
    calls = iter(range(len(TURNING)))

    def metric(predicted: Any, data: Any) -> tuple[str, float]:
        time.sleep(0.02)
        return "own", TURNING[next(calls)] + 10 * collective.get_rank()

    return metric


def told(model: Any, callback: Any) -> list[Any]:
    return [model.num_boosted_rounds(), model.best_iteration, callback.stopped_reason]


def results() -> dict[str, Any]:
    seen = {}
    own = EarlyStopping(rounds=5)
    seen["own arguments"] = told(train(own), own)
    theirs = xgboost.callback.EarlyStopping(rounds=5)
    model = train(theirs)
    seen["theirs"] = [model.num_boosted_rounds(), model.best_iteration]
    again = EarlyStopping(rounds=5)
    first = train(EarlyStopping(rounds=5), rounds=3)
    seen["resumed"] = told(train(again, model=first), again)
    name = "valid-own"
    rules = EarlyStopping(stop=es.Patience(name, 3, mode="min"), save=es.Best(name, mode="min"))
    seen["own values"] = told(train(rules, len(TURNING), metric=own_values()), rules)
    timed = EarlyStopping(stop=es.TimeLimit(0.1), save=es.Best(name, mode="min"))
    seen["timed"] = train(timed, len(TURNING), metric=own_values()).num_boosted_rounds()
    return seen


def main() -> None:
    folder, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
    with collective.CommunicatorContext(**arguments):
        text = json.dumps(results())
        (folder / f"{collective.get_rank()}.json").write_text(text)


if __name__ == "__main__":
    main()
