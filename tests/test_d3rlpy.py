"""The conservative learner against d3rlpy's DiscreteCQL: losses, gradients and steps of one agent on one given batch.

The fixture tests/fixtures/d3rlpy_discrete_cql.npz is what d3rlpy 2.8.1 computed; benchmarks/peers/d3rlpy_fixture.py
wrote it and says how the two conventions correspond. In short: its TD loss is a mean Huber loss that stays quadratic
here, that is our 0.5 * mean(TD error^2); its target copy after every step is our target_rate 1; it clips no gradient.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import process
from replication.algos.cql import CQL, Batch
from replication.algos.cql_settings import CQLSettings
from replication.algos.relu_mlp import layers
from replication.algos.scaling import no_scaling

THEIRS = dict(np.load(Path(__file__).parent / "fixtures" / "d3rlpy_discrete_cql.npz"))
SAMPLES, FEATURES = THEIRS["observation"].shape
ACTIONS = len(THEIRS["online.bias_out"])
PLACE = 1  # of the fixture's network among the seeds
PARADIGMS = ("independent", "ctde", "centralised")  # the same thing with one agent


def learner(**changes) -> CQL:
    """Two seeds of one agent; the second has the fixture's weights."""
    usual = {
        "backbone": "dqn",
        "conservatism": float(THEIRS["alpha"]),
        "discount": float(THEIRS["gamma"]),
        "learning_rate": float(THEIRS["learning_rate"]),
        "hidden": tuple(len(THEIRS[f"online.bias{layer}"]) for layer in (0, 1)),
        "batch_size": SAMPLES,
        "target_rate": 1.0,
        "clip": 1e9,
    }
    made = CQL(CQLSettings(**(usual | changes)), 1, FEATURES, ACTIONS, (4, 5), no_scaling(2, 1, FEATURES))
    critic = made.parts["critic"]
    for group, flat in (("online", critic.flat), ("target", critic.target)):
        for name, view in named(flat, critic.sizes).items():
            view[:] = THEIRS[f"{group}.{name}"]
    return made


def named(flat: np.ndarray, sizes) -> dict[str, np.ndarray]:
    """Views of the fixture's network in arrays (S, 1, P)."""
    return layers(flat[PLACE, 0], sizes)._asdict()


def batch() -> Batch:
    """The fixture's transitions for the second seed, the same in another order of values for the first."""

    def both(array: np.ndarray, *shape: int) -> np.ndarray:
        return np.stack([array[::-1], array]).reshape(2, SAMPLES, *shape)

    valid = np.ones((2, SAMPLES, 1, ACTIONS), bool)
    return Batch(
        observation=both(THEIRS["observation"], 1, FEATURES),
        mask=valid,
        action=both(THEIRS["action"], 1),
        reward=both(THEIRS["reward"]),
        next_observation=np.ascontiguousarray(both(THEIRS["next_observation"], 1, FEATURES)),
        next_mask=valid,
        terminated=both(THEIRS["terminated"]),
    )


