"""README and docs: links, pictures, the tree of files, and the commands and options in blocks."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs import make_help, make_pictures
from huggin.common.console import find_command, find_commands

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "docs" / "contributing.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [README, *PAGES, ROOT / "bench" / "README.md"]
MARKS = {"", "network", "gpu", "long"}  # what may follow `bash`: a test skips such blocks


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives to headings (without the numbers of repeated ones)."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(text), re.M)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


def links_of(path: Path) -> list[tuple[str, str]]:
    """(file, anchor) of each link and picture that stays in the repository."""
    text = without_blocks(path.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    inside = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [(file, anchor) for file, _, anchor in (target.partition("#") for target in inside)]


def tree_of(text: str) -> str:
    """The block under `The files`."""
    return text.split("## The files\n", 1)[1].split("```")[1]


def in_tree(name: str, tree: str) -> bool:
    return re.search(rf"^{re.escape(name)}(?=\s)", tree, re.M) is not None


def bash_lines() -> list[tuple[str, str]]:
    """(page, line) of each line in a block that is typed, without its comment."""
    found = []
    for path in TEXTS:
        blocks = re.findall(
            r"^```bash[^\n]*\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S
        )
        lines = [line for block in blocks for line in block.splitlines()]
        found += [(name_of(path), line.partition(" #")[0].strip()) for line in lines]
    return found


def commands_in_blocks() -> list[tuple[str, str, list[str]]]:
    """(page, command, its options) of each typed line `huggin COMMAND ...`."""
    found = []
    for page, line in bash_lines():
        typed = re.match(r"huggin ([a-zA-Z_]\S*)(.*)", line)
        if typed:
            found.append((page, typed[1], re.findall(r"(?<=\s)--[a-z][\w-]*", typed[2])))
    return found


def script_of(command: str) -> Path:
    """The file of a console command: `lime` -> lime.py."""
    return find_command(find_commands(), command).path


def sources_of(script: Path) -> str:
    """The text of a script and of all modules of ours that it imports, directly or not."""
    texts: dict[Path, str] = {}
    found = [script]
    while found:
        path = found.pop()
        if path in texts or not path.is_file():
            continue
        texts[path] = path.read_text(encoding="utf-8")
        for package, names in re.findall(r"^\s*from ([\w.]+) import (.+)", texts[path], re.M):
            modules = [package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))]
            found += [ROOT / f"{module.replace('.', '/')}.py" for module in modules]
    return "\n".join(texts.values())


def knows(command: str, option: str) -> bool:
    """Whether the command takes the option, itself or as a key that it passes on to `run_qa`."""
    if option in ("--help", "--version"):
        return True
    if command in ("run_qa", "track-trainer") and is_key(option[2:].replace("-", "_")):
        return True
    if command == "get-model-output" and knows("test-qa-efficacy", option):
        return True
    sources = sources_of(script_of(command))
    return command != "run_qa" and re.search(f'"{option}[" ]', sources) is not None


def is_key(name: str) -> bool:
    """Whether `run_qa` has a key of this name, its own or the Trainer's."""
    spec = find_spec("transformers")
    assert spec and spec.origin
    sources = sources_of(script_of("run_qa"))
    sources += Path(spec.origin).with_name("training_args.py").read_text(encoding="utf-8")
    return re.search(rf"^    {name}: ", sources, re.M) is not None


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_and_pictures_are_there(path):
    broken = []
    for file, anchor in links_of(path):
        target = path.parent / file if file else path
        if not target.exists() or (
            anchor and anchor not in anchors_of(target.read_text(encoding="utf-8"))
        ):
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_readme_links_to_every_page():
    linked = {file for file, _ in links_of(README)}
    assert {f"docs/{path.name}" for path in PAGES} - linked == set()


def test_generated_pages_are_up_to_date(capsys):
    """If this fails, run: python docs/make_help.py"""
    code = make_help.main(["--check"])
    assert (code, capsys.readouterr().err) == (0, "")


def test_a_page_with_other_words_is_out_of_date(tmp_path):
    page = tmp_path / "commands.md"
    assert make_help.is_stale(page, "usage: a b")
    page.write_text("usage:\n  a b\n")
    assert not make_help.is_stale(page, "usage: a b")
    assert make_help.is_stale(page, "usage: a c")


def test_keys_take_the_place_between_the_marks():
    page = f"before\n{make_help.GENERATED}\nold\n{make_help.END}\nafter\n"
    made = make_help.with_keys(page, "new")
    assert made == f"before\n{make_help.GENERATED}\n\nnew\n\n{make_help.END}\nafter\n"
    with pytest.raises(SystemExit, match="needs the lines"):
        make_help.with_keys("no marks", "new")


def test_every_picture_is_made_by_the_script_and_shown_on_a_page():
    """Whether a picture is older than its code is asked by `make_pictures.py --check`, before a
    release: most changes of the code leave the picture as it is, and making it takes minutes."""
    shown = {
        Path(file).name
        for path in TEXTS
        for file, _ in links_of(path)
        if Path(file).suffix in (".png", ".jpg", ".svg", ".webp")
    }
    assert shown == set(make_pictures.PICTURES)
    assert make_pictures.read_hashes().keys() <= shown


