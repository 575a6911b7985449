"""A run -> one zip that hands it on: page, PDF, figures, scores, cfg and README.md.

huggin.pack("runs/sample").path
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from huggin.common.files import replacing
from huggin.pages.card import write_card
from huggin.pages.facts import keys_to_share
from huggin.pages.made_files import GRAPHS, MadeFile
from huggin.pages.page import page
from huggin.pages.pdf import pdf
from huggin.qa.arguments import run_named
from huggin.recording.checkpoints import newest_model
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder

MODEL = (  # the files that load a model and its tokenizer; none of them is a pickle
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "special_tokens_map.json",
    "*.model",
)
ANYONE_READS = 0o100644 << 16

Content = Path | str  # a file, or a text


def pack(
    run: str | Path,
    *,
    weights: bool = False,
    out: str | Path | None = None,
    folder: str | Path = GRAPHS,
) -> MadeFile:
    """Write one zip that hands a run on: what `huggin pack` does.

    It holds README.md, which is written anew, page.html, training.pdf, the figures that were drawn,
    the scores and cfg.json without `notify` and `hub_token`, and of paths the last part alone, as
    others need not know who you are. weights: also the newest model and its
    tokenizer. out: the zip; default: RUN.zip beside RUN. folder: where page and PDF are made if
    they are not there, or are older than the training.

    >>> import huggin
    >>> huggin.pack("runs/sample").path.name
    'sample.zip'

    Raises UserError if the run cannot be read.
    """
    found = RunFolder(run_named(run))
    facts = read_facts(found)
    write_card(found)
    played = page(found.path, folder=folder, if_needed=True)
    printed = pdf(found.path, folder=folder, if_needed=True)
    contents: dict[str, Content] = {
        "README.md": found.card,
        "page.html": played.path,
        "training.pdf": printed.path,
        "cfg.json": json.dumps(keys_to_share(facts), indent=2, ensure_ascii=False) + "\n",
    }
    scores = filter(Path.is_file, (found.eval_results, found.efficacy))
    contents |= {path.name: path for path in scores}
    figures = (path for path in found.own_files() if path.parent == found.graphs)
    contents |= {f"graphs/{path.name}": path for path in figures}
    if weights:
        model = newest_model(found)
        contents |= {path.name: path for pattern in MODEL for path in model.glob(pattern)}
    named = found.path if found.path.name else found.path.resolve()
    target = Path(out) if out else named.with_name(f"{named.name}.zip")
    write_zip(target, contents)
    return MadeFile(target, printed.notes)


def write_zip(target: Path, contents: Mapping[str, Content]) -> None:
    """Write a zip, whole or not at all: the same contents give the same bytes."""
    with replacing(target) as beside, ZipFile(beside, "w") as archive:
        for name in sorted(contents):
            entry = ZipInfo(name)  # of 1980, whenever the file was made
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = ANYONE_READS
            content = contents[name]
            if isinstance(content, str):
                archive.writestr(entry, content)
                continue
            with content.open("rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
                shutil.copyfileobj(file, packed)
