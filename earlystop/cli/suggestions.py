"""What to write instead of an option that a command does not have.

Other tools have other names for the same thing. For a known name of another tool, the option of
that meaning is suggested; for any other name, the option that is spelt most alike.
"""

from __future__ import annotations

import difflib

import click

__all__ = ["suggestions"]

# Options by meaning: the first that the command has is suggested. Names are without - and _.
_SYNONYMS = {
    "--monitor": """
        m metric metrics metricname monitormetric metricforbestmodel watch criterion key
        earlystoppingmetric objectivemetric measure
    """,
    "--patience": """
        p wait nwait niternochange earlystoppingrounds stoppingrounds earlystoppingpatience
        patienceepochs numbadepochs odwait maxnoimprovement rounds
    """,
    "--min-delta": """
        delta tolerance tol eps epsilon threshold minimprovement improvement margin mineps
        earlystoppingthreshold earlystoppingmindelta
    """,
    "--mode": """
        direction goal objective minimize maximize minimise maximise min max greaterisbetter
        higherisbetter lowerisbetter
    """,
    "--start-from-epoch": """
        warmup warmupepochs burnin startepoch minepochs skipepochs skipfirst graceperiod start
    """,
    "--relative": "rel thresholdmode",
    "--rule": "rules stop stopper stopping maxepochs timelimit expression",
    "--save": "keep checkpoint best savebest saveon savebestonly",
    "--on-missing": "missing gaps skipmissing",
    "--grid": "settings parameters params hyperparameters",
    "--max-regret": "regret maxloss budget target",
    "--at-most": "share quantile",
    "--complete": "full finished",
    "--stopped-early": "incomplete truncated",
    "--out --csv --json": "o output outfile outputfile outfilename dest destination saveto savefig",
    "--csv --json": "table tocsv",
    "--json --csv": "tojson machine",
    "--unit --cost-unit": "units per along countin xunit",
    "--cost": "price rate hourly hourlycost costperhour hourlyrate gpucost",
    "--workers": "j jobs njobs threads numworkers nthreads numthreads processes parallel cpus",
    "--separator": "sep delimiter delim",
    "--pattern": "regex regexp re grep",
    "--on-error": "ignoreerrors skiperrors errors keepgoing skip ignore",
    "--coordinate": "index xaxis stepcolumn epochcolumn counter step epoch",
    "--derive": "derived compute expr define formula",
    "--rename": "renames alias aliases names map mapping as",
    "--repeats": "duplicates dedup",
    "--format": "type filetype logformat inputformat",
    "--progress": "verbose v progressbar bar",
    "--quiet": "q silent noprogress",
    "--all": "every full showall list",
    "--run": "runname runid runindex",
    "--kind": "plot picture chart style",
    "--reasons": "reason why explain",
    "--version": "ver",
}
_SOURCES = """
    f i file files log logs path paths input inputfile infile folder dir directory glob
"""
_ALIKE = 0.75  # of difflib; unrelated names of this length reach about 0.6


def suggestions(error: click.NoSuchOption) -> str:
    """The sentence to add to the error: what was meant, or nothing.

    >>> command = click.Command("replay", params=[click.Option(["--monitor"])])
    >>> context = click.Context(command)
    >>> suggestions(click.NoSuchOption("--metric", ctx=context))
    " Did you mean '--monitor'?"
    >>> suggestions(click.NoSuchOption("--colour", ctx=context))
    ''
    """
    if error.ctx is None:
        return ""
    command = error.ctx.command
    there = [name for option in command.get_params(error.ctx) for name in _names(option)]
    asked = _plain(error.option_name)
    takes_logs = any(isinstance(each, click.Argument) for each in command.params)
    if asked in _SOURCES.split() and takes_logs:
        return " Logs are named without an option."
    meant = _of_meaning(asked, there) or _alike(asked, there)
    return f" Did you mean {meant!r}?" if meant else ""


def _names(option: click.Parameter) -> list[str]:
    if not isinstance(option, click.Option):
        return []
    return [name for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]


def _plain(name: str) -> str:
    """The name without what tools write in different ways.

    >>> _plain("--min_delta"), _plain("--minDelta"), _plain("-m")
    ('mindelta', 'mindelta', 'm')
    """
    return name.replace("-", "").replace("_", "").lower()


def _of_meaning(asked: str, there: list[str]) -> str | None:
    """The option of this meaning that the command has."""
    for options, names in _SYNONYMS.items():
        if asked in names.split():
            for option in options.split():
                if option in there:
                    return option
    return None


def _alike(asked: str, there: list[str]) -> str | None:
    """The option that is spelt most alike, or that begins with this name."""
    by_plain = {_plain(name): name for name in there}
    begun = [name for plain, name in by_plain.items() if len(asked) > 1 and plain.startswith(asked)]
    if len(begun) == 1:
        return begun[0]
    nearest = difflib.get_close_matches(asked, by_plain, n=1, cutoff=_ALIKE)
    return by_plain[nearest[0]] if nearest else None
