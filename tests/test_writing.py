"""Files and folders appear whole or not at all, and what a kill leaves is swept."""

import os

import pytest

from replication import writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_are_replaced_whole(tmp_path):
    writing.write_bytes(tmp_path / "a", b"old")
    writing.write_files({tmp_path / "a": b"new", tmp_path / "b": b"1"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new", "b": b"1"}


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_files_come_in_order_and_nothing_is_left_when_a_rename_fails(tmp_path, monkeypatch, renames):
    real, left = os.replace, iter(range(renames))

    def fails(source, target):
        if next(left, None) is None:
            raise OSError("disk")
        real(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk"):
        writing.write_files({tmp_path / name: b"x" for name in "cab"})
    assert names(tmp_path) == sorted("cab"[:renames])


def test_no_file_is_renamed_before_all_are_written(tmp_path):
    (tmp_path / "first").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        writing.write_files({tmp_path / "first": b"new", tmp_path / "no folder" / "second": b"new"})
    assert (tmp_path / "first").read_bytes() == b"old"
    assert names(tmp_path) == ["first"]


def test_a_folder_appears_when_it_is_full(tmp_path):
    with writing.new_folder(tmp_path / "deep" / "made") as unfinished:
        (unfinished / "file").write_bytes(b"x")
        assert not (tmp_path / "deep" / "made").exists()
    assert names(tmp_path / "deep") == ["made"]
    assert names(tmp_path / "deep" / "made") == ["file"]
    with pytest.raises(KeyError), writing.new_folder(tmp_path / "deep" / "other"):
        raise KeyError
    assert names(tmp_path / "deep") == ["made"]


def test_leftovers_are_swept_and_nothing_else(tmp_path, monkeypatch):
    """A kill is a rename that never happens and a clean-up that does not run."""
    with monkeypatch.context() as killed:
        killed.setattr(os, "replace", lambda source, target: None)
        killed.setattr("pathlib.Path.unlink", lambda *_, **__: None)
        for name in ("a.svg", "ab.svg", "a"):
            writing.write_bytes(tmp_path / name, b"x")
    for name in ("a.svg", "kept.tmp", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    assert len(names(tmp_path)) == 6
    writing.remove_torn(tmp_path, "a")
    assert names(tmp_path) == sorted([f".ab.svg.{os.getpid()}.tmp", ".hidden", "a.svg", "kept.tmp"])
    writing.remove_torn(tmp_path)
    assert names(tmp_path) == [".hidden", "a.svg", "kept.tmp"]
