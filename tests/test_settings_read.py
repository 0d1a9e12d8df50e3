"""Every setting of every arm has an origin and is read by code that knows its class."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import replication
from replication.orchestration import discovery
from replication.settings import Settings, setting

SOURCES = sorted(Path(replication.__file__).parent.rglob("*.py"))


class Example(Settings):
    """Settings of this test: one field is read below, one is a word for other things, one is read nowhere."""

    learned: int = setting(1, "a", origin="ours")
    size: int = setting(1, "b", origin="ours")
    forgotten: int = setting(1, "c", origin="ours")


def nested(settings: Settings) -> Iterator[Settings]:
    """The settings and all settings inside them."""
    yield settings
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Settings):
            yield from nested(value)


@cache
def words_and_reads(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Words of a module, and the attributes it reads, methods and parts of modules apart."""
    text = path.read_text()
    nodes = list(ast.walk(ast.parse(text)))
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {alias.asname or alias.name for node in imports for alias in node.names}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    reads = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in called
        if not (isinstance(node.value, ast.Name) and node.value.id in modules)
    }
    return frozenset(re.findall(r"\w+", text)), frozenset(reads)


def unread(classes: Iterable[type[Settings]], sources: list[Path]) -> set[str]:
    """Fields that no module reads which names their class, or a class of settings it comes from."""
    missing = set()
    for cls in classes:
        names = {one.__name__ for one in cls.__mro__ if issubclass(one, Settings) and one is not Settings}
        read = set().union(*(read for words, read in map(words_and_reads, sources) if words & names))
        missing |= {f"{cls.__name__}.{name}" for name in cls.model_fields if name not in read}
    return missing


@pytest.mark.parametrize("paper", discovery.papers())
def test_every_setting_of_every_arm_has_an_origin_and_is_read_where_its_class_is_known(paper):
    arms = [arm for one in discovery.experiments(paper) for arm in one.arms("full").values()]
    assert {row["name"] for arm in arms for row in arm.describe() if not row["origin"]} == set()
    assert unread({type(one) for arm in arms for one in nested(arm)}, SOURCES) == set()


def test_a_setting_that_nobody_reads_is_found(tmp_path):
    reader, other = tmp_path / "reader.py", tmp_path / "other.py"
    reader.write_text("import np\ndef f(s: Example):\n    np.size(s.learned)\n    return np.size, s.forgotten()\n")
    other.write_text("def f(folder):\n    return folder.size, folder.forgotten\n")
    assert unread([Example], [reader, other]) == {"Example.size", "Example.forgotten"}
