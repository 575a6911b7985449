"""Arguments that commands which draw have in common."""

import os
from pathlib import Path

from huggin.common.cli import CommandParser
from huggin.common.errors import UserError


def graph_parser(description: str, command: str) -> CommandParser:
    """Arguments of a graph command: RUN and others beside it, --format, --show."""
    parser = CommandParser(description, f"python {command} runs/sample --format png,svg")
    parser.add_argument(
        "run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir"
    )
    parser.add_argument("more", metavar="RUN", nargs="*", type=Path, help="runs to draw beside it")
    parser.add_argument(
        "--format", type=_formats, default="png", help="png, svg, pdf, or several with commas (png)"
    )
    add_show_option(parser)
    return parser


def _formats(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in ("png", "svg", "pdf")]
    if unknown:
        raise UserError(f"--format {','.join(unknown)}: choose from png, svg, pdf")
    return text.split(",")


def add_show_option(parser: CommandParser) -> None:
    """The argument --show. A backend that a notebook, say, has set for itself would not be there for us."""
    os.environ.pop("MPLBACKEND", None)
    parser.add_argument("--show", action="store_true", help="open the figures in windows too")


def choose_node(parser: CommandParser, default: str | None = "percent") -> None:
    """Arguments that choose the tracked node: --node, --rank-by."""
    rankings = "percent or absolute change of weight, share in the tracked sample's margin, or share-change (percent)"
    parser.add_argument("--node", type=int, help="the tracked node (the first of the ranking)")
    parser.add_argument(
        "--rank-by", default=default, metavar="WHAT", help=f"rank the nodes by {rankings}"
    )


def choose_sample(parser: CommandParser, default: int | None = 0) -> None:
    """The argument --sample."""
    parser.add_argument(
        "--sample", type=int, default=default, metavar="I", help="the tracked sample, 0 = the first"
    )
