"""Make the pictures of the docs from the present code.

    python docs/make_pictures.py                  # all of them; trains the default run first
    python docs/make_pictures.py losses.png       # only these
    python docs/make_pictures.py --run RUN        # from a run of cfg.json that is there already
    python docs/make_pictures.py --check          # names the pictures whose code has changed since

Out: the pictures in `docs/`, and `docs/pictures.json`, which holds for each picture a hash of the
code that drew it. The pictures of LIME show MobileNetV2, downloaded by Keras, or the file
`mobilenet_v2_imagenet.keras` in the folder that the environment variable HUGGIN_TEST_DATA names.
`page.webp` is filmed in Debian's `chromium`.
"""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from docs.film import film  # noqa: E402
from huggin.common.console import find_command, find_commands  # noqa: E402
from huggin.graphs import kinds  # noqa: E402
from huggin.graphs.logits import draw_logits  # noqa: E402
from huggin.graphs.losses import draw_losses  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402

HASHES = DOCS / "pictures.json"
RUN = "runs/sample"
DRAWING = ("analysis", "graphs", "lime", "pages", "tracking")  # folders whose code makes pictures
SAMPLE = ("cfg.json", "sample/stories.json", "sample/bert-stories/config.json")
WIDEST = 2250  # pixels
SMALL = (8.3, 200)  # inches and pixels per inch: 100 pixels per inch in a column of 830 pixels


@dataclass(frozen=True)
class Picture:
    """How a picture is made: the lines that are typed after the training, and what they leave."""

    lines: tuple[str, ...]
    made: str  # a pattern of the file in the folder where the lines are typed


