"""Kill -9 of drivers and workers at awkward moments: the same command finishes, with equal results and no orphans."""

import signal
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest
from toy_paper import project as toy

from replication.orchestration import discovery, ensure

PAUSE = "0.05"


@pytest.fixture(autouse=True)
def toy_paper(monkeypatch):
    for name, value in toy.variables(TOY_PAUSE=PAUSE).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def undisturbed(tmp_path):
    """Results of the same walks, never interrupted."""
    finish_here(tmp_path / "undisturbed")
    return toy.finished_files(tmp_path / "undisturbed" / "runs")


def finish_here(folder: Path) -> list[str]:
    """The same sweep in this process; returns what it said."""
    said: list[str] = []
    (walk,) = discovery.experiments("toy", "walk")
    ensure(walk, "quick", runs=folder / "runs", figures=folder / "figures", cluster="inline", progress=said.append)
    return said


def command(folder: Path, cluster: str = "local") -> list[str]:
    options = {"--paper": "toy", "--experiment": "walk", "--profile": "quick", "--cluster": cluster}
    places = {"--runs": str(folder / "runs"), "--figures": str(folder / "figures")}
    return ["run", *(word for pair in (options | places).items() for word in pair)]


def begin(folder: Path, cluster: str = "local") -> subprocess.Popen:
    """Start the sweep and return once the walks are under way."""
    process = toy.start(*command(folder, cluster), TOY_TRACE=str(folder / "trace"))
    toy.eventually(partial(reached, process, folder / "trace", 3), "the first steps")
    assert process.poll() is None, process.stdout.read()
    return process


def reached(driver: subprocess.Popen, trace: Path, end: int) -> bool:
    return driver.poll() is not None or len(toy.steps(trace)) >= end


def arms_twice(trace: Path) -> int:
    """How many steps beyond two (one per arm) were computed for any step number."""
    steps = [step for _, _, step in toy.steps(trace)]
    return sum(max(0, steps.count(step) - 2) for step in {*steps})


def test_kill_of_the_driver_leaves_no_orphans_and_nothing_to_repeat(tmp_path, undisturbed, monkeypatch):
    driver = begin(tmp_path)
    family = toy.family(driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    toy.eventually(lambda: not toy.alive(family), "the end of all workers", 30)
    assert len(family) > 2
    monkeypatch.setenv("TOY_TRACE", str(tmp_path / "trace"))
    said = finish_here(tmp_path)
    assert toy.finished_files(tmp_path / "runs") == undisturbed
    assert any("resumed at step" in line for line in said)
    assert arms_twice(tmp_path / "trace") <= 2  # each walk repeats at most the step it was in
    assert not list((tmp_path / "runs").glob("*/*/lock"))


def test_kill_of_a_worker_is_survived_within_the_same_sweep(tmp_path, undisturbed):
    driver = begin(tmp_path)
    victim = toy.steps(tmp_path / "trace")[0][0]
    psutil.Process(victim).kill()
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    assert toy.finished_files(tmp_path / "runs") == undisturbed
    assert len({pid for pid, _, _ in toy.steps(tmp_path / "trace")}) >= 2
    assert arms_twice(tmp_path / "trace") <= 1


def test_separately_started_workers_one_of_them_killed(tmp_path, undisturbed):
    file = tmp_path / "scheduler.json"
    quiet = {"TOY_TRACE": str(tmp_path / "trace")}
    scheduler = toy.python(
        "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file), **quiet,
    )  # fmt: skip
    processes = [scheduler]
    try:
        toy.eventually(file.exists, "the scheduler's file")
        processes += [
            toy.python(
                "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1",
                "--no-dashboard", "--no-nanny", "--death-timeout", "30", **quiet,
            )
            for _ in range(2)
        ]  # fmt: skip
        driver = begin(tmp_path, f"file:{file}")
        victim = toy.steps(tmp_path / "trace")[0][0]
        assert victim in {process.pid for process in processes}
        psutil.Process(victim).kill()
        said, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, said
        assert toy.finished_files(tmp_path / "runs") == undisturbed
        assert {pid for pid, _, _ in toy.steps(tmp_path / "trace")} <= {process.pid for process in processes}
        assert arms_twice(tmp_path / "trace") <= 1
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_two_drivers_on_one_store_share_the_work(tmp_path, undisturbed, monkeypatch):
    first = begin(tmp_path, "inline")
    monkeypatch.setenv("TOY_TRACE", str(tmp_path / "trace"))
    said = finish_here(tmp_path)
    assert first.wait(timeout=120) == 0, first.stdout.read()
    assert toy.finished_files(tmp_path / "runs") == undisturbed
    assert arms_twice(tmp_path / "trace") == 0
    assert any("another process computes" in line for line in said)


def test_driver_killed_again_and_again_loses_one_step_at_most_each_time(tmp_path, undisturbed, monkeypatch):
    trace = tmp_path / "trace"
    for more in (2, 11):
        end = len(toy.steps(trace)) + more
        driver = toy.start(*command(tmp_path, "inline"), TOY_TRACE=str(trace))
        toy.eventually(partial(reached, driver, trace, end), "more steps")
        driver.kill()
        driver.wait()
    monkeypatch.setenv("TOY_TRACE", str(trace))
    finish_here(tmp_path)
    assert toy.finished_files(tmp_path / "runs") == undisturbed
    assert arms_twice(trace) <= 2
