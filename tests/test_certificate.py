"""A figure's certificate: equal bytes for equal inputs, and every later change is noticed."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas
import pytest

from replication.orchestration import project, provenance
from replication.plotting import certificate, curves, theme
from replication.settings import BadInput
from replication.stats.intervals import Band

FILES = ["fig.csv", "fig.json", "fig.png", "fig.svg"]


def draw():
    figure, ax = theme.figure(height=2.4)
    middle = np.linspace(0.5, 0.9, 12)
    bands = {"MAPPO": Band(middle, middle - 0.02, middle + 0.02, 5), "arm 3": Band(middle**2, middle**2, middle**2, 5)}
    curves.learning_curves(ax, np.arange(12) * 1000, bands, xlabel="step", ylabel="CR", references={"droop": 0.8})
    return figure


def save(folder, name="fig", **changes):
    content = {
        "data": {"step": np.arange(3), "cr": np.array([0.1, 1 / 3, np.nan])},
        "profile": "full",
        "seeds": [1, 0, 1],
        "results": ["b", "a"],
        "drawing_digest": "abc",
        "packages": {"numpy": "2.4"},
        "caption": theme.caption("CR", n=2),
    }
    return certificate.save(draw(), folder, name, **content | changes)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_equal_inputs_give_equal_bytes(tmp_path):
    save(tmp_path / "a")
    save(tmp_path / "b")
    assert list(contents(tmp_path / "a")) == FILES
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_equal_bytes_in_another_process_with_other_hashes_and_screen(tmp_path):
    program = "\n".join(
        [
            "import sys, pathlib",
            "sys.path[:0] = sys.argv[2:]",
            "import replication, matplotlib, test_certificate",
            "matplotlib.rcParams['figure.dpi'] = 72",
            "test_certificate.save(pathlib.Path(sys.argv[1]))",
        ]
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [sys.executable, "-c", program, str(tmp_path / "other"), root, os.path.join(root, "tests")]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "MPLBACKEND": "svg"}
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=300)
    save(tmp_path / "here")
    assert contents(tmp_path / "here") == contents(tmp_path / "other")


def test_certificate_states_what_the_figure_rests_on(tmp_path):
    stated = json.loads(save(tmp_path, commit="c1").read_text())
    assert set(stated) == {
        "figure", "caption", "profile", "seeds", "results", "drawing_digest", "packages", "files", "digest", "commit"
    }  # fmt: skip
    assert (stated["profile"], stated["seeds"], stated["results"]) == ("full", [0, 1], ["a", "b"])
    assert (stated["drawing_digest"], stated["packages"], stated["commit"]) == ("abc", {"numpy": "2.4"}, "c1")
    assert stated["files"]["fig.csv"] == hashlib.sha256((tmp_path / "fig.csv").read_bytes()).hexdigest()
    text = (tmp_path / "fig.svg").read_text() + (tmp_path / "fig.json").read_text()
    assert str(tmp_path) not in text
    assert "<dc:date>" not in text


def test_the_commit_alone_changes_nothing_on_disk(tmp_path):
    save(tmp_path, commit="first")
    before = contents(tmp_path)
    save(tmp_path, commit="second")
    assert contents(tmp_path) == before
    save(tmp_path, commit="second", drawing_digest="changed")
    assert json.loads((tmp_path / "fig.json").read_text())["commit"] == "second"


def test_other_numbers_give_another_certificate(tmp_path):
    save(tmp_path)
    before = contents(tmp_path)
    save(tmp_path, data={"step": np.arange(3), "cr": np.zeros(3)})
    after = contents(tmp_path)
    assert [name for name in FILES if before[name] != after[name]] == ["fig.csv", "fig.json"]
    assert certificate.verify(tmp_path / "fig.json") == []


def test_a_damaged_figure_is_written_again(tmp_path):
    save(tmp_path)
    whole = contents(tmp_path)
    (tmp_path / "fig.png").write_bytes(b"torn")
    save(tmp_path)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("name", ["fig.csv", "fig.png", "fig.svg"])
def test_verify_finds_edited_and_missing_files(tmp_path, name):
    path = save(tmp_path)
    assert certificate.verify(path) == []
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"0")
    (finding,) = certificate.verify(path)
    assert f"{name}: differs from its certificate" in finding
    (tmp_path / name).unlink()
    (finding,) = certificate.verify(path)
    assert f"{name}: missing" in finding


def test_verify_finds_an_edited_certificate(tmp_path):
    path = save(tmp_path, profile="quick")
    path.write_text(path.read_text().replace('"quick"', '"full"'))
    (finding,) = certificate.verify(path)
    assert "certificate was edited" in finding
    stated = json.loads(path.read_text())
    del stated["files"]["fig.csv"]
    path.write_text(json.dumps(stated))
    assert any("certificate speaks of" in line for line in certificate.verify(path))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}'])
def test_verify_says_what_is_no_certificate(tmp_path, text):
    path = tmp_path / "x.json"
    assert "certificate is missing" in certificate.verify(path)[0]
    path.write_text(text)
    assert "not a certificate" in certificate.verify(path)[0]


def test_quick_pictures_differ_from_full_ones(tmp_path):
    save(tmp_path / "full")
    save(tmp_path / "quick", profile="quick")
    full, quick = contents(tmp_path / "full"), contents(tmp_path / "quick")
    assert full["fig.csv"] == quick["fig.csv"]
    assert all(full[name] != quick[name] for name in ("fig.png", "fig.svg", "fig.json"))


def test_numbers_are_written_in_full_in_the_shape_they_have():
    assert certificate.to_csv({"x": np.array([1, 2]), "y": np.array([0.1 + 0.2, np.nan])}) == (
        "x,y\n1,0.30000000000000004\n2,\n"
    )
    assert certificate.to_csv({"v": np.array([[1.5, 2.0]]), "hour": np.array([6], dtype=np.int64)}) == (
        "array,index_0,index_1,value\nv,0,0,1.5\nv,0,1,2.0\nhour,0,,6\n"
    )
    frame = pandas.DataFrame({"arm": ["a, b"], "n": [3], "value": [np.float32(0.1)]})
    assert certificate.to_csv(frame) == 'arm,n,value\n"a, b",3,0.10000000149011612\n'
    with pytest.raises(BadInput, match="plotted numbers"):
        certificate.to_csv({})


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_bad_names_and_profiles_leave_nothing_behind(tmp_path, name):
    with pytest.raises(BadInput, match="plain file name"):
        save(tmp_path / "out", name)
    with pytest.raises(BadInput, match=r"unknown profile 'ful' \(did you mean full\?\)"):
        save(tmp_path / "out", profile="ful")
    assert not (tmp_path / "out").exists()


def test_a_setting_that_is_no_number_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save(tmp_path / "out", settings={"alpha": float("nan")})
    assert not (tmp_path / "out").exists()


def test_settings_are_stated_only_where_there_are_some(tmp_path):
    assert json.loads(save(tmp_path, settings={"alpha": 0.1}).read_text())["settings"] == {"alpha": 0.1}
    assert "settings" not in json.loads(save(tmp_path, settings={}).read_text())
    assert certificate.verify(tmp_path / "fig.json") == []


def test_what_a_kill_left_of_a_figure_is_swept(tmp_path):
    save(tmp_path)
    for name in (".fig.svg.7.tmp", ".other.svg.7.tmp"):
        (tmp_path / name).write_bytes(b"torn")
    save(tmp_path)
    assert sorted(contents(tmp_path)) == [".other.svg.7.tmp", *FILES]


# ---- the code that drew it


def test_the_drawing_code_is_what_the_figures_come_to_import_but_not_what_trains_or_loads():
    found = {path.relative_to(project.PACKAGE).as_posix() for path in provenance.drawing_sources("voltage_control")}
    expected = {"drawing.py", "publish.py", "plotting/theme.py", "plotting/certificate.py", "stats/intervals.py"}
    expected |= {f"papers/voltage_control/{name}.py" for name in ("figures", "figures_days", "figures_ratio", "arms")}
    assert expected <= found
    assert not found & {"papers/voltage_control/experiments.py", "algos/ppo.py", "orchestration/scheduler.py"}
    assert not [name for name in found if name.startswith("papers/") and "voltage_control" not in name]


@pytest.mark.parametrize(
    ("change", "differs"),
    [("\nNEW = 1\n", True), ("\n# a remark\n", False), ("def f():\n    'Other words.'\n", None)],
)
def test_the_drawing_digest_follows_code_and_not_comments(tmp_path, monkeypatch, change, differs):
    paper = tmp_path / "papers" / "small"
    paper.mkdir(parents=True)
    (tmp_path / "publish.py").write_text("from replication.plotting import theme\n")
    (tmp_path / "plotting").mkdir()
    theme = tmp_path / "plotting" / "theme.py"
    theme.write_text("def f():\n    'Words.'\n")
    (paper / "experiments.py").touch()
    (paper / "figures_all.py").write_text("x = 1\n")
    monkeypatch.setattr(project, "PACKAGE", tmp_path)
    whole = provenance.drawing_digest.__wrapped__
    before = whole("small")
    theme.write_text(change if differs is None else theme.read_text() + change)
    assert (whole("small") != before) == bool(differs)
    (paper / "figures_all.py").write_text("x = 2\n")
    assert whole("small") != before