def test_a_picture_is_old_when_code_that_draws_it_has_changed(monkeypatch, tmp_path, capsys):
    picture = make_pictures.PICTURES["losses.png"]
    modules = make_pictures.drawing_modules(picture)
    names = {path.name for path in modules}
    assert {"losses.py", "style.py", "saving.py"} <= names
    assert not {"weights.py", "recorder.py", "cli.py"} & names
    monkeypatch.setattr(make_pictures, "HASHES", tmp_path / "pictures.json")
    assert make_pictures.main(["losses.png", "--check"]) == 1
    assert "docs/losses.png: the code that draws it has changed" in capsys.readouterr().err
    make_pictures.write_hash("losses.png", make_pictures.hash_of(picture))
    assert make_pictures.main(["losses.png", "--check"]) == 0


def test_comments_and_docstrings_change_no_picture(tmp_path):
    one = tmp_path / "one.py"
    one.write_text('"""Draw."""\n\n\ndef draw(width):\n    """Draw it."""\n    return width\n')
    same = tmp_path / "same.py"
    same.write_text('"""Other."""\n# why\n\n\ndef draw(\n    width,\n):\n    return width\n')
    other = tmp_path / "other.py"
    other.write_text('"""Draw."""\n\n\ndef draw(width):\n    return width + 1\n')
    code = make_pictures.code_of
    assert code(one) == code(same)
    assert code(one) != code(other)


def test_tree_has_a_line_for_every_file_and_folder():
    """The files at the root and the folders, by what git knows; a folder's files share its line."""
    tree = tree_of(CONTRIBUTING.read_text(encoding="utf-8"))
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    tops = {re.sub(r"^(huggin/[^/]+/|[^/]+/).*", r"\1", name) for name in listed.stdout.split()}
    tops = {name for name in tops if name[0] != "." and (ROOT / name).exists()}
    named = sorted(tops - {"README.md", "huggin/"})
    assert len(named) > 40
    assert [name for name in named if not in_tree(name, tree)] == []


def test_tree_names_nothing_that_is_gone():
    tree = tree_of(CONTRIBUTING.read_text(encoding="utf-8"))
    names = [line.split()[0] for line in tree.splitlines() if line.strip()]
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_a_line_of_the_tree_counts_for_its_own_file_only():
    tree = "\ntest-qa-efficacy.py  asks\n  graph-efficacy.py  draws\nlime.pyc  none\n"
    assert in_tree("test-qa-efficacy.py", tree)
    for other in ("efficacy.py", "graph-efficacy.py", "lime.py"):
        assert not in_tree(other, tree)


def messages_of(page: Path) -> list[str]:
    """The messages that a page quotes in bold, such as **`no database here`**."""
    return re.findall(r"\*\*`([^`]+)`\*\*", page.read_text(encoding="utf-8"))


def is_printed(message: str, sources: str) -> bool:
    """Whether the sources hold each part of a message; `...` and numbers stand for any text."""
    parts = re.split(r"\.\.\.|\d[\d.]*", message)
    return all(part.strip(" ,") in sources for part in parts)


def test_every_message_of_troubleshooting_is_printed_by_the_toolkit():
    files = [ROOT / "setup", ROOT / "stages.sh", *ROOT.glob("*.py"), *ROOT.glob("huggin/**/*.py")]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    joined = re.sub(r'"\n\s+f?"', "", sources)
    messages = messages_of(ROOT / "docs" / "troubleshooting.md")
    assert len(messages) > 15
    assert [message for message in messages if not is_printed(message, joined)] == []


def test_a_message_that_nothing_prints_is_found():
    assert is_printed("trains on one of 2 GPUs", 'f"trains on one of {count} GPUs"')
    assert not is_printed("answers fit into no window", 'f"answers are longer"')


def test_blocks_have_marks_that_are_known():
    marks = {
        mark.strip()
        for path in TEXTS
        for mark in re.findall(r"^```bash([^\n]*)$", path.read_text(encoding="utf-8"), re.M)
    }
    assert marks <= MARKS


def test_commands_in_blocks_are_there():
    known = {command.name for command in find_commands()}
    assert {(page, name) for page, name, _ in commands_in_blocks() if name not in known} == set()
    assert len(commands_in_blocks()) > 50  # the blocks are found at all


def test_options_in_blocks_are_there():
    unknown = [
        (page, command, option)
        for page, command, options in commands_in_blocks()
        for option in options
        if not knows(command, option)
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("lime", "--cfg"),
        ("graph-weights", "--share"),
        ("run_qa", "--questions_per_night"),
        ("db-indices", "--search"),
    ],
)
def test_an_option_of_another_command_is_unknown(command, option):
    assert not knows(command, option)
