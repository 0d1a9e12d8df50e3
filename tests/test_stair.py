"""Imports only go down, notebooks define nothing, nothing is pickled, heavy imports wait until they are needed."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOWEST = {"settings", "seeding", "writing"}
WORLDS = LOWEST | {"data", "envs"}
BELOW_PAPERS = WORLDS | {"algos", "stats", "plotting", "orchestration"}
MAY_IMPORT = {
    "settings": set(),
    "writing": set(),
    "seeding": {"settings"},
    "data": LOWEST,
    "envs": LOWEST | {"data"},
    "algos": WORLDS,
    "stats": WORLDS,
    "plotting": WORLDS,
    "orchestration": WORLDS | {"stats"},
    "evidence": BELOW_PAPERS,
    "drawing": LOWEST | {"stats"},
    "drawing_lines": LOWEST | {"stats", "plotting", "drawing"},
    "notebook": BELOW_PAPERS | {"evidence"},
    "publish": BELOW_PAPERS | {"evidence", "notebook", "drawing"},
    "papers": BELOW_PAPERS | {"evidence", "notebook", "publish", "drawing", "drawing_lines"},
    "__init__": WORLDS,
    "__main__": BELOW_PAPERS | {"evidence", "notebook", "publish", "papers"},
}
PICKLERS = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
SOURCES = sorted((ROOT / "replication").rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(nodes: Iterator[ast.AST] | list[ast.AST], package: str = "") -> set[str]:
    """Dotted names of the modules that the import statements among `nodes` name."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: everything outside of functions and type checks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_import_time(node)


def floor_of(path: Path) -> str:
    return path.relative_to(ROOT / "replication").parts[0].removesuffix(".py")


def climbs(path: Path, tree: ast.Module) -> set[str]:
    """Floors that a source file imports although it may not."""
    here = floor_of(path)
    package = ".".join(path.relative_to(ROOT).parent.parts)
    used = {name.split(".")[1] for name in imported(ast.walk(tree), package) if name.startswith("replication.")}
    floors = {name for name in used if name in MAY_IMPORT}
    return floors - MAY_IMPORT[here] - {here}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    assert floor_of(path) in MAY_IMPORT, f"{path} stands on no floor of the stair"
    assert climbs(path, parsed(path)) == set()


def test_the_check_sees_a_climb() -> None:
    inside = ROOT / "replication" / "envs" / "example.py"
    assert climbs(inside, ast.parse("from replication.algos import ppo")) == {"algos"}
    assert climbs(inside, ast.parse("def f():\n    import replication.papers.x")) == {"papers"}
    assert climbs(inside, ast.parse("from replication import stats")) == {"stats"}
    assert climbs(inside, ast.parse("from ..algos import ppo")) == {"algos"}
    assert climbs(inside, ast.parse("from replication.data.profiles import Profiles")) == set()


def test_papers_do_not_import_each_other() -> None:
    for path in (ROOT / "replication" / "papers").rglob("*.py"):
        paper = path.relative_to(ROOT / "replication" / "papers").parts[0]
        names = imported(ast.walk(parsed(path)))
        papers = {name.split(".")[2] for name in names if name.startswith("replication.papers.")}
        assert papers <= {paper}, f"{path} imports another paper"


def declared_modules() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0].lower() for line in project["dependencies"]}
    return {{"pot": "ot", "pillow": "PIL"}.get(name, name) for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_import_time_needs_core_packages_only(path: Path) -> None:
    """Extras, and POT whose import takes seconds, are imported in the functions that use them."""
    names = {name.split(".")[0] for name in imported(list(at_import_time(parsed(path))), "replication")}
    outside = names - set(sys.stdlib_module_names) - {"replication"}
    assert outside <= declared_modules() - {"ot"}


def pickling(tree: ast.Module) -> list[str]:
    found = [name for name in imported(ast.walk(tree)) if name.split(".")[0] in PICKLERS]
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append("allow_pickle")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"torch.save", "torch.load"}:
            found.append(ast.unparse(node.func))
    return found


def test_nothing_is_pickled() -> None:
    places = [*SOURCES, *(ROOT / "notebooks").glob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert {str(path): pickling(parsed(path)) for path in places if pickling(parsed(path))} == {}
    example = ast.parse("import pickle\nnumpy.load(x, allow_pickle=True)\ntorch.load(y)")
    assert set(pickling(example)) == {"pickle", "allow_pickle", "torch.load"}


def definitions(text: str) -> list[str]:
    """Functions and classes that a notebook's percent source defines, and its shell or magic lines."""
    nodes = ast.walk(ast.parse(text))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in nodes if isinstance(node, kinds)] + re.findall(r"(?m)^# ?[!%](?!%).*", text)


def test_notebooks_define_nothing() -> None:
    found = {path.name: definitions(path.read_text("utf-8")) for path in (ROOT / "notebooks").glob("*.py")}
    assert {name: names for name, names in found.items() if names} == {}
    example = "# %%\nclass A: pass\n# %% [markdown]\n# text\n# !pip install x\n# %matplotlib inline\n"
    assert definitions(example) == ["A", "# !pip install x", "# %matplotlib inline"]
