"""Adaptation after a sudden change: what changes, what is measured, how the rate responds, which teams are kept."""

import threading
import time

import numpy as np
import pytest
from oracles import adaptation as slow
from refusals import refused
from toy_worlds import Interrupted, KeptRun, NoRun

import replication
from replication.algos.team_settings import TeamSettings
from replication.algos.team_training import TeamLoop
from replication.papers.optimal_transport import adaptation, arms_adaptation, grown_teams
from replication.papers.optimal_transport.adaptation import OTHER_TEAM, adapt, changed_team, measure_adaptation, worth
from replication.papers.optimal_transport.adaptation_changes import world_of
from replication.papers.optimal_transport.adaptation_distances import Gauge, apart, rate_factor
from replication.papers.optimal_transport.grown_teams import Seen, Watch, grown, whereabouts
from replication.papers.optimal_transport.study_adaptation import AdaptationStudy
from replication.seeding import keys, stream

LEARNER = TeamSettings(envs=4, hidden=(8, 8))
ALIGNED = LEARNER.but(alignment__kind="ot_barycenter", alignment__visits=16)
SMALL = AdaptationStudy(
    learner=LEARNER, updates=2, plateau=6, recent=1, reference=2, adaptation=4, look_every=2, test_episodes=6,
    validation_episodes=4,
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_runs(tmp_path_factory, monkeypatch):
    """Teams of these tests are shared by them and nobody else."""
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path_factory.getbasetemp() / "adaptation"))


def adapted(monkeypatch, study, seed=0):
    """(loop after the adaptation, its scores and curves)."""
    loops = []

    def remembered(*given):
        loops.append(changed_team(*given))
        return loops[-1]

    monkeypatch.setattr(adaptation, "changed_team", remembered)
    found = adapt(study, seed, lambda share: None)
    return loops[0][0], found


def actors(loop):
    return loop.learner.policy().flat.copy()


def test_without_change_and_response_the_training_just_goes_on(monkeypatch):
    loop, found = adapted(monkeypatch, SMALL.but(change="nothing"))
    straight = TeamLoop(LEARNER, replication.make("navigation/spread3", num_envs=4), (0,), SMALL.updates)
    while straight.done < SMALL.updates + SMALL.plateau + SMALL.adaptation:
        straight.advance()
    assert loop.done == straight.done
    assert np.array_equal(actors(loop), actors(straight))
    for name, kept in loop.collector.world.snapshot().items():
        assert np.array_equal(kept, straight.collector.world.snapshot()[name]), name
    assert found["scores"]["drop"] == 0.0
    assert found["scores"]["rate_factor"] == 1.0
    assert found["curves"]["learning_rate"] == pytest.approx(LEARNER.learning_rate_end)
    higher, _ = adapted(monkeypatch, SMALL.but(change="nothing", response="higher rate"))
    assert not np.array_equal(actors(higher), actors(straight))


def test_a_mirrored_partner_pushes_the_other_way_and_nobody_else_does():
    loop, change, _, _ = changed_team(SMALL.but(change="mirrored"), 0)
    chosen = np.array([[[0], [1], [2]], [[1], [2], [3]], [[2], [3], [4]], [[3], [4], [0]], [[4], [0], [1]]])
    asked = chosen.copy()
    taken = change.taken(loop.collector.world, asked)
    assert taken[:, 0, 0].tolist() == [0, 2, 1, 4, 3]
    assert np.array_equal(taken[:, 1:], chosen[:, 1:])
    assert np.array_equal(asked, chosen)
    world = replication.make("navigation/spread3", num_envs=5, contact=False)
    went = []
    for actions in (chosen, taken):
        world.reset(keys("a test", 0, count=5))
        start = world.positions
        for _ in range(2):
            world.step(actions)
        went.append(world.positions - start)
    assert went[0][:, 0] == pytest.approx(-went[1][:, 0])
    assert np.abs(went[0][1:, 0]).max() > 0.01
    assert np.array_equal(went[0][:, 1:], went[1][:, 1:])


