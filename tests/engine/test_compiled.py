"""Recordings and the functions written from them: what they say, and how they are found again."""

from __future__ import annotations

import linecache
import random
import traceback
from typing import Any, NamedTuple

import numpy as np
import pytest

import earlystop as es
from earlystop.engine.merging import record_merged
from earlystop.engine.recording import Recording, metrics_read, presence_read, record
from earlystop.engine.registers import Registers, last_uses
from earlystop.engine.scalar import compile_scalar
from earlystop.engine.source import Names, define
from earlystop.engine.vectorized import compile_vectorized, vector_code
from earlystop.language.ops import Operation
from earlystop.language.rule import advance
from earlystop.language.tape import Ref, Trace, needed_lines
from earlystop.language.traced_metrics import TracedMetrics
from earlystop.ops import divide, isnan, replaced, where
from tests.support.random_rules import random_rule

NAMES = ("loss", "val_loss")


def recording_of(*rules: es.Rule, certain: tuple[str, ...] = NAMES) -> Recording:
    return record(rules, lambda trace: TracedMetrics(trace, NAMES, frozenset(certain)))


class OneEpoch:
    """An epoch of a history with two runs, all of whose metrics are reported."""

    def __init__(self, number: int, **metrics: Any) -> None:
        self.number, self._metrics = number, metrics

    def row(self, name: str) -> Any:
        return np.array(self._metrics[name])

    def present(self, name: str) -> bool:
        return True


# What a recording says ----------------------------------------------------------------------------


def test_a_recording_is_data_about_the_steps() -> None:
    recording = recording_of(es.Best("loss", min_delta=0.5), es.MaxEpochs(3))
    assert recording.initial == [float("inf"), 0]
    assert [(ref.name, ref.kind) for ref in recording.inputs] == [("s0", "float"), ("s1", "int")]
    assert [ref.kind for ref in recording.answers] == ["bool", "bool"]
    assert [line.ufunc for line in recording.lines] == [
        "",  # the metric
        *("add", "less", "where"),  # Best
        *("add", "greater_equal"),  # MaxEpochs
    ]


def test_a_recording_tells_which_metrics_it_reads_and_which_may_be_missing() -> None:
    lines = recording_of(es.Threshold("loss", 1), certain=()).lines
    assert (metrics_read(lines), presence_read(lines)) == ({"loss"}, {"loss"})
    lines = recording_of(es.Threshold("loss", 1)).lines
    assert (metrics_read(lines), presence_read(lines)) == ({"loss"}, set())
    assert metrics_read(recording_of(es.NonFinite()).lines) == set(NAMES)
    assert metrics_read(recording_of(es.MaxEpochs(3)).lines) == set()


def test_a_metric_is_read_once_whichever_rules_look_at_it() -> None:
    recording = recording_of(es.Threshold("loss", 1), es.Diverged("loss", 9), es.Best("loss"))
    assert sum(line.ufunc == "" for line in recording.lines) == 1


def test_a_search_of_all_metrics_is_told_from_one_that_some_are_hidden_from() -> None:
    class Covered(es.Rule):
        """Shows its rule a loss of 0."""

        rule: es.Rule

        def init(self):
            return self.rule.init()

        def step(self, state, metrics, epoch):
            return advance(self.rule, state, replaced(metrics, "loss", 0.0), epoch)

    stopper = es.Stopper(es.NonFinite() & Covered(es.NonFinite()))
    assert not stopper.step({"loss": np.nan, "acc": 1.0}).stop
    assert stopper.step({"loss": np.nan, "acc": np.inf}).stop


def test_a_value_that_is_written_twice_is_computed_once() -> None:
    class Undefined(es.Rule):
        """Fires where a difference is NaN, for which generated code compares it with itself."""

        monitor: str
        other_monitor: str

        def step(self, state, metrics, epoch):
            return state, isnan(metrics[self.monitor] - metrics[self.other_monitor])

    source = compile_scalar((Undefined("loss", "val_loss"),), "raise").__doc__ or ""
    assert (source.count(" - "), source.count(" != ")) == (1, 1)


