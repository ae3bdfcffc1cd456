"""Live decisions: compiled steps, and the stopper that takes one check after another.

`recording.py` runs steps on stand-ins and records what they do as data. From a recording,
`scalar.py` writes a function for one live run and `vectorized.py` (with `vector_source.py`,
`registers.py` and `merging.py`) one for many runs; `source.py` compiles what they write.
"""
