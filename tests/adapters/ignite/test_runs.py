"""Ignite's runs under rules: what they see, what is kept, and how a run goes on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from earlystop.adapters.ignite import EarlyStopping
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, global_step_from_engine

import earlystop as es
from tests.adapters.ignite.runs import engines, quiet, score, train

CURVE = [0.9, 0.5, 0.7, 0.4, 0.6, 0.6, 0.6, 0.6]


def by_rule(trainer: Engine) -> EarlyStopping:
    return EarlyStopping(trainer=trainer, stop=es.Patience("nll", 3), save=es.Best("nll"))


def test_rules_look_at_the_metrics_of_the_evaluator_and_of_the_trainer() -> None:
    def make(trainer: Engine) -> EarlyStopping:
        trainer.state.metrics["loss"] = 0.1
        trainer.add_event_handler(
            Events.STARTED, lambda: trainer.state.metrics.update(loss=torch.tensor(0.1))
        )
        stop = es.Patience("nll", 3) | es.NonFinite("loss")
        return EarlyStopping(trainer=trainer, stop=stop, save=es.Best("nll"))

    epochs, handler = train(CURVE, make, "nll")
    assert epochs == 7
    assert handler.stopper.best_metrics["loss"] == pytest.approx(0.1)


def test_metrics_that_no_rule_looks_at_may_be_anything() -> None:
    trainer, evaluator = engines(CURVE, "nll")
    evaluator.add_event_handler(
        Events.STARTED, lambda engine: engine.state.metrics.update(matrix=torch.eye(3), by=(1, 2))
    )
    handler = quiet(by_rule(trainer))
    evaluator.add_event_handler(Events.COMPLETED, handler)
    assert trainer.run([0], max_epochs=8).epoch == 7
    assert set(handler.stopper.best_metrics) == {"nll", "elapsed_seconds"}


def test_the_reason_counts_epochs_and_iterations_as_the_trainer_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trainer, evaluator = engines(CURVE, "nll", every=2)
    handler = by_rule(trainer)
    handler.logger.propagate = True
    handler.logger.setLevel(logging.INFO)
    evaluator.add_event_handler(Events.COMPLETED, handler)
    with caplog.at_level(logging.INFO):
        assert trainer.run([0] * 5, max_epochs=20).epoch == 14
    reason = "nll has not improved on 0.4 (epoch 8, step 40) by more than 0 for 3 checks"
    assert handler.stopped_reason == reason
    assert f"EarlyStopping: Stop training: {reason}" in caplog.text
    assert (handler.stopper.best_epoch, handler.stopper.best_step) == (8, 40)


def test_an_evaluation_within_an_epoch_stands_at_a_part_of_it() -> None:
    trainer = Engine(lambda engine, batch: None)
    evaluator = Engine(lambda engine, batch: None)
    handler = quiet(EarlyStopping(trainer=trainer, stop=es.MaxEpochs(2)))
    evaluator.add_event_handler(Events.COMPLETED, handler)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=3), lambda: evaluator.run([0]))
    assert trainer.run([0] * 10, max_epochs=5).iteration == 21
    assert handler.stopped_reason == "2.1 epochs have been run"


def test_the_best_is_kept_by_ignite_s_checkpoint(tmp_path: Path) -> None:
    trainer, evaluator = engines(CURVE, "nll")
    handler = quiet(by_rule(trainer))
    model = torch.nn.Linear(1, 1)
    trainer.add_event_handler(
        Events.EPOCH_COMPLETED, lambda engine: model.bias.data.fill_(engine.state.epoch)
    )
    evaluator.add_event_handler(Events.COMPLETED, handler)
    best = Checkpoint(
        {"model": model},
        DiskSaver(tmp_path),
        n_saved=1,
        global_step_transform=global_step_from_engine(trainer),
    )
    evaluator.add_event_handler(Events.COMPLETED(handler.is_best), best)
    # The evaluator runs before the epoch is written into the model: so this is the epoch before.
    trainer.run([0], max_epochs=8)
    assert [path.name for path in tmp_path.iterdir()] == ["model_4.pt"]
    assert torch.load(tmp_path / "model_4.pt")["bias"].item() == handler.stopper.best_epoch - 1


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_run_that_ignite_s_checkpoint_resumes_neither_loses_nor_repeats_a_check(
    cut: int, tmp_path: Path
) -> None:
    def run(epochs: int, resume: bool) -> tuple[Any, Any]:
        trainer, evaluator = engines(CURVE, "nll")
        handler = quiet(by_rule(trainer))
        evaluator.add_event_handler(Events.COMPLETED, handler)
        kept = {"trainer": trainer, "early_stopping": handler}
        last = Checkpoint(kept, DiskSaver(tmp_path, require_empty=False), filename_pattern="l.pt")
        if resume:
            Checkpoint.load_objects(kept, torch.load(tmp_path / "l.pt", weights_only=True))
        trainer.add_event_handler(Events.EPOCH_COMPLETED, last)
        return trainer.run([0] * 3, max_epochs=epochs), handler

    whole, expected = run(8, resume=False)
    run(cut, resume=False)
    state, handler = run(8, resume=True)
    assert (state.epoch, state.iteration) == (whole.epoch, whole.iteration) == (7, 21)
    assert handler.stopped_reason == expected.stopped_reason
    states = [each.state_dict() for each in (handler, expected)]
    for each in states:
        del each["elapsed_seconds"]
        each["stopper"]["best_metrics"].pop("elapsed_seconds")
        each["stopper"]["last_check"]["metrics"].pop("elapsed_seconds")
    assert states[0] == states[1]


def test_handlers_share_a_stopper_that_decides_once_for_all() -> None:
    trainer, evaluator = engines(CURVE, "nll")
    stopper = es.Stopper(es.Patience("nll", 3), es.Best("nll"))
    saves: dict[int, list[int]] = {0: [], 1: []}
    for number in range(2):
        handler = quiet(EarlyStopping(trainer=trainer, stop=stopper))
        evaluator.add_event_handler(Events.COMPLETED, handler)
        evaluator.add_event_handler(
            Events.COMPLETED(handler.is_best),
            lambda engine, number: saves[number].append(trainer.state.epoch),
            number,
        )
    assert trainer.run([0], max_epochs=8).epoch == 7
    assert stopper.checks == 7
    assert saves == {0: [1, 2, 4], 1: [1, 2, 4]}


def test_attach_resets_where_the_other_engine_starts() -> None:
    trainer, evaluator = engines(CURVE, "nll")
    handler = quiet(by_rule(trainer))
    handler.attach(evaluator, Events.COMPLETED, trainer)
    for _ in range(2):
        assert trainer.run([0], max_epochs=8).epoch == 7
        trainer.should_terminate = False
        trainer.state.max_epochs = None  # the next run is another one
    assert handler.stopper.checks == 7


def test_a_handler_may_be_called_although_the_trainer_does_not_run() -> None:
    trainer = Engine(lambda engine, batch: None)
    scores = iter([0.5, 0.4, 0.3, 0.2])
    handler = quiet(EarlyStopping(2, lambda engine: next(scores), trainer))
    for _ in range(3):
        handler(None)
    assert trainer.should_terminate
    assert (handler.counter, handler.best_score) == (2, 0.5)


def test_other_numbers_of_a_saved_state_are_taken_if_asked_for() -> None:
    saved = train(CURVE, by_rule, "nll")[1].state_dict()
    trainer = Engine(lambda engine, batch: None)
    more = {"trainer": trainer, "stop": es.Patience("nll", 9), "save": es.Best("nll")}
    with pytest.raises(es.StateError, match="changed_rules=True"):
        EarlyStopping(**more).load_state_dict(saved)
    handler = EarlyStopping(**more, changed_rules=True)
    handler.load_state_dict(saved)
    assert not handler.stopper.stopped
    with pytest.raises(es.StateError, match="lacks elapsed_seconds, stopper"):
        handler.load_state_dict({"counter": 3})


TRAINER = Engine(lambda engine, batch: None)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"patience": 3, "score_function": score}, TypeError, "must be the Engine that trains"),
        ({"patience": 3, "trainer": TRAINER}, TypeError, "score_function=.*a function"),
        ({"score_function": score, "trainer": TRAINER}, TypeError, "patience=.* got None"),
        ({"patience": 0, "score_function": score, "trainer": TRAINER}, ValueError, "patience"),
        ({"patience": 1.5, "score_function": score, "trainer": TRAINER}, TypeError, "got 1.5"),
        ({"threshold": -1.0}, ValueError, "threshold=.* at least 0, got -1.0"),
        ({"threshold_mode": "x"}, ValueError, "threshold_mode=.*'abs'.*'rel'"),
        ({"mode": "best"}, ValueError, "mode=.*'min'.*'max'"),
        ({"stop": es.MaxEpochs(3)}, ValueError, "leave out patience, score_function"),
        ({"save": es.Every(2)}, ValueError, "goes with `stop=...`"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    if not {"patience", "score_function"} & set(arguments):
        arguments = {"patience": 3, "score_function": score, "trainer": TRAINER, **arguments}
    with pytest.raises(error, match=text):
        EarlyStopping(**arguments)


def test_a_metric_that_the_evaluator_does_not_report_is_an_error_with_those_there_are() -> None:
    def make(trainer: Engine) -> EarlyStopping:
        return EarlyStopping(trainer=trainer, stop=es.Patience("nl", 3, mode="min"))

    with pytest.raises(es.MissingMetricError, match="no metric 'nl': available metrics: nll"):
        train(CURVE, make, "nll")


def test_a_score_of_several_elements_is_refused_and_a_tensor_of_one_taken() -> None:
    def make(value: Any) -> Any:
        return lambda trainer: EarlyStopping(3, lambda engine: value, trainer)

    assert train(CURVE, make(torch.tensor([0.5])))[0] == 4
    with pytest.raises(es.MetricError, match=r"'score' must be one real number, got an array"):
        train(CURVE, make(torch.ones(2)))
