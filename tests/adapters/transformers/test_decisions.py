"""Ours and transformers' own class stop and keep alike: driven as by the Trainer, and in it."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import transformers
from earlystop.adapters.transformers import EarlyStoppingCallback
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState

import earlystop as es
from tests.adapters.peers.curves import any_float, curves, grid, inf, modes, nan
from tests.adapters.transformers.trainings import STEPS, trainer_for


def driven(callback: Any, curve: list[float], mode: str) -> tuple[int, int]:
    """The evaluation of the stop, -1 for none, and the wait at the end."""
    arguments: Any = SimpleNamespace(
        metric_for_best_model="loss",
        greater_is_better=mode == "max",
        load_best_model_at_end=True,
        eval_strategy="epoch",
    )
    state, control = TrainerState(), TrainerControl()
    is_better = np.greater if mode == "max" else np.less
    callback.on_train_begin(arguments, state, control)
    callback.on_epoch_begin(arguments, state, control)
    for epoch, value in enumerate(curve):
        state.global_step, state.epoch = epoch + 1, float(epoch + 1)
        callback.on_evaluate(arguments, state, control, metrics={"eval_loss": value})
        if control.should_training_stop:
            return epoch, callback.early_stopping_patience_counter
        if state.best_metric is None:  # the Trainer moves the best after its callbacks
            state.best_metric = -inf if mode == "max" else inf
        if is_better(value, state.best_metric):
            state.best_metric = value
    return -1, callback.early_stopping_patience_counter


@given(
    curve=curves(st.one_of(any_float, grid, st.sampled_from([nan, inf, -inf]))),
    patience=st.integers(0, 6),
    threshold=st.sampled_from([0.0, 0.125, 0.1, 1e-4]),
    mode=modes,
)
@settings(max_examples=300)
def test_ours_stops_where_transformers_s_does_with_any_of_its_arguments(
    curve: list[float], patience: int, threshold: float, mode: str
) -> None:
    ours = driven(EarlyStoppingCallback(patience, threshold), curve, mode)
    theirs = driven(transformers.EarlyStoppingCallback(patience, threshold), curve, mode)
    assert ours[0] == theirs[0]
    assert patience == 0 or ours == theirs


@pytest.mark.parametrize("seed", range(8))
def test_ours_ends_real_trainings_where_transformers_s_does(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    curve = [max(0.3, 1 - i / 30) + draw.randrange(64) / 320 for i in range(200)]
    how = [{}, {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps"}][seed % 2]
    how = {**how, **({"save_steps": 3} if how else {}), "num_train_epochs": 10}
    arguments = draw.randint(1, 3), draw.choice([0.0, 0.05])
    seen = []
    for cls in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        folder = tmp_path / cls.__module__
        callback = cls(*arguments)
        trainer = trainer_for(folder, curve, callback, **how)
        trainer.train()
        state = trainer.state
        best = Path(str(state.best_model_checkpoint)).name
        wait = callback.early_stopping_patience_counter
        seen.append((state.global_step, state.best_metric, best, wait))
    assert seen[0] == seen[1]


CURVE = [1 - i / 100 for i in range(20)] + [1.0] * 200  # the best is that of step 16 or 19


def test_differs_an_evaluation_before_or_after_the_training_is_none(tmp_path: Path) -> None:
    # `eval_on_start` finds 0 then: nothing is better.
    counts = []
    for cls in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        callback = cls(3)
        how: Any = {"eval_on_start": True, "num_train_epochs": 3}
        trainer = trainer_for(tmp_path / cls.__module__, CURVE, callback, **how)
        trainer.train()
        trainer.evaluate()
        counts.append(callback.early_stopping_patience_counter)
        if cls is EarlyStoppingCallback:
            assert callback.stopper.checks == 3
    assert counts == [0, 1]


def test_each_training_begins_anew_as_with_transformers_s_own(tmp_path: Path) -> None:
    steps = []
    for cls in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        callback = cls(2)
        trainer = trainer_for(tmp_path / cls.__module__, CURVE, callback)
        for _ in range(2):
            trainer.train()
            steps.append(trainer.state.global_step)
    assert steps == [6 * STEPS, 6 * STEPS, 6 * STEPS, 6 * STEPS]


def test_differs_a_missing_metric_is_an_error_where_transformers_never_stops() -> None:
    arguments: Any = SimpleNamespace(
        **{"metric_for_best_model": "acc", "greater_is_better": True},
        **{"load_best_model_at_end": True, "eval_strategy": "epoch"},
    )

    def evaluate(callback: Any) -> TrainerControl:
        state, control = TrainerState(), TrainerControl()
        callback.on_train_begin(arguments, state, control)
        for step in (1, 2):
            state.global_step, state.epoch = step, float(step)
            callback.on_epoch_begin(arguments, state, control)
            callback.on_step_begin(arguments, state, control)
            callback.on_evaluate(arguments, state, control, metrics={"eval_loss": 1.0})
            callback.on_epoch_begin(arguments, state, control)
        return control

    assert not evaluate(transformers.EarlyStoppingCallback(1)).should_training_stop
    with pytest.raises(es.MissingMetricError, match="eval_acc"):
        evaluate(EarlyStoppingCallback(1))


def test_differs_a_checkpoint_of_other_rules_is_refused(tmp_path: Path) -> None:
    for cls in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        folder = tmp_path / cls.__module__
        trainer_for(folder, CURVE, cls(3), num_train_epochs=5).train()
        callback = cls(9)
        trainer = trainer_for(folder, CURVE, callback, restore_callback_states_from_checkpoint=True)
        where = str(folder / f"checkpoint-{5 * STEPS}")
        if cls is transformers.EarlyStoppingCallback:
            trainer.train(resume_from_checkpoint=where)
            assert trainer.state.global_step == 7 * STEPS  # by the patience of the checkpoint
            continue
        trainer = trainer_for(folder, CURVE, callback)
        with pytest.raises(es.StateError, match="3"):
            trainer.train(resume_from_checkpoint=where)


def test_differs_the_wait_goes_on_where_training_is_resumed(tmp_path: Path) -> None:
    steps = []
    for cls in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        folder = tmp_path / cls.__module__
        trainer_for(folder, CURVE, cls(3), num_train_epochs=6).train()
        trainer = trainer_for(folder, CURVE, cls(3))
        trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{6 * STEPS}"))
        steps.append(trainer.state.global_step)
    assert steps == [7 * STEPS, 9 * STEPS]