def test_only_the_lines_that_results_depend_on_are_needed() -> None:
    recording = recording_of(es.Threshold("loss", 1), es.Diverged("val_loss", 9))
    assert metrics_read(needed_lines(recording.lines, recording.answers[:1])) == {"loss"}
    assert needed_lines(recording.lines, [True]) == []


def test_parts_of_the_state_that_are_always_equal_are_one() -> None:
    rules = [es.GeneralizationLoss("loss", alpha=alpha) for alpha in (1, 2, 3)]
    merged = record_merged(rules, lambda trace: TracedMetrics(trace, NAMES, frozenset(NAMES)))
    assert [ref.name for ref in merged.inputs] == ["s0"] * 3
    rules = [es.Best("loss", min_delta=min_delta) for min_delta in (0, 0, 1)]
    merged = record_merged(rules, lambda trace: TracedMetrics(trace, NAMES, frozenset(NAMES)))
    assert [ref.name for ref in merged.inputs] == ["s0", "s0", "s2"]


def test_a_program_for_many_runs_reads_only_what_its_rules_look_at() -> None:
    program = compile_vectorized((es.Threshold("val_loss", 1.0),), NAMES, frozenset())
    assert program is not None
    assert program.metrics == 1
    program.start(lanes=2, epochs=1)
    (fires,) = program(OneEpoch(0, val_loss=[0.5, 1.5]))
    assert fires.tolist() == [True, False]
    assert compile_vectorized((es.Plateau("loss", 2, 0.1),), NAMES, frozenset()) is None


@pytest.mark.parametrize("seed", range(60))
def test_a_program_for_finite_metrics_answers_as_one_for_any(seed: int) -> None:
    rule = random_rule(random.Random(seed))
    programs = [
        compile_vectorized((rule,), NAMES, frozenset(), finite)
        for finite in (frozenset[str](), frozenset(NAMES))
    ]
    if None in programs:  # its state holds a window
        return
    values = np.random.default_rng(seed).normal(size=(2, 30, 8)).round(1)
    answers = []
    for program in filter(None, programs):
        program.start(lanes=8, epochs=30)
        with np.errstate(all="ignore"):
            epochs = [
                OneEpoch(number, loss=values[0, number], val_loss=values[1, number])
                for number in range(30)
            ]
            answers.append([np.broadcast_to(program(x)[0], 8).tolist() for x in epochs])
    assert answers[0] == answers[1]


def test_a_program_for_finite_metrics_never_asks_whether_they_are() -> None:
    rule = es.AdaptivePatience("loss", 3)
    texts = [
        vector_code((rule,), NAMES, frozenset(), finite).function.__doc__
        for finite in (frozenset[str](), frozenset(NAMES))
    ]
    assert ["isfinite(" in text for text in texts] == [True, False]


def test_a_metric_that_may_be_missing_is_not_taken_for_finite() -> None:
    rule, names = es.AdaptivePatience("loss", 3), frozenset(NAMES)
    code = vector_code((rule,), NAMES, with_gaps=names, finite=names)
    assert code is not None
    assert "isfinite(" in code.function.__doc__


def test_two_alternatives_may_be_chosen_by_one_condition_and_its_opposite() -> None:
    class Sides(es.Rule):
        """Fires where a small loss counts 1 + loss, a large one loss * 2, beyond what was held."""

        monitor: str

        class State(NamedTuple):
            low: float
            high: float

        def init(self):
            return self.State(0.0, 0.0)

        def step(self, state, metrics, epoch):
            value = metrics[self.monitor]
            small = value < 0.0
            low, high = where(small, value + 1.0, 3.0), where(small, value * 2.0, state.high)
            both = where(small, low * high, 2.0)
            return self.State(low, high), both > state.low

    rule = Sides("loss")
    program = compile_vectorized((rule,), NAMES, frozenset())
    assert program is not None
    program.start(lanes=40, epochs=20)
    values = np.random.default_rng(0).normal(size=(20, 40))
    states = [rule.init() for _ in range(40)]
    for number, row in enumerate(values):
        stepped = [
            rule.step(state, {"loss": x}, number)
            for state, x in zip(states, row.tolist(), strict=True)
        ]
        states = [after for after, _ in stepped]
        (fires,) = program(OneEpoch(number, loss=row.tolist()))
        assert fires.tolist() == [fired for _, fired in stepped]


