"""What a figure was drawn for: a line that its file carries in its metadata.

matplotlib keeps a label for each figure and never draws it; here it holds that line.
"""

from matplotlib.figure import Figure


def say_drawn_for(figure: Figure, **facts: object) -> None:
    """Note what a figure shows, as `node 12, sample 0, step 1200`; a fact of None is left out."""
    known = [
        f"{name.replace('_', ' ')} {value}" for name, value in facts.items() if value is not None
    ]
    figure.set_label(", ".join(known))


def drawn_for(figure: Figure) -> str:
    """What was noted; "" if nothing was."""
    return str(figure.get_label())
