"""`python -m earlystop` is `earlystop`."""

from .cli import main

main(prog_name="earlystop")
