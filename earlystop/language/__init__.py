"""The language of rules: what a rule is, the operations it is written in, and how it is traced."""
