"""The options that name rules: `@rule_options` hands a command one `RuleOptions`."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .._text import count
from .sources import Command
from .values import MOST_SETTINGS, values_of

if TYPE_CHECKING:
    from ..language.rule import Rule
    from ..rules import Best

__all__ = ["MOST_CHECKED", "DirectionError", "RuleOptions", "rule_options"]

MOST_CHECKED = 1_000
"""Settings that are made before anything is read, to see whether they are valid."""

_FIELDS = ("patience", "min_delta", "baseline", "start_from_epoch")
_VALUES = "One value, several (5,20) or a range (1:201, without its end; 0:500:10 in tens)."


@dataclasses.dataclass(frozen=True)
class RuleOptions:
    """The rules named on the command line.

    texts: what --rule says. monitor, mode: of the `Patience` that stands there without it, and of
    what is best. fields: settings to be put into the rules, by name, each with its values.
    """

    texts: tuple[str, ...]
    monitor: str | None
    mode: str
    save_text: str | None
    fields: Mapping[str, list[Any]]
    on_missing: Any

    def _bases(self) -> list[Rule]:
        import earlystop as es

        if self.texts:
            return [es.Rule.from_text(text) for text in self.texts]
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
        return self._settled(bases[0])

    def _settled(self, rule: Rule) -> Rule:
        """The rule with the settings that have one value."""
        from ..sweeping.grid import apply_settings, axes_of

        fixed = {name: values for name, values in self.fields.items() if len(values) == 1}
        if not fixed:
            return rule
        axes = axes_of(rule, fixed)
        return apply_settings(rule, axes, {name: values[0] for name, values in fixed.items()})

    def axes(self) -> dict[str, list[Any]]:
        """The settings that have several values."""
        return {name: values for name, values in self.fields.items() if len(values) > 1}

    def check(self) -> None:
        """Raise what is wrong with the rules, before anything is read, as far as it is cheap."""
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

        axes = self.axes()
        bases = [self._settled(base) for base in self._bases()]
        made = []
        for base in bases:
            axes_by_name = axes_of(base, axes) if axes else {}
            for values in itertools.product(*axes.values()):
                made.append(
                    apply_settings(base, axes_by_name, dict(zip(axes, values, strict=True)))
                )
        return list(dict.fromkeys(made))

    @property
    def combinations(self) -> int:
        """How many settings a rule has."""
        return math.prod(len(values) for values in self.fields.values())

    def axis_rules(self) -> list[Rule]:
        """Rules with every single value of the settings, for what they look at."""
        from ..sweeping.grid import apply_settings, axes_of

        made = []
        for name, values in self.axes().items():
            if name.rpartition(".")[2] in ("patience", "min_delta", "baseline", "start_from_epoch"):
                continue  # no rule looks at another metric for these
            for base in self._bases():
                axes = axes_of(base, {name: values})
                made += [apply_settings(base, axes, {name: value}) for value in values]
        return made

    @property
    def rule_count(self) -> int:
        """How many rules are named."""
        return max(len(self.texts), 1) * self.combinations

    def save(self, rule: Rule) -> Rule:
        """What says which epochs are kept beside a rule; `Never()` where nothing is best."""
        import earlystop as es

        from ..sweeping.sweep import default_best

        if self.save_text is not None:
            return es.Rule.from_text(self.save_text)
        if self.monitor is not None:
            return es.Best(self.monitor, mode=_direction(self.monitor, self.mode))
        try:
            return default_best(rule)
        except es.RuleError:
            return es.Never()

    def judge(self) -> Best | None:
        """What is best, as `sweep` takes it; None: derived from the rule."""
        import earlystop as es

        if self.save_text is None and self.monitor is None:
            return None
        save = self.save(es.Never())
        if not isinstance(save, es.Best) or save != es.Best(save.monitor, mode=save.mode):
            raise click.UsageError(
                f"--save must be a Best without min_delta, baseline or dtype here, got {save!r}"
            )
        return save


class DirectionError(click.UsageError):
    """Which direction is better cannot be inferred."""


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


def rule_options(command: Command) -> Command:
    """Add the options that say which rules are meant; the command is called with `options`."""

    @functools.wraps(command)
    def with_rules(
        rule: tuple[str, ...],
        monitor: str | None,
        mode: str,
        save: str | None,
        relative: bool,
        grid: tuple[str, ...],
        on_missing: str,
        **rest: Any,
    ) -> Any:
        fields = {}
        for field in _FIELDS:
            text = rest.pop(field)
            if text is not None:
                fields[field] = values_of(text, f"--{field.replace('_', '-')}")
        if relative:
            fields["relative"] = [True]
        for text in grid:
            name, equals, values = text.partition("=")
            if not (equals and name.strip()):
                raise click.BadParameter(
                    f"expected FIELD=VALUES, such as 0.patience=1:50, got {text!r}",
                    param_hint="'--grid'",
                )
            if name.strip() in fields:
                raise click.UsageError(f"{name.strip()!r} is given twice")
            fields[name.strip()] = values_of(values, f"--grid {name.strip()}")
        options = RuleOptions(rule, monitor, mode, save, fields, on_missing)
        if options.combinations > MOST_SETTINGS:
            raise click.UsageError(
                f"{count(options.combinations, 'setting')} are more than the {MOST_SETTINGS:,} "
                "that are taken"
            )
        return command(options=options, **rest)

    for option in reversed(
        [
            click.option("--monitor", metavar="METRIC", help="The metric to watch."),
            click.option(
                "--patience",
                metavar="VALUES",
                help="Epochs without gain; if left out 0 (advise: all that are worth trying). "
                f"{_VALUES}",
            ),
            click.option("--min-delta", metavar="VALUES", help="What a gain has to exceed."),
            click.option(
                "--mode",
                type=click.Choice(["auto", "min", "max"]),
                default="auto",
                show_default="by the metric's name",
                help="Whether lower or higher is better.",
            ),
            click.option("--baseline", metavar="VALUES", help="What the first gain has to beat."),
            click.option(
                "--start-from-epoch", metavar="VALUES", help="So many epochs do not count."
            ),
            click.option(
                "--relative", is_flag=True, help="Take --min-delta as a share of the best value."
            ),
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
                help="Which epochs are kept; the best of --monitor, or of what the rule watches. "
                "Not for advise.",
            ),
            click.option(
                "--on-missing",
                type=click.Choice(["skip", "raise"]),
                default="skip",
                show_default=True,
                help="What becomes of epochs without the metric.",
            ),
        ]
    ):
        with_rules = option(with_rules)
    return with_rules  # type: ignore[return-value]