# Registers ----------------------------------------------------------------------------------------


def test_a_register_is_used_again_when_nothing_needs_its_value() -> None:
    registers = Registers()
    first = registers.take("float")
    registers.hold("t0", first)
    assert registers.take("float") != first
    registers.release("t0")
    assert registers.take("bool") != first
    assert registers.take("float") == first
    assert registers.kinds == ["float", "float", "bool"]


def test_a_value_held_in_a_register_is_written_by_its_number() -> None:
    registers, ref = Registers(), Ref("t7", "float")
    assert (registers.register_of(ref), registers.texts) == (None, {})
    registers.hold("t7", registers.take("float"))
    assert (registers.register_of(ref), registers.texts) == (0, {"t7": "r0"})
    assert (registers.pass_on("t7"), registers.register_of(ref), registers.texts) == (0, None, {})


def test_results_are_used_after_all_lines() -> None:
    recording = recording_of(es.Best("loss"))
    metric, improved, _ = (line.result.name for line in recording.lines)
    assert last_uses(recording.lines, []) == {metric: 2, "s0": 2, improved: 2}
    assert last_uses(recording.lines, recording.answers)[improved] == 3


# Where generated lines are found ------------------------------------------------------------------


def _fail(value: float) -> float:
    raise ZeroDivisionError("of the operation itself")


failing = Operation(_fail)


class Failing(es.Rule):
    """A rule with an operation of its own that fails when it runs."""

    monitor: str

    def step(self, state: Any, metrics: Any, epoch: Any) -> tuple[Any, Any]:
        return state, failing(metrics[self.monitor]) > 3


def test_a_traceback_shows_the_line_of_the_generated_function() -> None:
    stopper = es.Stopper(Failing("loss"))
    with pytest.raises(ZeroDivisionError) as caught:
        stopper.step({"loss": 1.0})
    text = "".join(traceback.format_exception(caught.value))
    assert "steps of [Failing('loss'), Never()]>" in text
    assert "return (), ((f2_fail(t0)) > 3), False" in text


def test_a_traceback_shows_the_line_of_the_generated_function_for_many_runs() -> None:
    program = compile_vectorized((Failing("loss"),), NAMES, frozenset())
    assert program is not None
    program.start(lanes=2, epochs=1)
    with pytest.raises(ZeroDivisionError) as caught:
        program(OneEpoch(0, loss=[1.0, 2.0]))
    text = "".join(traceback.format_exception(caught.value))
    assert "many runs of [Failing('loss')]>" in text
    assert "copyto(r0, f2_fail(t0))" in text


def test_functions_of_equal_rules_have_files_of_their_own() -> None:
    rules = (es.MaxEpochs(3),)
    functions = [compile_scalar(rules, on_missing) for on_missing in ("raise", "skip")]
    assert len({function.__code__.co_filename for function in functions}) == 2


def test_the_lines_of_a_function_are_forgotten_with_it() -> None:
    source = "def advance(x):\n    return x"
    function = define(source, Names(), "a test")
    filename = function.__code__.co_filename
    assert linecache.getline(filename, 2).strip() == "return x"
    del function
    assert filename not in linecache.cache


def test_lines_are_not_kept_for_more_functions_than_are_kept() -> None:
    def cached() -> int:
        return sum(name.startswith("<earlystop ") for name in linecache.cache)

    for n in range(1, 300):
        compile_scalar((es.MaxEpochs(n),), "raise")
    before = cached()
    for n in range(300, 600):
        compile_scalar((es.MaxEpochs(n),), "raise")
    assert cached() <= before


def test_a_trace_refuses_in_the_name_of_its_rule() -> None:
    trace = Trace()
    trace.owner = "Mine"
    with pytest.raises(es.RuleError, match=r"`Mine.step` does this, .*: do that"):
        trace.refuse("does this", "do that")