@pytest.mark.parametrize(("name", "controller"), [("random", "random"), ("no operation", "no_operation")])
def test_a_scripted_partner_does_what_its_script_says(name, controller):
    loop, change, _, _ = changed_team(SMALL.but(change=name), 0)
    world = loop.collector.world
    chosen = np.full((4, 3, 1), 2)
    taken = change.taken(world, chosen)
    assert np.array_equal(taken[:, 0], replication.controller(world, controller).act(world)[:, 0])
    assert np.array_equal(taken[:, 1:], chosen[:, 1:])


def others(study, seed=0):
    """(3, P) weights of the members of the other team."""
    return np.stack([grown(study, seed + OTHER_TEAM).actor(member) for member in range(3)])


def test_a_new_partner_is_the_least_fitting_of_another_team_and_stays_as_it_is(monkeypatch):
    old = grown(SMALL, 0)
    loop, found = adapted(monkeypatch, SMALL.but(change="partner"))
    now = actors(loop)
    (member,) = np.flatnonzero((others(SMALL) == now[0]).all(axis=1))
    assert not np.array_equal(now[1], old.actor(1))
    assert found["scores"]["drop"] == found["scores"]["before"] - found["scores"]["after"] != 0.0
    judge = adaptation.Judge(SMALL, 0, "partner", SMALL.validation_episodes)
    plain, _, _, _ = changed_team(SMALL.but(change="nothing"), 0)
    scores = []
    for weights in others(SMALL):
        plain.learner.policy().flat[0] = weights
        scores.append(judge.score(plain.learner.policy(), None))
    assert scores[member] == min(scores) < max(scores)


def test_a_drift_moves_evenly_and_ends_at_the_new_partners_weights(monkeypatch):
    before, after = grown(SMALL, 0).actor(0), actors(changed_team(SMALL.but(change="partner"), 0)[0])[0]
    loop, change, _, _ = changed_team(SMALL.but(change="drift"), 0)
    for share in (0.0, 0.25, 0.5):
        change.move(share)
        assert actors(loop)[0] == pytest.approx((1 - share) * before + share * after, abs=1e-6)
    loop, found = adapted(monkeypatch, SMALL.but(change="drift"))
    assert np.array_equal(actors(loop)[0], after)
    assert found["scores"]["drop"] == 0.0


@pytest.mark.parametrize(("change", "name", "value"), [("damping", "damping", 0.5), ("weak", "sensitivity", (3.0,))])
def test_another_world_is_met_in_training_and_in_judging_but_sets_no_scale(change, name, value):
    study = SMALL.but(change=change)
    loop, _, _, _ = changed_team(study, 0)
    judge = adaptation.Judge(study, 0, "test", 6)
    assert getattr(loop.collector.world.settings, name) == value
    assert getattr(judge.changed.settings, name) == value
    assert getattr(judge.course.world.settings, name) != value
    plain = adaptation.Judge(SMALL.but(change="nothing"), 0, "test", 6)
    assert judge.course.anchors == plain.course.anchors
    assert loop.learner.frozen == ()
    policy = loop.learner.policy()
    assert judge.score(policy, None) == plain.score(policy, None)


def test_episodes_are_each_seeds_and_each_purposes_own():
    shown = [
        adaptation.Judge(SMALL, seed, split, 6).course.keys.tolist()
        for seed, split in ((3, "test"), (4, "test"), (3, "validation"), (3, "partner"))
    ]
    assert len({tuple(one) for one in shown}) == 4


@pytest.mark.parametrize("response", ["none", "higher rate", "rate up", "rate down", "known time", "reset optimiser"])
@pytest.mark.parametrize("distance", [0.0, 0.3, 2.0, 100.0])
def test_the_rate_follows_the_formula(response, distance):
    study = SMALL.but(response=response, gain=2.0, most=8.0, fading=4)
    for update in (0, 1, 4, 9):
        expected = slow.rate(1e-4, response, distance, 2.0, 8.0, update, 4)
        assert 1e-4 * rate_factor(study, distance, update) == pytest.approx(expected)


