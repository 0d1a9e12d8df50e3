"""A figure and what it rests on: name.svg, name.png, name.csv (the plotted numbers) and name.json (the certificate).

Equal inputs give equal bytes in all four files. The certificate is renamed into place last, so a figure cut short by
a kill never carries a certificate that fits. The commit is information only: when nothing else differs from the
certificate on disk, the files are left as they are.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import numpy as np
import pandas
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from replication.plotting import theme
from replication.settings import PROFILES, BadInput, Settings, choose, digest
from replication.writing import remove_torn, write_files

SUFFIXES = ("svg", "png", "csv")
Numbers: TypeAlias = "pandas.DataFrame | Mapping[str, Any]"


def save(
    fig: Figure,
    folder: Path | str,
    name: str,
    *,
    data: Numbers,
    profile: str,
    seeds: Sequence[int],
    results: Sequence[str],
    drawing_digest: str,
    packages: Mapping[str, str],
    caption: str,
    settings: Settings | Mapping[str, Any] | None = None,
    commit: str = "",
) -> Path:
    """Save a figure with its numbers and certificate, close it, and return the certificate's path.

    Args:
        fig: the figure; a profile other than full is written on its face.
        folder: made if it does not exist.
        name: file name without ending.
        data: the plotted numbers: a data frame, or name -> array. Arrays of one length become columns;
            anything else becomes rows (array, index..., value).
        profile: smoke, quick or full.
        seeds: training seeds that entered.
        results: keys of the runs that entered; each run's own files say its settings, its data and its code.
        drawing_digest: digest of the code that drew the picture, as it was then; it may have changed since.
        packages: name -> version of what drew it.
        caption: with the sample size, see `theme.caption`.
        settings: of the world a picture without runs shows; left out where there are none.
        commit: information only.

    Raises:
        BadInput: unknown profile, a name that is not a plain file name, or numbers that are not finite plain data.
    """
    choose("profile", profile, PROFILES)
    if not name or name != Path(name).name or name.startswith("."):
        raise BadInput(f"figure name must be a plain file name, got {name!r}")
    folder = Path(folder)
    content = _pictures(fig, profile) | {"csv": to_csv(data).encode()}
    statement = {
        "figure": name,
        "caption": caption,
        "profile": profile,
        "seeds": sorted({int(seed) for seed in seeds}),
        "results": sorted(set(results)),
        "drawing_digest": drawing_digest,
        "packages": dict(packages),
        "files": {f"{name}.{suffix}": hashlib.sha256(content[suffix]).hexdigest() for suffix in SUFFIXES},
    }
    if settings:
        statement["settings"] = settings.plain() if isinstance(settings, Settings) else dict(settings)
    remove_torn(folder, name)
    certificate = folder / f"{name}.json"
    if not _unchanged(certificate, statement):
        full = {**statement, "digest": digest(statement), "commit": commit}
        text = json.dumps(full, indent=1, sort_keys=True, allow_nan=False) + "\n"
        folder.mkdir(parents=True, exist_ok=True)
        pictures = {folder / f"{name}.{suffix}": content[suffix] for suffix in SUFFIXES}
        write_files(pictures | {certificate: text.encode()})
    return certificate


def verify(json_path: Path | str) -> list[str]:
    """What is wrong with a saved figure, one line each; an empty list when certificate and files agree."""
    path = Path(json_path)
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        files, sealed = stated["files"], stated["digest"]
    except FileNotFoundError:
        return [f"{path}: certificate is missing; draw the figure again"]
    except (ValueError, KeyError, TypeError):
        return [f"{path}: not a certificate; draw the figure again"]
    findings = []
    if sealed != digest({key: value for key, value in stated.items() if key not in ("digest", "commit")}):
        findings.append(f"{path}: certificate was edited; draw the figure again")
    if sorted(files) != sorted(f"{path.stem}.{suffix}" for suffix in SUFFIXES):
        findings.append(f"{path}: certificate speaks of {', '.join(sorted(files))}; draw the figure again")
    for name, expected in sorted(files.items()):
        file = path.with_name(Path(name).name)
        if not file.is_file():
            findings.append(f"{file}: missing; draw the figure again")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            findings.append(f"{file}: differs from its certificate; draw the figure again")
    return findings


def to_csv(data: Numbers) -> str:
    """Plotted numbers as csv text, floats in full."""
    if isinstance(data, pandas.DataFrame):
        header = [str(column) for column in data.columns]
        rows = [list(row) for row in data.astype(object).itertuples(index=False, name=None)]
    else:
        header, rows = _from_arrays({str(key): np.asarray(value) for key, value in data.items()})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_plain(value) for value in row] for row in rows])
    return text.getvalue()


def _pictures(fig: Figure, profile: str) -> dict[str, bytes]:
    theme.mark_profile(fig, profile)
    content = {}
    hidden: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    with matplotlib.rc_context({key: theme.RC[key] for key in ("svg.hashsalt", "svg.fonttype", "path.simplify")}):
        for suffix, silent in hidden.items():
            stream = io.BytesIO()
            fig.savefig(stream, format=suffix, dpi=theme.RESOLUTION, metadata=silent, bbox_inches=None)
            content[suffix] = stream.getvalue()
    pyplot.close(fig)
    return content | {"png": _palette(content["png"])}


def _palette(png: bytes) -> bytes:
    """The same picture with a palette of 256 colours: a third of the bytes, which notebooks carry once more."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    reduced.save(stream, "png", optimize=True)
    return stream.getvalue()


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> tuple[list[str], list[list[Any]]]:
    if not arrays:
        raise BadInput("a figure needs its plotted numbers; give data= at least one array")
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) == 1 and len(next(iter(shapes))) == 1:
        return list(arrays), [list(row) for row in zip(*arrays.values(), strict=True)]
    depth = max(array.ndim for array in arrays.values())
    header = ["array", *(f"index_{axis}" for axis in range(depth)), "value"]
    rows: list[list[Any]] = []
    for name, array in arrays.items():
        for index, value in np.ndenumerate(array):
            rows.append([name, *index, *[""] * (depth - array.ndim), value])
    return header, rows


def _plain(value: Any) -> Any:
    if value is None or value is pandas.NA:
        return ""
    if isinstance(value, np.generic):
        value = value.item() if not isinstance(value, np.floating) else value
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(value) if isinstance(value, np.floating) else repr(value)
    return value


def _unchanged(certificate: Path, statement: Mapping[str, Any]) -> bool:
    if not certificate.is_file() or verify(certificate):
        return False
    stated = json.loads(certificate.read_text(encoding="utf-8"))
    return bool(stated["digest"] == digest(dict(statement)))
