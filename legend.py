"""Draw a model's modules and its data flow, with a legend: RUN or a model -> PDF, SVG or PNG.

python legend.py RUN
"""  # huggin: look 80

import re
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.common.progress import loading

ON_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")


def main(argv: Sequence[str] | None = None) -> int:
    """Save the drawing and print its path."""
    parser = CommandParser(
        "Draw one forward pass: the model's modules as numbered boxes with the shapes of their\n"
        "outputs, and a legend beside them. Only config.json is read; weights are not needed.",
        "python legend.py runs/sample --out model.pdf",
    )
    parser.add_argument(
        "model", metavar="RUN_OR_MODEL", help="a run's or a model's folder, or a model on the Hub"
    )
    depth = "group modules N levels deep (default: one box per legend row)"
    parser.option("--depth N", depth, at_least=0)
    out = "file to write, .pdf, .svg or .png"
    parser.option("--out FILE", out, Path("legend.pdf"), type=Path)
    args = parser.parse_args(argv)
    from huggin.pages.dot import format_of

    format_of(args.out)
    refuse_unknown(args.model)
    loading("PyTorch")
    from huggin.pages.legend_drawing import draw, drawing

    draw(drawing(args.model, args.depth), args.out)
    print(args.out)
    return 0


def refuse_unknown(model: str) -> None:
    """Raise UserError for what is neither a model's folder nor, by its form, one on the Hub."""
    folder = Path(model)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise UserError(f"{model}: no config.json in this folder; name a run's or a model's folder")
    if not folder.is_dir() and not ON_THE_HUB.fullmatch(model):
        advice = "a model on the Hub is owner/name, as in google-bert/bert-base-uncased"
        raise UserError(f"{model}: no such folder; {advice}")


if __name__ == "__main__":
    run_command(main)