def test_the_rate_rises_and_falls_with_the_distance_that_is_measured(monkeypatch):
    clear = SMALL.but(change="no operation", learner__envs=32, plateau=12, recent=2, reference=4, gain=3.0)
    for response, sign in (("rate up", 1.0), ("rate down", -1.0)):
        _, found = adapted(monkeypatch, clear.but(response=response))
        distance = found["curves"]["distance"]
        factor = np.minimum(20.0, 1.0 + 3.0 * distance) ** sign
        assert distance[0] < 0.5 * distance[-1]
        assert distance.max() > 0.0
        assert found["curves"]["learning_rate"] == pytest.approx(LEARNER.learning_rate_end * factor)


def watched(updates, lanes=6, shift=0.0, purpose="adaptation points"):
    """What might have been seen of a team."""
    rng = stream(purpose)
    points = rng.normal(size=(2, updates, lanes, 4)).astype(np.float32) * [1.0, 2.0, 0.5, 1.0] + shift
    return Seen(points[0], points[1], rng.normal(size=updates))


@pytest.mark.parametrize("distance", ["gaussian_divergence", "page_hinkley"])
@pytest.mark.parametrize(("change", "moving"), [("random", False), ("random", True), ("damping", False)])
def test_the_gauge_equals_its_slow_twin(distance, change, moving):
    windows = {"recent": 2, "reference": 5, "moving": moving}
    study = SMALL.but(distance=distance, change=change, plateau=20, false_alarms=0.2, **windows)
    before, later, watch = watched(20), watched(3, shift=1.5, purpose="later points"), Watch()
    gauge = Gauge(study, before)
    points = [list(update) for update in (before.team if change == "damping" else before.partner)]
    rewards = [[reward] for reward in before.reward]
    told, of_two = (rewards, slow.page_hinkley) if distance == "page_hinkley" else (points, slow.gaussian_divergence)
    unit = slow.unit(slow.window_distances(told, 2, 5, moving, of_two), 0.2)
    for update in range(3):
        last = slow.window_distances(told, 2, 5, moving, of_two)[-1]
        assert gauge.read() == pytest.approx(max(0.0, last / unit - 1.0), rel=1e-4, abs=1e-6)
        for name in ("partner", "team", "reward"):
            watch.rows[name].append(getattr(later, name)[update])
        gauge.add(watch)
        points.append(list((later.team if change == "damping" else later.partner)[update]))
        rewards.append([later.reward[update]])
    assert gauge.read() > 0.0


@pytest.mark.parametrize("name", ["sliced", "mean_discrepancy", "gaussian_divergence"])
def test_distances_of_samples_see_a_shift_in_any_unit(name):
    earlier, same, other = (
        np.concatenate(watched(12, 48, shift, purpose).partner)
        for purpose, shift in (("one", 0.0), ("two", 0.0), ("two", 0.7))
    )
    assert apart(name, earlier, other) > 2.0 * apart(name, earlier, same)
    assert apart(name, 10.0 * earlier, 10.0 * other) == pytest.approx(apart(name, earlier, other), rel=1e-3)


def test_watching_sees_where_agents_head_and_changes_nothing():
    world = replication.make("navigation/spread3", num_envs=5)
    world.reset(keys("a test", 1, count=5))
    watch, actions = Watch(), np.full((5, 3, 1), 2)
    for _ in range(3):
        assert watch(world, actions) is actions
        world.step(actions)
    seen = watch.steps[1]
    watch.keep(0, 7, -1.0)
    assert watch.steps == []
    assert watch.seen().partner.shape == watch.seen().team.shape == (1, 5, 5)
    assert watch.seen().reward.tolist() == [-1.0]
    for agent in range(3):
        for target in range(3):
            away = np.linalg.norm(world.landmarks[:, target] - world.positions[:, agent], axis=1)
            assert whereabouts(world)[:, agent, target] == pytest.approx(away, abs=1e-6)
    assert whereabouts(world)[..., 3:] == pytest.approx(world.velocities, abs=1e-6)
    assert seen.shape == (5, 3, 5)


