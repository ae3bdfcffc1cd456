"""The language of rules: what a rule is, the operations it is written in, and how it is recorded.

Read `rule.py` first (the predicate), then `ops.py` (what a `step` is written in).

`config.py`, `settings.py`, `direction.py`: frozen values whose fields are checked.
`registry.py`, `contract.py`: the rules by name, and the contract of their classes.
`codec.py`, `parser.py`: rules as JSON and as text. `state.py`: states as leaves and as JSON.
`tape.py`, `tracing.py`, `traced_metrics.py`: a `step` run on stand-ins, and the recorded trace.
"""