def gradient_error(made: CQL) -> float:
    """Largest difference between the gradients, relative to the largest entry of each array."""
    made.differentiate(batch())
    critic = made.parts["critic"]
    errors = []
    for name, ours in named(critic.gradient, critic.sizes).items():
        theirs = THEIRS[f"gradient.{name}"]
        errors.append(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return max(errors)


def test_fixture_holds_what_its_docstring_says():
    """Half the mean squared TD error, double argmax, no bootstrap behind terminals; in double precision, as printed."""

    def values(group: str, x: np.ndarray) -> np.ndarray:
        w = {
            name.removeprefix(f"{group}."): array.astype(np.float64) for name, array in THEIRS.items() if group in name
        }
        for layer in (0, 1):
            x = np.maximum(x @ w[f"weight{layer}"] + w[f"bias{layer}"], 0.0)
        return x @ w["weight_out"] + w["bias_out"]

    rows, following = np.arange(SAMPLES), THEIRS["next_observation"]
    here = values("online", THEIRS["observation"])
    logged = here[rows, THEIRS["action"]]
    bootstrap = values("target", following)[rows, values("online", following).argmax(axis=1)]
    error = logged - THEIRS["reward"] - THEIRS["gamma"] * (1.0 - THEIRS["terminated"]) * bootstrap
    conservative = np.mean(np.log(np.exp(here).sum(axis=1)) - logged)
    assert np.abs(error).max() < 1.0
    assert THEIRS["td_loss"][0] == pytest.approx(0.5 * np.mean(error**2), rel=1e-5)
    assert THEIRS["conservative_loss"][0] == pytest.approx(conservative, rel=1e-5)
    assert 0 < THEIRS["terminated"].sum() < SAMPLES


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_losses_of_every_step_are_theirs(paradigm):
    made, numbers = learner(paradigm=paradigm), []
    for _ in THEIRS["loss"]:
        numbers.append(made.update(batch()))
    for ours, theirs in (("critic_loss", "loss"), ("td_loss", "td_loss"), ("conservative", "conservative_loss")):
        assert [row[ours][PLACE] for row in numbers] == pytest.approx(THEIRS[theirs].tolist(), rel=1e-5)


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_gradients_are_theirs(paradigm):
    assert gradient_error(learner(paradigm=paradigm)) < 1e-5


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_weights_after_some_steps_are_theirs(paradigm):
    made = learner(paradigm=paradigm)
    for _ in THEIRS["loss"]:
        made.update(batch())
    critic = made.parts["critic"]
    for name, ours in named(critic.flat, critic.sizes).items():
        travelled = np.abs(THEIRS[f"after.{name}"] - THEIRS[f"online.{name}"]).max()
        assert np.abs(ours - THEIRS[f"after.{name}"]).max() < 1e-3 * travelled, name


@pytest.mark.parametrize(
    "defect",
    [{"penalty": "lse_only"}, {"double": False}, {"conservatism": 0.0}, {"discount": 0.0}],
    ids=lambda defect: next(iter(defect)),
)
def test_the_comparison_sees_a_wrong_loss(defect):
    assert gradient_error(learner(**defect)) > 0.01


COUNTING = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    open(sys.argv[1], "a").write(line)
    print("done" if int(line) < 9 else "no more", flush=True)
"""


def test_work_elsewhere_is_done_when_asked_and_its_failure_is_told(tmp_path, monkeypatch):
    (tmp_path / "counting.py").write_text(COUNTING)
    monkeypatch.setattr(process, "FOLDER", tmp_path)
    monkeypatch.setenv(process.INTERPRETER, sys.executable)
    run = process.work_elsewhere("counting.py", str(tmp_path / "heard"), count=3)
    assert [run(), run()] == [3, 3]
    assert (tmp_path / "heard").read_text() == "3\n3\n"
    with pytest.raises(RuntimeError, match="no more"):
        process.work_elsewhere("counting.py", str(tmp_path / "heard"), count=9)()


@pytest.mark.parametrize("interpreter, told", [(None, "names no interpreter"), ("no/such/python", "cannot be started")])
def test_without_its_environment_a_peer_is_left_out(interpreter, told, monkeypatch):
    monkeypatch.delenv(process.INTERPRETER, raising=False)
    if interpreter:
        monkeypatch.setenv(process.INTERPRETER, interpreter)
    with pytest.raises(ImportError, match=told):
        process.work_elsewhere("d3rlpy_speed.py", "sample", "64", "64", count=1)


@pytest.mark.skipif(find_spec("d3rlpy") is not None, reason="d3rlpy is here")
def test_a_package_missing_there_is_named(monkeypatch):
    monkeypatch.setenv(process.INTERPRETER, sys.executable)
    with pytest.raises(ImportError, match="d3rlpy"):
        process.work_elsewhere("d3rlpy_speed.py", "sample", "64", "64", count=1)