def test_regret_and_recovery_by_hand():
    at = np.array([0, 5, 10, 15])
    found = worth(0.8, np.array([0.3, 0.5, 0.76, 0.7]), at)
    assert found["regret"] == pytest.approx(slow.area([0.5, 0.3, 0.04, 0.1], [0, 5, 10, 15]))
    assert (found["recovered_after"], found["recovered"]) == (10.0, 1.0)  # 0.75 makes up 90 % of 0.5
    never = worth(0.8, np.array([0.3, 0.5, 0.74, 0.7]), at)
    assert (never["recovered_after"], never["recovered"]) == (15.0, 0.0)
    without = worth(0.8, np.array([0.85, 0.5, 0.5, 0.5]), at)
    assert (without["recovered_after"], without["recovered"]) == (0.0, 1.0)


def test_resetting_the_optimiser_forgets_moments_and_keeps_weights():
    kept, _, _, _ = changed_team(SMALL.but(change="random"), 0)
    reset, _, _, _ = changed_team(SMALL.but(change="random", response="reset optimiser"), 0)
    nets = [(one.learner.actor, *one.learner.critics.values()) for one in (kept, reset)]
    for before, after in zip(*nets, strict=True):
        assert before.steps > after.steps == 0
        assert before.first.abs().sum() > 0 == after.first.abs().sum()
        assert before.second.abs().sum() > 0 == after.second.abs().sum()
        assert np.array_equal(before.flat.numpy(), after.flat.numpy())


def test_an_aligned_team_keeps_renews_or_drops_what_it_is_aligned_to(monkeypatch):
    kept = grown(SMALL.but(learner=ALIGNED), 0).state["learner"]["alignment"]["kept"]["0"]
    ends = {}
    for response in ("aligned to the past", "aligned anew", "aligned no more"):
        loop, _ = adapted(monkeypatch, SMALL.but(learner=ALIGNED, change="partner", response=response))
        stale = np.array_equal(loop.learner.alignment.kept[0]["values"], kept["values"])
        assert stale == (response == "aligned to the past")
        assert loop.learner.alignment.beta == (0.0 if response == "aligned no more" else ALIGNED.alignment.beta)
        ends[response] = actors(loop)
    assert not np.array_equal(ends["aligned to the past"], ends["aligned anew"])
    assert not np.array_equal(ends["aligned no more"], ends["aligned anew"])


# ---- kept teams --------------------------------------------------------------------------------------------------


@pytest.fixture
def grows(monkeypatch):
    """Seeds that were really grown."""
    done, real = [], grown_teams.grow

    def counted(study, seed):
        done.append(seed)
        time.sleep(0.2)
        return real(study, seed)

    monkeypatch.setattr(grown_teams, "grow", counted)
    return done


def test_a_kept_team_is_used_again_by_whoever_asks_for_the_same_one(tmp_path, grows):
    first = grown(SMALL, 4, tmp_path)
    again = grown(SMALL.but(change="weak", response="rate up", test_episodes=9), 4, tmp_path)
    assert grows == [4]
    assert np.array_equal(first.actor(1), again.actor(1))
    assert np.array_equal(first.seen.team, again.seen.team)
    assert first.seen.reward.shape == (SMALL.plateau,)
    grown(SMALL.but(updates=3), 4, tmp_path)
    grown(SMALL.but(learner__entropy=0.002), 4, tmp_path)
    grown(SMALL.but(options={"contact": False}), 4, tmp_path)
    grown(SMALL, 5, tmp_path)
    assert grows == [4, 4, 4, 4, 5]
    assert len(list(tmp_path.glob("*.safetensors"))) == 5
    assert not list(tmp_path.glob("*.lock"))


