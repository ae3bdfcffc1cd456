"""Facts of the Trainer that the callback has to know, each in a real training."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import transformers
from earlystop.adapters.transformers import EarlyStoppingCallback

import earlystop as es
from tests.adapters.transformers.trainings import STEPS, Data, trainer_for

CURVE = [1 - 0.05 * min(i // 4, 5) + 0.02 * (i // 4) for i in range(200)]  # best at step 20


def facts(callback: Any, trainer: Any) -> Any:
    stopper = callback.stopper
    best = stopper.best_epoch, stopper.best_step, stopper.best_metrics["eval_loss"]
    return stopper.checks, stopper.reason, callback.stopped_reason, trainer.state.global_step, best


def ours(trainer: Any) -> Any:
    found = trainer.callback_handler.callbacks
    return next(one for one in found if isinstance(one, EarlyStoppingCallback))


def names(folder: Path) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))


RULES: list[dict[str, Any]] = [
    {"early_stopping_patience": 3},
    {"stop": es.Patience("eval_loss", 3), "save": es.Best("eval_loss", min_delta=0.02)},
]


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("arguments", RULES)
def test_a_training_from_any_checkpoint_ends_as_if_never_interrupted(
    arguments: Any, rebuilt: bool, tmp_path: Path
) -> None:
    callback = EarlyStoppingCallback(**arguments)
    trainer = trainer_for(tmp_path, CURVE, callback)
    trainer.train()
    whole = facts(callback, trainer)
    assert whole[3] == 32
    for step in (4, 20, 28):
        how = {"restore_callback_states_from_checkpoint": rebuilt}
        trainer = trainer_for(tmp_path, CURVE, EarlyStoppingCallback(**arguments), **how)
        trainer.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert facts(ours(trainer), trainer) == whole, step


@pytest.mark.parametrize("rebuilt", [False, True])
def test_differs_from_a_checkpoint_of_transformers_own_callback_the_wait_begins_anew(
    rebuilt: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rising = list(range(400))
    theirs = transformers.EarlyStoppingCallback(early_stopping_patience=3)
    trainer_for(tmp_path, rising, theirs, num_train_epochs=2).train()
    how = {"restore_callback_states_from_checkpoint": rebuilt}
    trainer = trainer_for(tmp_path, rising, EarlyStoppingCallback(3), **how)
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)  # theirs does not propagate
    try:
        trainer.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{2 * STEPS}"))
    finally:
        logger.removeHandler(caplog.handler)
    assert "the checkpoint has no state of it, so its wait begins anew" in caplog.text
    assert ours(trainer).early_stopping_patience == 3
    assert ours(trainer).stopper.checks == trainer.state.global_step / STEPS - 2 == 4


def test_the_state_tells_the_wait_as_that_of_transformers() -> None:
    for make in (EarlyStoppingCallback, transformers.EarlyStoppingCallback):
        callback = make(early_stopping_patience=5)
        callback.early_stopping_patience_counter = 3
        state = callback.state()
        assert state["attributes"]["early_stopping_patience_counter"] == 3
        assert make.from_state(state).early_stopping_patience_counter == 3


def test_the_state_in_the_checkpoint_is_plain_json_with_the_rules(tmp_path: Path) -> None:
    callback = EarlyStoppingCallback(**RULES[1])
    trainer_for(tmp_path, CURVE, callback, num_train_epochs=2).train()
    saved = json.loads((tmp_path / "checkpoint-8" / "trainer_state.json").read_text())
    state = saved["stateful_callbacks"]["EarlyStoppingCallback"]
    again = EarlyStoppingCallback.from_state(state)
    assert (again.stopper.stop, again.stopper.save) == (RULES[1]["stop"], RULES[1]["save"])


def test_a_state_of_other_rules_is_refused_unless_only_numbers_changed_and_that_is_asked_for(
    tmp_path: Path,
) -> None:
    trainer_for(tmp_path, CURVE, EarlyStoppingCallback(3)).train()
    last = str(tmp_path / "checkpoint-32")
    for other in (EarlyStoppingCallback(5), EarlyStoppingCallback(stop=es.MaxSteps(99))):
        with pytest.raises(es.StateError):
            trainer_for(tmp_path, CURVE, other).train(resume_from_checkpoint=last)
    callback = EarlyStoppingCallback(5, changed_rules=True)
    trainer = trainer_for(tmp_path, CURVE, callback)
    trainer.train(resume_from_checkpoint=last)
    assert trainer.state.global_step == 40


def test_of_two_callbacks_each_goes_on_with_its_own_state_or_is_refused(tmp_path: Path) -> None:
    def callbacks(*patiences: int, **how: Any) -> list[Any]:
        return [EarlyStoppingCallback(patience, **how) for patience in patiences]

    whole = callbacks(3, 9)
    ends = trainer_for(tmp_path / "whole", CURVE, *whole)
    ends.train()
    first = trainer_for(tmp_path / "parts", CURVE, *callbacks(3, 9), num_train_epochs=3)
    first.train()
    last = str(tmp_path / "parts" / "checkpoint-12")
    for order in ((3, 9), (9, 3)):
        again = callbacks(*order)
        trainer = trainer_for(tmp_path / "parts", CURVE, *again)
        trainer.train(resume_from_checkpoint=last)
        assert trainer.state.global_step == ends.state.global_step
        reasons = {one.early_stopping_patience: one.stopped_reason for one in again}
        assert reasons == {one.early_stopping_patience: one.stopped_reason for one in whole}
        assert {one.stopper.checks for one in again} == {whole[0].stopper.checks}
    changed = callbacks(4, 9, changed_rules=True)
    with pytest.raises(es.StateError, match=r"those of 2 callbacks.*which of them goes on is not"):
        trainer_for(tmp_path / "parts", CURVE, *changed).train(resume_from_checkpoint=last)
    assert changed[0].stopper.checks == 0


def test_a_damaged_state_is_refused_as_a_whole(tmp_path: Path) -> None:
    trainer_for(tmp_path, CURVE, EarlyStoppingCallback(3), num_train_epochs=2).train()
    path = tmp_path / "checkpoint-8" / "trainer_state.json"
    text = path.read_text()
    for entry, value, told in (("step", None, "step should be"), ("stopper", 3, "expected")):
        saved = json.loads(text)
        state = saved["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]["saved"]
        state[entry] = value
        path.write_text(json.dumps(saved))
        callback = EarlyStoppingCallback(3)
        with pytest.raises(es.StateError, match=told):
            trainer_for(tmp_path, CURVE, callback).train(resume_from_checkpoint=str(path.parent))
        assert callback.stopper.checks == 0


def test_a_training_that_had_stopped_ends_after_a_step_and_decides_nothing(tmp_path: Path) -> None:
    callback = EarlyStoppingCallback(3)
    trainer = trainer_for(tmp_path, CURVE, callback)
    trainer.train()
    checks = callback.stopper.checks
    callback = EarlyStoppingCallback(3)
    trainer = trainer_for(tmp_path, CURVE, callback)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-32"))
    assert trainer.state.global_step == 33
    assert callback.stopper.checks == checks


def test_a_checkpoint_without_a_state_begins_anew_and_the_next_has_one(tmp_path: Path) -> None:
    trainer_for(tmp_path, CURVE, num_train_epochs=2).train()
    callback = EarlyStoppingCallback(3)
    trainer = trainer_for(tmp_path, CURVE, callback, num_train_epochs=4)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert callback.stopper.checks == 2
    saved = json.loads((tmp_path / "checkpoint-16" / "trainer_state.json").read_text())
    assert "EarlyStoppingCallback" in saved["stateful_callbacks"]


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [("no", [4, 12, 20]), ("best", [4, 12, 20]), ("epoch", [*range(4, 29, 4)])],
)
def test_save_asks_the_trainer_to_save_and_shares_the_best(
    strategy: str, kept: list[int], tmp_path: Path
) -> None:
    callback = EarlyStoppingCallback(
        stop=es.Patience("eval_loss", 2), save=es.Best("eval_loss", min_delta=0.05)
    )
    loads = strategy != "no"
    how: Any = {"save_strategy": strategy, "load_best_model_at_end": loads}
    trainer = trainer_for(tmp_path, CURVE, callback, **how)
    trainer.train()
    assert names(tmp_path) == kept
    assert callback.stopper.best_step == 20
    if loads:
        assert trainer.state.best_model_checkpoint == str(tmp_path / "checkpoint-20")


def test_the_best_of_the_rules_is_what_is_loaded_and_kept_even_if_it_is_not_the_trainer_s(
    tmp_path: Path,
) -> None:
    # By eval_f1 the best is step 8; by eval_loss, of which the Trainer knows, step 20.
    callback = EarlyStoppingCallback(
        stop=es.Patience("eval_f1", 6, mode="max"), save=es.Best("eval_f1", mode="max")
    )
    trainer = trainer_for(tmp_path, CURVE, callback, save_total_limit=1, num_train_epochs=7)

    class Scores(dict[str, float]):
        def items(self) -> Any:
            return {"f1": 1.0 if trainer.state.global_step == 8 else 0.5}.items()

    trainer.more = Scores()
    trainer.train()
    assert trainer.state.best_global_step == callback.stopper.best_step == 8
    assert names(tmp_path) == [8]


def test_several_sets_are_one_check_with_the_metrics_of_all(tmp_path: Path) -> None:
    callback = EarlyStoppingCallback(
        stop=es.Patience("eval_a_loss", 2) | es.Threshold("eval_b_loss", 0.1)
    )
    how: Any = {"eval_dataset": {"a": Data(2), "b": Data(2), "c": Data(2)}}
    trainer = trainer_for(tmp_path, CURVE, callback, metric_for_best_model="b_loss", **how)
    trainer.train()
    assert trainer.state.global_step == 28
    assert callback.stopper.checks == 7


def test_own_arguments_with_several_sets_follow_the_metric_for_the_best_model(
    tmp_path: Path,
) -> None:
    callback = EarlyStoppingCallback(2)
    how: Any = {"eval_dataset": {"a": Data(2), "b": Data(2)}}
    trainer = trainer_for(tmp_path, CURVE, callback, metric_for_best_model="eval_b_loss", **how)
    trainer.train()
    assert (trainer.state.global_step, callback.stopper.checks) == (28, 7)


def test_a_metric_that_no_set_reports_is_an_error_that_names_those_there_are(
    tmp_path: Path,
) -> None:
    callback = EarlyStoppingCallback(stop=es.Patience("eval_lss", 2, mode="min"))
    with pytest.raises(es.MissingMetricError, match=r"no metric 'eval_lss'.*eval_loss"):
        trainer_for(tmp_path, CURVE, callback).train()


def test_rules_see_the_loss_of_the_training_that_was_logged_last(tmp_path: Path) -> None:
    callback = EarlyStoppingCallback(stop=es.Threshold("loss", 99.0) & es.MaxEpochs(3))
    how: Any = {"logging_strategy": "steps", "logging_steps": 3}
    trainer = trainer_for(tmp_path, CURVE, callback, **how)
    trainer.train()
    assert trainer.state.global_step == 3 * STEPS
    assert "epoch" in callback.stopped_reason


def test_a_loss_of_the_training_that_is_not_logged_yet_is_told_how_to_be_logged(
    tmp_path: Path,
) -> None:
    callback = EarlyStoppingCallback(stop=es.NonFinite("loss") | es.Patience("eval_loss", 2))
    with pytest.raises(
        es.MissingMetricError, match=r"no metric 'loss'.*logging_strategy=\"epoch\""
    ):
        trainer_for(tmp_path, CURVE, callback).train()
    trainer_for(tmp_path, CURVE, callback, logging_strategy="epoch").train()
    assert callback.stopped_reason.startswith("eval_loss has not improved")


def test_checks_within_epochs_say_where_they_stand(tmp_path: Path) -> None:
    callback = EarlyStoppingCallback(stop=es.MaxSteps(6), save=es.Best("eval_loss"))
    how: Any = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "no"}
    trainer = trainer_for(tmp_path, CURVE, callback, load_best_model_at_end=False, **how)
    trainer.train()
    stopper = callback.stopper
    assert (stopper.checks, stopper.epoch, trainer.state.global_step) == (3, 1.5, 6)


def test_two_callbacks_each_decide_and_each_finds_its_own_state(tmp_path: Path) -> None:
    def both() -> list[Any]:
        return [EarlyStoppingCallback(9), EarlyStoppingCallback(3)]

    first = both()
    trainer = trainer_for(tmp_path, CURVE, *first)
    trainer.train()
    assert [one.stopped_reason != "" for one in first] == [False, True]
    again = both()
    trainer = trainer_for(tmp_path, CURVE, *again)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-24"))
    assert [one.stopper.checks for one in again] == [one.stopper.checks for one in first]
    assert trainer.state.global_step == 32


def test_a_shared_stopper_begins_anew_with_each_training(tmp_path: Path) -> None:
    stopper = es.EarlyStopping("eval_loss", patience=2)
    callback = EarlyStoppingCallback(stop=stopper)
    for _ in range(2):
        trainer = trainer_for(tmp_path, CURVE, callback)
        trainer.train()
        assert (stopper.checks, stopper.best_step, trainer.state.global_step) == (7, 20, 28)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eval_strategy": "no", "load_best_model_at_end": False}, "there are none.*eval_strategy"),
        (
            {"metric_for_best_model": None, "load_best_model_at_end": False},
            "needs a metric: pass metric_for_best_model",
        ),
    ],
)
def test_a_training_in_which_nothing_can_be_decided_is_refused_as_it_begins(
    settings: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(es.RuleError, match=message):
        trainer_for(tmp_path, CURVE, EarlyStoppingCallback(3), **settings).train()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"early_stopping_patience": 2, "stop": es.MaxEpochs(3)}, "takes the place of"),
        ({"save": es.Best("loss")}, "goes with `stop="),
        (
            {"early_stopping_patience": "2"},
            r"`EarlyStoppingCallback\(early_stopping_patience=...\)`",
        ),
        (
            {"early_stopping_patience": 2.5},
            r"`EarlyStoppingCallback\(early_stopping_patience=...\)`",
        ),
        ({"early_stopping_threshold": None}, r"`EarlyStoppingCallback\(early_stopping_threshold="),
        ({"stop": {"Nonsense": {}}}, "Nonsense"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_at_once(arguments: Any, message: str) -> None:
    with pytest.raises(es.RuleError, match=message):
        EarlyStoppingCallback(**arguments)
