"""What training tools print: the lines by which each is recognised, and the values in them.

A tool's lines are read by rules. The named groups of a rule are coordinates and metrics; a group
`pairs` holds any number of names with values, which the pattern `PAIR` of the rule finds; a group
`part` names the part of the data and becomes a prefix; a group `net` numbers what is tested below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["BOXES", "STYLE", "TOOLS", "YOLO", "Lines", "Tool"]

STYLE = re.compile(r"\x1b\[[\d;]*[A-Za-z]")  # colours, and moves of the cursor
BOXES = ("-----\n| ", "-----\r\n| ")  # what stands in logs whose checks are boxes
YOLO = ("gpu_mem", "GPU_mem")  # what stands in the header of its table of losses
_N = r"[-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)"


@dataclass(frozen=True)
class Lines:
    """How lines of one kind are read.

    pattern: finds what is in the line.
    pair: finds the names and values in the group `pairs`.
    prefix: what is put before the names of metrics.
    names: better names for groups, which cannot have all characters.
    """

    pattern: re.Pattern[str]
    pair: re.Pattern[str] | None = None
    prefix: str = ""
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """What a tool prints.

    name: its name.
    mark: a text that stands in its output; looked for first, since that is quick.
    signature: what is found in no other text.
    lines: how its lines are read.
    overwrites: whether values of an epoch are printed again until they are final.
    begins: finds a line with which a run begins, or goes on.
    """

    name: str
    mark: str
    signature: re.Pattern[str]
    lines: tuple[Lines, ...]
    overwrites: bool = False
    begins: re.Pattern[str] | None = None


def _tool(
    name: str,
    mark: str,
    signature: str,
    *lines: Lines,
    overwrites: bool = False,
    begins: str | None = None,
) -> Tool:
    found = re.compile(signature, re.MULTILINE)
    return Tool(name, mark, found, lines, overwrites, re.compile(begins) if begins else None)


def _lines(pattern: str, pair: str | None = None, prefix: str = "", **names: str) -> Lines:
    return Lines(re.compile(pattern), None if pair is None else re.compile(pair), prefix, names)


_TABBED = rf"(?P<name>[^\t:]+?):\s*(?P<value>{_N})(?:\s*\+\s*(?P<std>{_N}))?(?=\t|\s*$)"
_BOOSTING = _lines(r"^(?:.*[\s|>])?\[(?P<iteration>\d+)\]\t(?P<pairs>.*)$", _TABBED)
_PIPED = rf"\|\s*(?P<name>[\w/@.-]+(?: [\w/@.-]+)*?)\s+(?P<value>{_N})%?(?=\s*(?:\||$))"
_EQUAL = rf"(?P<name>[\w/@.-]+)=(?P<value>{_N})%?(?:\s*\([^)]*\))?(?=,|\s|\]|$)"
_COLON = rf"(?P<name>[\w/@.-]+(?: [A-Za-z]\w*){{0,2}}):\s+(?P<value>{_N})(?=,|;|\s|s\b|$)"

TOOLS = (
    _tool(
        "MLPerf",
        ":::ML",
        r":::MLLOG \{|:::MLPv?[\d.]+ ",
        _lines(r":::MLLOG (?P<json>\{.*\})\s*$"),
        _lines(r":::MLPv?[\d.]+ .*?\) (?P<key>\w+): (?P<json>\{.*\})\s*$"),
    ),
    _tool(
        "fairseq",
        "epoch",
        r"\| epoch \d+ (?:\| valid on '|\| (?:train )?loss )"
        r"|\[(?:train|valid)\w*\]\[INFO\] - \{\"epoch\"",
        _lines(
            r"\| epoch (?P<epoch>\d+) \| (?P<part>valid) on '\w+' subset (?P<pairs>\|.*)$",
            _PIPED,
        ),
        _lines(r"\| epoch (?P<epoch>\d+) (?P<pairs>\| .*)$", _PIPED, "train/"),
        _lines(r"\[(?:train|valid)\w*\]\[INFO\] - (?P<json>\{\"epoch\".*\})\s*$"),
    ),
    _tool(
        "JoeyNMT",
        "oss",
        r"Epoch +\d+, Step: +\d+, Batch Loss: |Validation result \(\w+\) at epoch"
        r"|^Steps: \d+\tLoss: ",
        _lines(r"Epoch +(?P<epoch>\d+), Step: +(?P<step>\d+), (?P<pairs>.*)$", _COLON, "train/"),
        _lines(
            r"Validation result \(\w+\) at epoch +(?P<epoch>\d+), step +(?P<step>\d+): "
            r"(?P<pairs>.*)$",
            _COLON,
            "valid/",
        ),
        _lines(r"^(?:.* - )?Evaluation result \(\w+\):? (?P<pairs>.*)$", _COLON, "valid/"),
        _lines(r"^Steps: (?P<step>\d+)\t(?P<pairs>.*)$", _TABBED, "valid/"),
    ),
    _tool(
        "nnU-Net",
        "ice",
        r"Pseudo dice \[|Average global foreground Dice: \[",
        _lines(r"(?:^|: )Epoch:? +(?P<epoch>\d+)\s*$"),
        _lines(r"^epoch: +(?P<epoch>\d+)\s*$"),
        _lines(rf": train[_ ]loss ?:? (?P<train_loss>{_N})"),
        _lines(rf": val(?:idation)?[_ ]loss ?:? (?P<val_loss>{_N})"),
        _lines(rf": (?:Current learning rate|lr): (?P<lr>{_N})"),
        _lines(r": (?P<listed>Pseudo dice|Average global foreground Dice:) \[(?P<list>.*)\]"),
        _lines(
            rf"New best EMA pseudo Dice: (?P<best_ema_pseudo_dice>{_N})",
        ),
    ),
    _tool(
        "YOLOX",
        "iter_time",
        r"epoch: \d+/\d+, iter: \d+/\d+, .*total_loss: ",
        _lines(
            r"epoch: (?P<epoch>\d+)/\d+, iter: (?P<iter>\d+)/\d+, (?P<pairs>.*)$",
            rf"(?P<name>\w*loss|lr): (?P<value>{_N})",
        ),
        _lines(rf"\(AP\) @\[ IoU=0.50:0.95 \| area= +all \| .*\] = (?P<ap>{_N})", ap="val/AP50_95"),
        _lines(rf"\(AP\) @\[ IoU=0.50 +\| area= +all \| .*\] = (?P<ap>{_N})", ap="val/AP50"),
    ),
    _tool(
        "Darknet",
        " rate, ",
        rf"^ ?\d+: {_N}, {_N} avg(?: loss)?, {_N} rate, ",
        _lines(
            rf"^ ?(?P<iteration>\d+): (?P<loss>{_N}), (?P<avg>{_N}) avg(?: loss)?, "
            rf"(?P<lr>{_N}) rate",
            avg="avg_loss",
        ),
        _lines(rf"mean average precision \((?P<name>mAP@?[\d.]*)\) = (?P<value>{_N})"),
    ),
    _tool(
        "nanoGPT",
        "loss",
        rf"^step \d+: train loss {_N}, val loss {_N}",
        _lines(
            rf"^step (?P<iter>\d+): train loss (?P<train>{_N}), val loss (?P<val>{_N})",
            train="train/loss",
            val="val/loss",
        ),
        _lines(rf"^iter (?P<iter>\d+): loss (?P<loss>{_N})"),
    ),
    _tool(
        "Caffe",
        "solver.cpp",
        r"solver\.cpp:\d+\] (?:Iteration \d+|Initializing solver from parameters)",
        _lines(rf"\] Iteration (?P<iteration>\d+)(?: \(.*\))?, loss = (?P<loss>{_N})"),
        _lines(rf"\] Iteration (?P<iteration>\d+), lr = (?P<lr>{_N})"),
        _lines(r"\] Iteration (?P<iteration>\d+), Testing net(?: \(#(?P<net>\d+)\))?"),
        _lines(rf"\] +(?P<part>Test|Train) net output #\d+: (?P<name>\S+) = (?P<value>{_N})"),
    ),
    _tool(
        "MXNet",
        "Epoch[",
        rf"Epoch\[\d+\] (?:(?:Train|Validation)-[\w-]+={_N}|Batch ?\[\d.*samples/sec)",
        _lines(
            r"Epoch\[(?P<epoch>\d+)\] (?P<pairs>(?:Train|Validation)-.*)$",
            rf"(?P<name>(?:Train|Validation)-[\w-]+)=(?P<value>{_N})",
        ),
        _lines(
            r"Epoch\[(?P<epoch>\d+)\] Batch ?\[(?:\d+-)?(?P<batch>\d+)\]\s(?P<pairs>Speed.*)$",
            rf"(?P<name>[\w-]+)=(?P<value>{_N})",
        ),
    ),
    _tool(
        "pix2pix and CycleGAN",
        "oss",
        r"^=+ Training Loss \(.*\) =+\s*$",
        _lines(
            r"^\(epoch: (?P<epoch>\d+), iters: (?P<iters>\d+), [^)]*\) (?P<pairs>.*)$",
            rf"(?P<name>[\w/]+): (?P<value>{_N})(?=\s|$)",
        ),
        begins=r"^=+ Training Loss \(",
    ),
    _tool(
        "CatBoost",
        "learn: ",
        rf"^\d+:\tlearn: {_N}\t",
        _lines(
            r"^(?P<iteration>\d+):\t(?P<pairs>learn: .*)$",
            rf"(?P<name>learn|test\d*):? (?P<value>{_N})(?=\t|\s*$)",
        ),
    ),
    _tool(
        "XGBoost or LightGBM",
        "]\t",
        rf"\[\d+\]\t[^\t:\n]+:\s*{_N}(?:\s*\+\s*{_N})?(?:\t|\s*$)",
        _BOOSTING,
    ),
    _tool(
        "Keras",
        " - ",
        r"^Epoch \d+/\d+\s*$",
        _lines(r"^Epoch (?P<epoch>\d+)/\d+\s*$"),
        _lines(
            r"(?:^|[\s\x08])(?P<done>\d+)/(?P=done) .*?s\b.*? - (?P<pairs>\w+: .*)$",
            rf"(?P<name>\w+): (?P<value>{_N})(?= |$)",
        ),
        overwrites=True,
    ),
)