# Many runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "by", "limit"), [(0, 2**30, 2**31 + 1), (2**31 - 3, 1, 2**31 + 2), (5, -(2**31), -9)]
)
def test_counters_of_any_size_count_right(start: int, by: int, limit: int) -> None:
    class Counter(es.Rule):
        class State(NamedTuple):
            count: int = start

        def step(self, state, metrics, epoch):
            count = state.count + by
            return self.State(count), count >= limit if by > 0 else count <= limit

    assert_decided_alike(Counter())


def test_a_counter_that_doubles_counts_right() -> None:
    class Doubling(es.Rule):
        class State(NamedTuple):
            count: int = 1

        def step(self, state, metrics, epoch):
            count = state.count + state.count
            return self.State(count), count > 2**33

    assert_decided_alike(Doubling())


def test_a_choice_between_a_whole_number_and_a_fraction_is_a_fraction() -> None:
    class Level(es.Rule):
        class State(NamedTuple):
            level: float = 0.0
            seen: int = 0

        monitor: str

        def step(self, state, metrics, epoch):
            value, seen = metrics[self.monitor], state.seen + 1
            level = where(value > state.level, value + 0.5, seen + epoch)
            return self.State(level, seen), level > 33

    assert_decided_alike(Level("loss"))


def test_two_parts_of_a_state_that_become_the_same_stay_apart() -> None:
    class Twins(es.Rule):
        class State(NamedTuple):
            one: float = -1.0
            other: float = 1.0

        monitor: str

        def step(self, state, metrics, epoch):
            twice = metrics[self.monitor] * 2.0
            return self.State(twice, twice), (state.one > 50.0) & (state.other > 60.0)

    assert_decided_alike(Twins("loss"))


def test_two_parts_of_a_state_that_only_begin_differently_stay_apart() -> None:
    class Begun(es.Rule):
        class State(NamedTuple):
            one: float = -1.0
            other: float = 1.0

        monitor: str

        def step(self, state, metrics, epoch):
            value = metrics[self.monitor]
            return self.State(value, value), (state.one < 0) & (state.other > 0)

    assert_decided_alike(Begun("loss"))


def test_a_whole_number_may_become_a_fraction_of_the_state() -> None:
    class At(es.Rule):
        class State(NamedTuple):
            last: float = -1.0

        def step(self, state, metrics, epoch):
            return self.State(epoch), state.last >= 3

    assert_decided_alike(At())


def test_zeros_of_different_sign_are_not_one_part_of_the_state() -> None:
    class Above(es.Rule):
        class State(NamedTuple):
            zero: float = 0.0

        def step(self, state, metrics, epoch):
            return state, divide(1.0, state.zero) < 0

    class Below(Above):
        class State(NamedTuple):
            zero: float = -0.0

    assert_decided_alike(Above() | Below())
    assert_decided_alike(Below() | Above())


def test_a_quotient_of_whole_numbers_is_a_fraction() -> None:
    class Halves(es.Rule):
        class State(NamedTuple):
            seen: int = 0

        def step(self, state, metrics, epoch):
            return self.State(state.seen + 1), state.seen / 2 > 3.2

    assert_decided_alike(Halves())


def test_a_negative_of_a_counter_falls() -> None:
    class Falling(es.Rule):
        class State(NamedTuple):
            seen: int = 0

        def step(self, state, metrics, epoch):
            return self.State(state.seen + 1), -state.seen < -5

    assert_decided_alike(Falling())


def test_constants_that_differ_in_their_sign_alone_are_two() -> None:
    class Poles(es.Rule):
        monitor: str

        def step(self, state, metrics, epoch):
            value = metrics[self.monitor]
            return state, (divide(value, 0.0) > 0) & (divide(value, -0.0) < 0)

    assert_decided_alike(Poles("loss"))


def assert_decided_alike(rule: es.Rule) -> None:
    """The rule stops many runs side by side, and each of them alone, where its own step does."""
    history = es.History({"loss": np.arange(40.0) + np.arange(30)[:, None] % 3})
    wanted = []
    for run in range(len(history)):
        state, fires, epoch = rule.init(), False, 0
        while not fires:
            state, fires = advance(rule, state, history.records(run)[epoch], epoch)
            epoch += 1
        wanted.append(epoch)
        assert es.replay(rule, history[run : run + 1]).epochs.tolist() == [epoch]
    assert es.replay(rule, history).epochs.tolist() == wanted
