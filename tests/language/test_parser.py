"""Rules as text: what `repr` writes is read back, and nothing else does anything."""

from __future__ import annotations

import contextlib
import random
import string
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import earlystop as es
from earlystop.language.config import field_annotations
from earlystop.language.parser import parse_rule, rule_signature
from tests.support import strategies
from tests.support.random_rules import library_rules


@given(strategies.rules(depth=3))
def test_what_repr_writes_is_read_back(rule: es.Rule) -> None:
    assert parse_rule(repr(rule)) == rule
    assert es.Rule.from_text(repr(rule)) == rule


@given(strategies.rules(), strategies.rules(), strategies.rules())
def test_operators_bind_as_in_python(a: es.Rule, b: es.Rule, c: es.Rule) -> None:
    assert parse_rule(f"({a!r}) | ({b!r}) & ~({c!r})") == a | b & ~c
    assert parse_rule(f"(({a!r}) | ({b!r})) & ({c!r})") == (a | b) & c


def test_a_user_s_rule_is_read() -> None:
    class Quiet(es.Rule):
        monitor: str
        levels: tuple[float, ...] = ()

        def step(self, state, metrics, epoch):
            return state, metrics[self.monitor] < 0

    rule = Quiet("a 'b' \\ \n c", levels=(1.0, -2.5))
    assert parse_rule(repr(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("es.Patience('val_loss', 3)", es.Patience("val_loss", 3)),
        ("earlystop.Never()", es.Never()),
        (" Never()\n | Always() # why not", es.Never() | es.Always()),
        ("Patience(monitor='loss', min_delta=+1e-3)", es.Patience("loss", min_delta=1e-3)),
        ("Patience('loss', baseline=-1)", es.Patience("loss", baseline=-1)),
        ("Not(rule=Never())", ~es.Never()),
        ("AnyOf(Never(), Always())", es.Never() | es.Always()),
        ("|".join(["Never()"] * 1000), es.AnyOf(*[es.Never()] * 1000)),
    ],
)
def test_other_ways_to_write_a_rule(text: str, rule: es.Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a rule"),
        ("Patience('val_loss', 20", "was never closed"),
        ("Patiense('val_loss')", "did you mean 'Patience'"),
        ("Patience('val_loss', patients=3)", "did you mean 'patience'"),
        ("Patience()", "missing a required argument"),
        (
            f"Patience('a', {', '.join(['1'] * len(field_annotations(es.Patience)))})",
            "too many positional arguments",
        ),
        ("Patience('loss', patience=1, patience=2)", "patience twice"),
        ("Patience('loss', patience=-1)", "at least 0, got -1"),
        ("Patience('loss', patience='3')", "must be a whole number"),
        ("Patience('loss', min_delta=1e999)", "finite number"),
        ("Patience('loss', min_delta=" + "9" * 400 + ")", "finite number"),
        ("Improvement(ties=True)", "there is no rule called 'Improvement'"),
        ("Patience('loss', improvement=Never())", "must be an Improvement"),
        ("Patience('loss', improvement=Improvement(tie=True))", "did you mean 'ties'"),
        ("Warmup(Improvement(), 2)", "must be a Rule"),
        ("Patience(val_loss, 3)", "quoted: 'val_loss'?"),
        ("Never() or Always()", "combine with |, & and ~"),
        ("not Never()", "combine with |, & and ~"),
        ("Never() + Always()", "expected a rule"),
        ("Never() | 3", "expected a rule"),
        ("~3", "expected a rule"),
        ("'Never()'", "expected a rule"),
        ("Patience(**{'monitor': 'loss'})", "** is not understood"),
        ("Patience(*['loss'])", "takes numbers, quoted text"),
        ("Patience(b'loss')", "takes numbers, quoted text"),
        ("NonFinite(f'{1}')", "takes numbers, quoted text"),
        ("Never;", "invalid syntax"),
        ("Never() Never()", "invalid syntax"),
        ("\0", "is not a rule"),
        ("\ud800", "is not a rule"),
        ("~" * 9_000 + "Never()", "is not a rule"),
        ("(" * 5_000, "is not a rule"),
        ("Not(" * 60 + "Never()" + ")" * 60, "deep"),
        ("Never() | " * 2_000, "at most 10,000 characters"),
        ("Patience('loss', " + "9" * 5_000 + ")", ""),
    ],
)
def test_text_that_is_not_a_rule_is_one_clear_error(text: str, words: str) -> None:
    with pytest.raises(es.RuleError) as error:
        parse_rule(text)
    assert words in str(error.value)
    assert len(str(error.value)) < 1_000


def test_anything_but_text_is_refused() -> None:
    with pytest.raises(es.RuleTypeError, match="written as text"):
        parse_rule(es.Never())


@pytest.mark.parametrize(
    "text",
    [
        "__import__('pathlib').Path(PATH).touch()",
        "open(PATH, 'w')",
        "Patience(open(PATH, 'w'))",
        "Patience(__import__('os').system('touch ' + PATH))",
        "Never().__class__.__init__.__globals__['__builtins__']['open'](PATH, 'w')",
        "[Never() for _ in [open(PATH, 'w')]]",
        "(lambda: open(PATH, 'w'))()",
        "Patience(f\"{open(PATH, 'w')}\")",
        "Never() if open(PATH, 'w') else Never()",
        "(x := open(PATH, 'w'))",
        "Never() | open(PATH, 'w')",
        "exec(\"open(PATH, 'w')\")",
        "Rule()",
        "Patience.__init__('loss')",
        "es.stopper.Stopper(Never())",
        "os.Never()",
    ],
)
def test_hostile_text_does_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "touched"
    with pytest.raises(es.RuleError):
        parse_rule(text.replace("PATH", repr(str(path))))
    assert not path.exists()


WORDS = [cls.__name__ for cls in library_rules()]
WORDS += ["'loss'", "'val_loss'", "patience", "monitor", "mode", "=", ",", "(", ")", "|", "&", "~"]
WORDS += ["1", "-", "0.5", "None", "True", "[", "]", "lambda", ":", "*", "**", ".", "'", '"', "\\"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)))
@example("'''")
def test_any_text_gives_a_rule_or_the_documented_error(text: str) -> None:
    try:
        rule = parse_rule(text)
    except es.RuleError:
        return
    assert parse_rule(repr(rule)) == rule


@given(strategies.rules(), st.integers(0, 2**32 - 1))
def test_a_rule_with_a_character_changed_is_a_rule_or_an_error(rule: es.Rule, seed: int) -> None:
    chance = random.Random(seed)
    text = list(repr(rule))
    text[chance.randrange(len(text))] = chance.choice(string.printable)
    with contextlib.suppress(es.RuleError):
        assert isinstance(parse_rule("".join(text)), es.Rule)


def test_a_signature_names_every_argument() -> None:
    for cls in library_rules():
        signature = rule_signature(cls)
        assert signature.startswith(f"{cls.__name__}(")
        assert all(name in signature for name in field_annotations(cls))


def test_the_parser_leaves_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(es.RuleError):
        parse_rule(r"Patience('\d') is 1")
    assert not recwarn.list
    assert sys.getrecursionlimit() >= 1000


def test_rules_stand_up_to_fifty_deep_in_one_another() -> None:
    deepest = "Not(" * 50 + "Never()" + ")" * 50
    assert repr(parse_rule(deepest)) == "~" * 50 + "Never()"
    with pytest.raises(es.RuleError, match="50 deep"):
        parse_rule(f"Not({deepest})")
