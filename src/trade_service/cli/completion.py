"""`trade-service completion`: prints a shell's script for completing commands, options and their values."""

import rich_click as click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from trade_service.cli.commands import COMPLETE_VARIABLE, PROGRAM, cli
from trade_service.cli.running import json_option, print_json

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@json_option
def completion(*, shell: str, as_json: bool) -> None:
    """Print the script that lets SHELL complete commands, options and values with the Tab key.

    \b
    bash: add to ~/.bashrc:  eval "$(trade-service completion bash)"
    zsh:  add to ~/.zshrc:   eval "$(trade-service completion zsh)"
    fish: trade-service completion fish > ~/.config/fish/completions/trade-service.fish
    """
    script = SHELLS[shell](cli, {}, PROGRAM, COMPLETE_VARIABLE).source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script, nl=False)
