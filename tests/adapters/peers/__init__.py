"""The real classes of other frameworks and ours, on the same curves.

Each peer is driven as its framework drives it. Where the rule is the same, decisions must agree on
every curve; where ours differs on purpose, a test of its own says how.
"""
