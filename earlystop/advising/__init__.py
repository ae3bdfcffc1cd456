"""`advise`: which setting to use, with a promise about new runs.

- `advise.py` is the public function. It leads through the others.
- `request.py` checks which promise is requested; `guarantee.py` has the theory.
- `candidates.py` lists the rules to select from; `presmooth.py` makes sweeping some of them fast.
- `regret_scale.py`, `truncation.py` and `exchangeability.py` examine the logs.
- `calibration.py` measures the candidates on the logs, and `selection.py` selects one of them.
- `findings.py` holds the numbers of an answer, `text.py` and `warnings.py` its words, and
  `result.py` is the answer: `Advice`.

The function is not imported here: it would hide the module of the same name.
"""
