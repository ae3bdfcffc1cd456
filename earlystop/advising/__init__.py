"""`advise`: which setting to use, with a guarantee about new runs.

`advise.py` puts the answer together. `request.py` checks what is requested, `guarantee.py` says
what can be guaranteed from how many runs, and `candidates.py` which rules are considered.
`regret_scale.py`, `truncation.py` and `exchangeability.py` examine the logs, `selection.py`
measures the candidates and selects one, and `result.py`, `text.py` and `warnings.py` are the
answer.

The function is not imported here: it would hide the module of the same name.
"""
