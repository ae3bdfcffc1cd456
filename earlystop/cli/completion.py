"""`earlystop completion`: scripts by which a shell completes commands, options and file names."""

from __future__ import annotations

import click

__all__ = ["completion"]


@click.command(short_help="Let a shell complete commands and options.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands and options.

    \b
    bash:  earlystop completion bash > ~/.local/share/bash-completion/completions/earlystop
    zsh:   earlystop completion zsh > ~/.zfunc/_earlystop     (a folder of your fpath)
    fish:  earlystop completion fish > ~/.config/fish/completions/earlystop.fish
    """
    from click.shell_completion import get_completion_class

    cls = get_completion_class(shell)
    assert cls is not None  # noqa: S101  # click has all three
    group = ctx.find_root().command
    click.echo(cls(group, {}, "earlystop", "_EARLYSTOP_COMPLETE").source())
