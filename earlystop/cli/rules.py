"""`earlystop rules`: what may be written after --rule."""

from __future__ import annotations

import click

from .output import Machine, write_csv, write_json
from .tables import print_table

__all__ = ["rules"]


@click.command(short_help="List the rules there are.")
@click.option("--json", "machine", flag_value="json", help="Print JSON.")
@click.option("--csv", "machine", flag_value="csv", help="Print CSV.")
def rules(machine: Machine) -> None:
    """List the rules there are, with their arguments.

    What is listed is what --rule takes, alone or combined with | (any), & (all) and ~ (not), such
    as 'Patience("val_loss", 20) | NonFinite("loss")'.
    """
    from ..language.parser import rule_signature
    from ..language.registry import rule_named, rule_names

    rows = []
    for name in rule_names():
        cls = rule_named(name)
        summary = (cls.__doc__ or "").strip().split("\n", maxsplit=1)[0]
        rows.append({"rule": rule_signature(cls), "fires": summary.replace("`", "")})
    if machine == "json":
        write_json({"rules": rows})
    elif machine == "csv":
        write_csv(rows)
    else:
        print_table(["<rule", "<what it does"], [list(row.values()) for row in rows])
