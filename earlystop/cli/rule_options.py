"""The options that name rules: `@rule_options` hands a command one `RuleOptions`."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from .._arguments import as_in_python
from .._text import count
from .as_framework import check_framework, own_values, stoppers_as
from .options import add_options
from .values import MOST_SETTINGS, values_of

if TYPE_CHECKING:
    from ..engine.stopper import Stopper
    from ..language.direction import Mode
    from ..language.rule import Rule
    from ..rules import Best

__all__ = ["MOST_CHECKED", "DirectionError", "RuleOptions", "rule_options"]

MOST_CHECKED = 1_000
"""The most settings that are built, to check them, before anything is read."""

_FIELDS = ("patience", "min_delta", "baseline", "start_from_epoch")
_VALUES = "One value, several (5,20) or a range (1:201, without its end; 0:500:10 in tens)."


@dataclasses.dataclass(frozen=True)
class RuleOptions:
    """The rules named on the command line.

    texts: the values of --rule; without any, the rule is `Patience(monitor, mode=mode)`.
    monitor, mode: also say which check is best.
    fields: values for fields of the rules, by name.
    framework: the framework whose early stopping is meant, by its full name; None for other rules.
    """

    texts: tuple[str, ...]
    monitor: str | None
    mode: str
    save_text: str | None
    fields: Mapping[str, list[Any]]
    on_missing: Any
    framework: str | None = None

    def or_usual_patiences(self) -> RuleOptions:
        """These options, or, without any rule or patience, those that people mostly try."""
        from ..advising.outcomes import USUAL_PATIENCES

        if self.texts or self.fields or self.framework is not None:
            return self
        return dataclasses.replace(self, fields={"patience": [*USUAL_PATIENCES]})

    @functools.cached_property
    def _as_framework(self) -> dict[tuple[Any, ...], Stopper]:
        """The stoppers of the framework, by the values of the fields; none without one."""
        if self.framework is None:
            return {}
        mode: Mode = "auto" if self.monitor is None else _direction(self.monitor, self.mode)
        return stoppers_as(self.framework, self.monitor, mode, self.fields, bool(self.texts))

    def _bases(self) -> list[Rule]:
        """The rules without `fields`; those of a framework have them."""
        import earlystop as es

        if self.framework is not None:
            return [stopper.stop for stopper in itertools.islice(self._as_framework.values(), 1)]
        if self.texts:
            return [_written_out(text) for text in self.texts]
        if self.monitor is None:
            raise click.UsageError(
                "say which metric to watch, with --monitor val_loss, or which rule to ask about, "
                "with --rule ('earlystop metrics LOGS' lists the metrics there are)"
            )
        return [es.Patience(self.monitor, mode=_direction(self.monitor, self.mode))]

    def rule(self) -> Rule:
        """The one rule, without the settings that have several values."""
        bases = self._bases()
        if len(bases) > 1:
            raise click.UsageError(f"this takes one --rule, got {len(bases)}")
        return self._with_fixed_fields(bases[0])

    def _with_fixed_fields(self, rule: Rule) -> Rule:
        """The rule with the settings that have one value."""
        from ..sweeping.grid import apply_settings, axes_of

        if self.framework is not None:
            return rule
        fixed = {name: values for name, values in self.fields.items() if len(values) == 1}
        if not fixed:
            return rule
        axes = axes_of(rule, fixed)
        return apply_settings(rule, axes, {name: values[0] for name, values in fixed.items()})

    def axes(self) -> dict[str, list[Any]]:
        """The settings that have several values."""
        return {name: values for name, values in self.fields.items() if len(values) > 1}

    def grid(self) -> dict[str, list[Any]]:
        """The settings that a sweep tries, as fields of the rule."""
        if self.framework is None:
            return self.axes() or dict(self.fields)
        return own_values(self.framework, self.fields, self._as_framework)

    def check(self) -> None:
        """Raise for invalid rules, before anything is read, as far as checking is cheap."""
        from ..sweeping.grid import axes_of

        if self.combinations <= MOST_CHECKED:
            rules = self.rules()
        else:
            rules = self._bases()
            axes_of(rules[0], self.fields)
        self.save(rules[0])

    def rules(self) -> list[Rule]:
        """Every rule with every combination of settings."""
        from ..sweeping.grid import apply_settings, axes_of

        if self.framework is not None:
            return list(dict.fromkeys(stopper.stop for stopper in self._as_framework.values()))
        axes = self.axes()
        bases = [self._with_fixed_fields(base) for base in self._bases()]
        rules = []
        for base in bases:
            axes_by_name = axes_of(base, axes) if axes else {}
            for values in itertools.product(*axes.values()):
                rules.append(
                    apply_settings(base, axes_by_name, dict(zip(axes, values, strict=True)))
                )
        return list(dict.fromkeys(rules))

    @property
    def combinations(self) -> int:
        """The number of settings of a rule."""
        return math.prod(len(values) for values in self.fields.values())

    def axis_rules(self) -> list[Rule]:
        """The rules with each value of a setting by itself, to find the metrics that they use."""
        from ..sweeping.grid import apply_settings, axes_of

        rules = []
        for name, values in self.axes().items():
            if name.rpartition(".")[2] in _FIELDS:
                continue  # these never change which metrics a rule uses
            for base in self._bases():
                axes = axes_of(base, {name: values})
                rules += [apply_settings(base, axes, {name: value}) for value in values]
        return rules

    @property
    def rule_count(self) -> int:
        """The number of rules, with all their settings."""
        return max(len(self.texts), 1) * self.combinations

    def save(self, rule: Rule) -> Rule:
        """The rule that says which checks are kept; `Never()` if no metric has a best value."""
        import earlystop as es

        from ..sweeping.sweep import default_best

        if self.save_text is not None:
            return _written_out(self.save_text)
        for stopper in self._as_framework.values():
            if stopper.stop == rule:
                return stopper.save
        if self.monitor is not None:
            return es.Best(self.monitor, mode=_direction(self.monitor, self.mode))
        try:
            return default_best(rule)
        except es.RuleError:
            return es.Never()

    def best(self) -> Best | None:
        """The `Best` that `sweep` takes; None if it has to be derived from the rule."""
        import earlystop as es

        if self.save_text is None and self.monitor is None:
            return None
        save = self.save(es.Never())
        if not isinstance(save, es.Best) or save != es.Best(save.monitor, mode=save.mode):
            raise click.UsageError(
                f"--save must be a Best without min_delta, baseline or dtype here, got {save!r}"
            )
        return save


def _written_out(text: str) -> Rule:
    """The rule in this text, in which arguments have their names in Python."""
    import earlystop as es

    with as_in_python():
        return es.Rule.from_text(text)


class DirectionError(click.UsageError):
    """Neither the options nor the metric's name tell which direction is better."""