FIGURES = (f"graph-weights.py {RUN}", f"graph-losses.py {RUN}", f"graph-logits.py {RUN}")
TRAINING = (*FIGURES, f"create-gv-training.py {RUN}")
ANSWER = (
    *FIGURES,
    "test-qa-efficacy.py CFG --seed 1",
    f"graph-node-logits.py {RUN}",
    f"create-gv-output.py {RUN}",
)
LAYERS = (f"graph-layers {RUN}",)
QUESTIONS = (f"graph-questions {RUN}",)
CAT = ("lime.py MOBILENET --faithfulness --out cat",)
PICTURES = {
    "qa-training.png": Picture(TRAINING, "gv-graphs/qa-training-*.gv.pdf"),
    "qa-training-small.png": Picture(FIGURES[1:], RUN),
    "page.webp": Picture((f"create-page {RUN}",), "gv-graphs/qa-training-*.html"),
    "losses.png": Picture(FIGURES[1:2], f"{RUN}/graphs/losses.png"),
    "logits.png": Picture(FIGURES[2:3], f"{RUN}/graphs/logits.png"),
    "qa-output.png": Picture(ANSWER, "gv-graphs/qa-output-*.gv.pdf"),
    "shares.png": Picture((f"graph-node-logits.py {RUN} --share",), f"{RUN}/graphs/shares.png"),
    "layers.png": Picture(LAYERS, f"{RUN}/graphs/layers.png"),
    "layers-over-time.png": Picture(LAYERS, f"{RUN}/graphs/layers-over-time.png"),
    "gradients.png": Picture(LAYERS, f"{RUN}/graphs/gradients.png"),
    "questions-kind.png": Picture(QUESTIONS, f"{RUN}/graphs/questions-kind.png"),
    "questions-length.png": Picture(QUESTIONS, f"{RUN}/graphs/questions-length.png"),
    "questions-place.png": Picture(QUESTIONS, f"{RUN}/graphs/questions-place.png"),
    "questions-passes.png": Picture(QUESTIONS, f"{RUN}/graphs/questions-passes.png"),
    "rewind.png": Picture((f"rewind {RUN}",), f"{RUN}/graphs/rewind.png"),
    "attention.png": Picture(ANSWER[3:5], f"{RUN}/graphs/attention.png"),
    "words.png": Picture((f"lime-answer {RUN} 21",), f"{RUN}/explanations/21/words.png"),
    "legend.png": Picture((f"legend.py {RUN} --out legend.png",), "legend.png"),
    "flame.svg": Picture(("track-trainer.py profiled.json --flame flame.svg",), "flame.svg"),
    "lime.jpg": Picture(CAT, "cat/lime.png"),
    "faithfulness.png": Picture(CAT, "cat/faithfulness.png"),
    "rounds.jpg": Picture(
        ("inDeCeptionV3.py MOBILENET --rounds 3 --out rounds",), "rounds/rounds.png"
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Make pictures and print their paths, or name the old ones. Returns 1 if --check finds any."""
    parser = ArgumentParser(description="Make the pictures of the docs from the present code.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="pictures to make (default: all)")
    parser.add_argument("--run", metavar="RUN", type=Path, help="take this run of cfg.json")
    parser.add_argument("--check", action="store_true", help="name the pictures that are old")
    args = parser.parse_args(argv)
    names = args.names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(PICTURES)}")
    if args.check:
        return check(names)
    make(names, args.run)
    return 0


def check(names: Sequence[str]) -> int:
    """Name the pictures whose code is not the code that drew them. Returns 1 if there are any."""
    hashes = read_hashes()
    old = [name for name in names if hashes.get(name) != hash_of(PICTURES[name])]
    for name in old:
        again = f"python docs/make_pictures.py {name}"
        print(f"docs/{name}: the code that draws it has changed; run: {again}", file=sys.stderr)
    return 1 if old else 0


def read_hashes() -> dict[str, str]:
    """The hash of the code that drew each picture."""
    return json.loads(HASHES.read_text(encoding="utf-8")) if HASHES.exists() else {}


def hash_of(picture: Picture) -> str:
    """A hash of the code and the sample that a picture is made from.

    Comments, docstrings and line breaks do not count: they change no picture.
    """
    found = hashlib.sha256()
    for path in drawing_modules(picture):
        found.update(code_of(path).encode())
    for path in assets_of(picture):
        found.update(path.read_bytes())
    for name in SAMPLE:
        found.update((ROOT / name).read_bytes())
    return found.hexdigest()[:16]


def drawing_modules(picture: Picture) -> list[Path]:
    """The modules of ours that draw and that a picture's commands import, directly or not."""
    found: set[Path] = set()
    todo = [path for line in picture.lines for path in drawers_of(line.split()[0])]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += imports_of(path)
    return sorted(path for path in found if path.parent.name in DRAWING)


def drawers_of(command: str) -> list[Path]:
    """The files that a command's drawing begins in; graph-KIND draws by one function of `kinds`."""
    kind = command.removeprefix("graph-").removesuffix(".py")
    if kind not in kinds.KINDS:
        return [find_command(find_commands(), command).path]
    names = {"save_figures", *kinds.KINDS[kind].__code__.co_names}
    called = [getattr(kinds, name) for name in names if hasattr(kinds, name)]
    modules = {function.__module__ for function in called} - {kinds.__name__}
    return [ROOT / f"{name.replace('.', '/')}.py" for name in modules if name.startswith("huggin.")]


def assets_of(picture: Picture) -> list[Path]:
    """The template, styles and scripts that a picture of a page is made from."""
    if not any(line.startswith("create-page") for line in picture.lines):
        return []
    return sorted((ROOT / "huggin" / "pages" / "page").iterdir())


def imports_of(path: Path) -> Iterator[Path]:
    """The files of ours that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            files = (ROOT / f"{name.replace('.', '/')}.py" for name in names)
            yield from (file for file in files if file.is_file())


def code_of(path: Path) -> str:
    """A module's statements without docstrings and comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return ast.dump(tree)


def make(names: Sequence[str], run: Path | None) -> None:
    """Type the lines of the pictures in a temporary folder and keep what they leave."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, run)
        typed: set[str] = set()
        for name in names:
            picture = PICTURES[name]
            for line in picture.lines:
                if line not in typed:
                    type_line(folder, line)
                typed.add(line)
            save(next(folder.glob(picture.made)), DOCS / name)
            write_hash(name, hash_of(picture))
            print(f"docs/{name}")


def prepare(folder: Path, run: Path | None) -> None:
    """Put the trained default run, and a cfg for profiling, into a folder."""
    if run:
        shutil.copytree(run, folder / RUN)
    else:
        type_line(folder, "run_qa.py CFG")
    cfg = json.loads((ROOT / "cfg.json").read_text(encoding="utf-8"))
    cfg |= {"output_dir": "runs/profiled", "max_steps": 600, "do_eval": False}
    for key in ("model_name_or_path", "train_file", "validation_file"):
        cfg[key] = str(ROOT / cfg[key])
    (folder / "profiled.json").write_text(json.dumps(cfg), encoding="utf-8")


def type_line(folder: Path, line: str) -> None:
    """Run a command of the toolkit in a folder; its errors end this script."""
    stands_for = {"CFG": [str(ROOT / "cfg.json")], "MOBILENET": options_of_mobilenet()}
    words = [part for word in line.split() for part in stands_for.get(word, [word])]
    huggin = [sys.executable, "-m", "huggin.common.console"]
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*huggin, *words], cwd=folder, env=path, check=True)


def options_of_mobilenet() -> list[str]:
    """The options of `lime` that choose MobileNetV2."""
    data = os.environ.get("HUGGIN_TEST_DATA")
    if not data:
        return ["--model", "MobileNetV2"]
    files = Path(data).resolve()
    model = str(files / "mobilenet_v2_imagenet.keras")
    labels = str(files / "imagenet_labels.txt")
    return ["--model", model, "--labels", labels, "--pixels", "signed"]


def save(made: Path, target: Path) -> None:
    """Turn what a command left into a picture of the docs: of a PDF the first sheet."""
    if made.is_dir():
        draw_small(made, target)
    elif made.suffix == ".pdf":
        pages = ["-f", "1", "-l", "1", "-singlefile"]
        line = ["pdftoppm", "-r", "130", "-png", *pages, made, target.with_suffix("")]
        subprocess.run(line, check=True)  # of the package poppler-utils
        compress(target, target)
    elif made.suffix == ".html":
        film(made, target)
    elif target.suffix == ".svg":
        shutil.copyfile(made, target)
    else:
        compress(made, target)


def compress(source: Path, target: Path) -> None:
    """Save a picture with fewer pixels and colours, so that a page loads quickly."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((WIDEST, WIDEST))
    if target.suffix == ".jpg":
        picture.thumbnail((1150, 1150))
        picture.save(target, quality=85)
    else:
        picture.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


def draw_small(run: Path, target: Path) -> None:
    """Draw figures of the training PDF anew, with text that is readable in a README's column."""
    recording = Recording(run)
    width, dpi = SMALL
    losses = draw_losses(recording)["losses"]
    logits = draw_logits(recording)["logits"]
    sizes = {losses: (width, 4.6), logits: (width, 3.6)}
    places = {losses: (0, 0), logits: (0, 4.7)}
    sheet = Image.new("RGB", (round(width * dpi), round(8.3 * dpi)), "white")
    for figure, size in sizes.items():
        figure.set_size_inches(*size)
        figure.savefig(target, format="png", dpi=dpi)
        with Image.open(target) as drawn:
            left, top = places[figure]
            sheet.paste(drawn.convert("RGB"), (round(left * dpi), round(top * dpi)))
    sheet.save(target)
    compress(target, target)


def write_hash(name: str, code: str) -> None:
    """Keep the hash of the code that drew a picture."""
    hashes = read_hashes() | {name: code}
    text = json.dumps(dict(sorted(hashes.items())), indent=2) + "\n"
    HASHES.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
