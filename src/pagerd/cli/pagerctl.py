"""pagerctl: what people type to tell an audience and to see what became of it."""

from __future__ import annotations

from typing import Final

import rich_click as click

from pagerd.cli.ctl import about, doctor, providers, send, sessions, templates, why
from pagerd.cli.ctl.asking import examples
from pagerd.cli.ctl.shell import Shell

CONTEXT: Final = {
    "help_option_names": ["-h", "--help"],
    "rich_help_config": {
        "text_paragraph_linebreaks": "\n\n",
        "padding_helptext_first_line": (0, 0, 1, 0),
        "force_terminal": None,  # a build server's log is no terminal
        "max_width": 110,
    },
}


@click.group(cls=Shell, context_settings=CONTEXT)
@examples(
    "pagerctl send order-shipped people.csv         tell everybody in a file",
    "pagerctl send login-code --to ada@example.com --data code=123",
    "pagerctl sessions list                         what was sent lately",
    "pagerctl sessions watch ses_…                  follow one to its end",
    "pagerctl why ada@example.com                   what became of one person",
    "pagerctl doctor                                when nothing works",
)
def pagerctl() -> None:
    """Tell people, each in their own words, and see who was told.

    The server and the key come from --url and --key-file, PAGERCTL_URL and PAGERCTL_KEY_FILE, a profile, or the
    .pagerd folder that `pagerd dev` makes.
    """


for _module in (send, sessions, why, templates, providers, doctor, about):
    for _command in _module.COMMANDS:
        pagerctl.add_command(_command)


def main() -> None:
    """Run pagerctl, as the console script does."""
    import sys

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    pagerctl(prog_name="pagerctl")


if __name__ == "__main__":
    main()
