"""The side-by-side benchmark: turns, ratios, tables, and what a wrong name does. Nothing here is timed."""

import json

import numpy as np
import pytest

from benchmarks import report, run
from benchmarks.contest import Benchmark, Contestant, Outcome, Target, measure


def toy(calls: list[str]) -> Benchmark:
    def contestant(name: str) -> Contestant:
        def work() -> int:
            calls.append(name)
            return 1

        return Contestant(name, lambda: work)

    def absent():
        raise ImportError("no package named peer")

    return Benchmark(
        name="Toy",
        question="Which is faster?",
        unit="thing",
        contestants=(contestant("a"), contestant("b"), contestant("c"), Contestant("gone", absent)),
        targets=(Target("a", ("b", "gone"), 1e-12), Target("a", ("gone",), 2)),
        notes=("only a toy",),
    )


def outcome(**rates: list[float]) -> Outcome:
    targets = (Target("ours", ("slow", "fast"), 20), Target("ours", ("absent",), 5))
    contestants = tuple(Contestant(name, lambda: lambda: 1) for name in rates)
    benchmark = Benchmark("Known", "?", "case", contestants, targets)
    return Outcome(benchmark, {name: np.array(values) for name, values in rates.items()})


def test_contestants_take_turns_and_each_round_starts_with_another():
    calls: list[str] = []
    result = measure(toy(calls), rounds=3, seconds=1e-9)
    assert calls == [*"abc", *"abc", *"bca", *"cab"]  # prepared once, then the rounds
    assert {name: len(rates) for name, rates in result.rates.items()} == {"a": 3, "b": 3, "c": 3}
    assert list(result.missing) == ["gone"]


def test_ratio_is_taken_within_a_round_against_the_fastest_peer():
    known = outcome(ours=[100.0, 300.0, 200.0], slow=[1.0, 1.0, 20.0], fast=[4.0, 10.0, 10.0])
    first, second = known.benchmark.targets
    assert known.ratios(first).tolist() == [25.0, 30.0, 10.0]
    assert report.met(known, first) is True
    assert known.ratios(second) is None
    assert report.met(known, second) is None
    slower = outcome(ours=[70.0, 300.0, 200.0], slow=[1.0, 1.0, 20.0], fast=[4.0, 20.0, 10.0])
    assert report.met(slower, first) is False


def test_report_names_what_was_met_missed_and_not_measured():
    known = outcome(ours=[100.0, 300.0, 200.0], slow=[1.0, 1.0, 20.0], fast=[40.0, 100.0, 100.0])
    text = report.text(known)
    assert "MISSED" in text
    assert "not measured" in text
    assert report.plain(known)["targets"][0]["ratios"] == [2.5, 3.0, 2.0]
    widths = {len(line) for line in text.split("\n\n")[2].splitlines()}
    assert len(widths) == 1


@pytest.mark.parametrize(
    "value, expected", [(1234567.0, "1,230,000"), (31.14, "31.1"), (0.012345, "0.0123"), (9.999, "10.0"), (0.0, "0.0")]
)
def test_numbers_keep_three_digits(value, expected):
    assert report.number(value) == expected


def test_unknown_benchmark_is_one_line(capsys):
    assert run.main(["power_flwo"]) == 2
    message = capsys.readouterr().err
    assert "did you mean power_flow?" in message
    assert message.count("\n") == 1


def test_list_runs_nothing(capsys):
    assert run.main(["--list"]) == 0
    assert "power_flow" in capsys.readouterr().out.split()


def test_saving_keeps_results_of_other_benchmarks(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    known = outcome(ours=[1.0], slow=[1.0], fast=[1.0])
    run.save({"one": known})
    run.save({"two": known})
    assert sorted(json.loads((tmp_path / "results.json").read_text())) == ["one", "two"]
    assert (tmp_path / "results.md").read_text().count("## Known") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.md"]
