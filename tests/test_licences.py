"""Licences and citation: everything shipped is covered, and what is cited is not passed off as this work."""

import re
import tomllib
from pathlib import Path

from packaging.licenses import canonicalize_license_expression

from replication.orchestration import discovery

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "replication" / "data" / "bundle"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = (ROOT / "CITATION.cff").read_text()


def test_the_licence_names_those_of_code_and_data_and_ships_their_texts():
    licence = PROJECT["license"]
    assert canonicalize_license_expression(licence) == licence
    notice = (BUNDLE / "NOTICE").read_text()
    for name, said in (("ODbL-1.0", "(ODbL) 1.0"), ("DbCL-1.0", "(DbCL) 1.0")):
        assert name in licence, name
        assert said in " ".join(notice.split()), name
    assert "MIT" in licence
    assert sorted(PROJECT["license-files"]) == ["LICENSE", "replication/data/bundle/NOTICE"]
    assert all((ROOT / path).is_file() for path in PROJECT["license-files"])


def test_the_notice_has_a_paragraph_for_every_shipped_data_file():
    headings = re.findall(r"^(\S+\.\w+)$", (BUNDLE / "NOTICE").read_text(), re.MULTILINE)
    shipped = {path.relative_to(BUNDLE).as_posix() for path in BUNDLE.rglob("*") if path.is_file()} - {"NOTICE"}
    assert set(headings) == shipped
    assert len(headings) == len(shipped)


def test_the_citation_refers_to_the_replicated_papers_and_is_none_of_them():
    work, _, references = CITATION.partition("\nreferences:\n")
    assert "arxiv" not in work.lower()
    assert "identifiers" not in CITATION
    cited = re.findall(r"^    url: https://arxiv\.org/abs/(\d{4}\.\d{5})$", references, re.MULTILINE)
    assert len(cited) == len(set(cited)) == len(re.findall(r"^  - type: article$", references, re.MULTILINE))
    notebooks = "".join((ROOT / "notebooks").joinpath(name).read_text() for name in notebook_sources())
    assert (
        {"2504.21048", "2501.12991", "2302.07938", "2401.10949"}
        <= set(cited)
        <= set(re.findall(r"\d{4}\.\d{5}", notebooks))
    )


def notebook_sources() -> list[str]:
    return [
        path.name for path in sorted((ROOT / "notebooks").glob("0[1-9]_*.py")) if path.stem[3:] in discovery.papers()
    ]