def _direction(monitor: str, mode: Any) -> Any:
    """The direction of a metric."""
    from ..errors import RuleError
    from ..language.direction import direction

    try:
        return direction(monitor, mode, "--mode")
    except RuleError:
        raise DirectionError(
            f"whether {monitor!r} should fall or rise cannot be told from its name: pass "
            "--mode min (lower is better) or --mode max (higher is better)"
        ) from None


_OPTIONS = [
    click.option("--monitor", metavar="METRIC", help="The metric to watch."),
    click.option(
        "--patience",
        metavar="VALUES",
        help=f"Checks without gain; if left out 0 (advise: all that are worth trying). {_VALUES}",
    ),
    click.option("--min-delta", metavar="VALUES", help="What a gain has to exceed."),
    click.option(
        "--mode",
        type=click.Choice(["auto", "min", "max"]),
        default="auto",
        show_default="by the metric's name",
        help="Whether lower or higher is better.",
    ),
    click.option(
        "--as",
        "framework",
        metavar="NAME",
        callback=lambda context, option, name: check_framework(name),
        help="Early stopping as in another framework (keras, lightning, xgboost, ...), which takes "
        "--patience and --min-delta as it does there; see 'earlystop compare'.",
    ),
    click.option("--baseline", metavar="VALUES", help="What the first gain has to beat."),
    click.option("--start-from-epoch", metavar="VALUES", help="So many epochs do not count."),
    click.option("--relative", is_flag=True, help="Take --min-delta as a share of the best value."),
    click.option(
        "--rule",
        metavar="RULE",
        multiple=True,
        help='Any rule, instead: \'Patience("val_loss", 20) | NonFinite("loss")\'; see '
        "'earlystop rules'.",
    ),
    click.option(
        "--grid",
        metavar="FIELD=VALUES",
        multiple=True,
        help="Values for any field of the rule: alpha=1,5; 0.patience=1:50 is that of its "
        "first part.",
    ),
    click.option(
        "--save",
        metavar="RULE",
        help="Which checks are kept; the best of --monitor, or of what the rule watches. "
        "Not for advise.",
    ),
    click.option(
        "--on-missing",
        type=click.Choice(["skip", "raise"]),
        default="skip",
        show_default=True,
        help="What becomes of rows without the metric.",
    ),
]


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name rules; the command is called with `options`."""

    @functools.wraps(command)
    def with_rules(
        rule: tuple[str, ...],
        monitor: str | None,
        mode: str,
        save: str | None,
        relative: bool,
        grid: tuple[str, ...],
        on_missing: str,
        framework: str | None,
        **rest: Any,
    ) -> Any:
        texts = {field: rest.pop(field) for field in _FIELDS}
        fields = _fields(texts, relative, grid)
        options = RuleOptions(rule, monitor, mode, save, fields, on_missing, framework)
        if options.combinations > MOST_SETTINGS:
            raise click.UsageError(
                f"{count(options.combinations, 'setting')} are more than the {MOST_SETTINGS:,} "
                "that are taken"
            )
        return command(options=options, **rest)

    return add_options(with_rules, _OPTIONS)


def _fields(
    texts: Mapping[str, str | None], relative: bool, grid: tuple[str, ...]
) -> dict[str, list[Any]]:
    """The values for fields of the rules, by name, from options of their own and from --grid."""
    fields: dict[str, list[Any]] = {}
    for field, text in texts.items():
        if text is not None:
            fields[field] = values_of(text, f"--{field.replace('_', '-')}")
    if relative:
        fields["relative"] = [True]
    for text in grid:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not (equals and name):
            raise click.BadParameter(
                f"expected FIELD=VALUES, such as 0.patience=1:50, got {text!r}",
                param_hint="'--grid'",
            )
        if name in fields:
            raise click.UsageError(f"{name!r} is given twice")
        fields[name] = values_of(values, f"--grid {name}")
    return fields