def test_a_half_written_team_is_grown_again(tmp_path, grows):
    whole = grown(SMALL, 4, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    for part in (content[: len(content) // 2], b""):
        path.write_bytes(part)
        assert np.array_equal(grown(SMALL, 4, tmp_path).actor(2), whole.actor(2))
    path.rename(tmp_path / f".{path.name}.1.tmp")
    assert np.array_equal(grown(SMALL, 4, tmp_path).seen.partner, whole.seen.partner)
    assert grows == [4, 4, 4, 4]


def test_who_asks_at_once_waits_for_the_one_that_grows(tmp_path, grows, monkeypatch):
    monkeypatch.setattr(grown_teams, "WAIT", 0.02)
    found = []
    threads = [threading.Thread(target=lambda: found.append(grown(SMALL, 6, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grows == [6]
    assert len(found) == 3
    assert all(np.array_equal(one.actor(0), found[0].actor(0)) for one in found)


def test_teams_lie_in_the_runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path / "elsewhere"))
    grown(SMALL, 0)
    (path,) = (tmp_path / "elsewhere" / "teams").glob("*.safetensors")
    assert path.stem == f"{grown_teams.key(SMALL)}-0"


# ---- as a whole --------------------------------------------------------------------------------------------------


def test_a_seed_has_the_same_result_alone_and_after_a_pause():
    study = SMALL.but(change="random", response="rate up")
    whole, kept = measure_adaptation(study, (0, 1), KeptRun()), KeptRun(stop_after=1)
    alone = measure_adaptation(study, (1,), NoRun())
    with pytest.raises(Interrupted):
        measure_adaptation(study, (0, 1), kept)
    kept.stop_after = None
    resumed = measure_adaptation(study, (0, 1), kept)
    for name, values in whole.scores.items():
        assert values[1] == alone.scores[name][0], name
        assert np.array_equal(values, resumed.scores[name]), name
    for name in ("evaluated_score", "learning_rate", "distance", "reward"):
        assert np.array_equal(whole.curves[name], resumed.curves[name])
    assert whole.curves["evaluated_score"].shape == (2, 3)
    assert whole.curves["_evaluated_at"].tolist() == [0, 2, 4]
    assert whole.curves["_steps"].tolist() == [100, 200, 300, 400]
    assert whole.scores["regret"].shape == (2,)


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_the_small_profiles_have_two_arms_of_one_change(profile):
    arms = arms_adaptation.adaptation_arms(profile)
    assert list(arms) == ["mirrored, none", "mirrored, rate up with distance"]
    assert len({grown_teams.key(study) for study in arms.values()}) == 1


def test_the_smallest_profile_runs():
    for study in arms_adaptation.adaptation_arms("smoke").values():
        result = measure_adaptation(study, (0,), NoRun())
        assert all(np.isfinite(values).all() for values in result.scores.values())


def test_the_published_arms_are_what_their_labels_say():
    arms = arms_adaptation.adaptation_arms("full")
    assert len(arms) == 38
    for label, study in arms.items():
        change, _, response = label.partition(", ")
        assert study.change == change
        plain = response.partition(" with ")[0]
        assert study.response == plain
        assert study.moving == (response == "rate up with moving distance")
        assert study.distance == {
            "mean discrepancy": "mean_discrepancy", "Gaussian divergence": "gaussian_divergence",
            "Page-Hinkley": "page_hinkley",
        }.get(response.partition(" with ")[2], "sliced")  # fmt: skip
        assert study.learner.alignment.active == response.startswith("aligned")
    assert len({grown_teams.key(study) for study in arms.values()}) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"change": "holiday"}, ["change", "mirrored", "'holiday'"]),
        ({"response": "panic"}, ["response", "reset optimiser", "'panic'"]),
        ({"distance": "exact"}, ["distance", "page_hinkley", "'exact'"]),
        ({"learner": TeamSettings(nets="shared")}, ["'partner'", "independent", "'shared'"]),
        ({"response": "aligned anew"}, ["aligned anew", "alignment"]),
        ({"plateau": 2}, ["plateau must be >= .* 3", "got 2"]),
        ({"adaptation": 5}, ["multiple of look_every 2", "got 5"]),
        ({"wait": 5}, ["unknown setting 'wait'"]),
    ],
)
def test_settings_that_do_not_fit_are_one_line(changes, words):
    with refused(*words):
        SMALL.but(**changes) if "wait" not in changes else AdaptationStudy(**changes)


def test_continuous_actions_are_refused_in_one_line():
    with refused("discrete", "continuous"):
        world_of(SMALL.but(options={"actions": "force"}), 2, changed=True)
