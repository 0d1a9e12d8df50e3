"""Known answers for every kind of rule, the wrong direction included, and for every state of a claim."""

import json
import re

import numpy as np
import pandas
import pytest

from replication.seeding import stream
from replication.settings import BadInput
from replication.stats.claims import claim_digest, load_claims, rules_digests
from replication.stats.verdict import ledger, tally

HEAD = """
[[claim]]
id = "C1"
statement = "The strong arm wins."
where = "section 5"
evidence = "own text"
min_seeds = 10
"""


def noise(name, *shape):
    return stream(f"test of verdicts {name}").normal(size=shape)


def rows(arm, values, *, metric="score", key="run", experiment="study", **settings):
    return [
        {
            "experiment": experiment,
            "arm": arm,
            "seed": seed,
            "metric": metric,
            "value": float(value),
            "key": key,
            **settings,
        }
        for seed, value in enumerate(values)
    ]


def study(**arms):
    """Score table of one experiment; each arm's key is its own name."""
    return pandas.DataFrame([row for arm, values in arms.items() for row in rows(arm, values, key=arm)])


STUDY = study(
    weak=0.5 + 0.1 * noise("weak", 10),
    strong=1.5 + 0.1 * noise("strong", 10),
    rival=1.5 + 0.1 * noise("rival", 10),
    scripted=[1.0],
    other=[0.2],
)


@pytest.fixture
def judged(tmp_path):
    """Function (rules, head, table, profile, ...) -> the one ledger row, with the claims' digests on record."""

    def run(rules, *, head=HEAD, table=STUDY, profile="full", curves=None, rules_of_key="on record"):
        path = tmp_path / "claims.toml"
        path.write_text(head + rules)
        if rules_of_key == "on record":
            rules_of_key = {key: rules_digests(path) for key in set(table["key"])}
        (row,) = ledger(path, table, profile, rules_of_key=rules_of_key, curves=curves)
        json.dumps(row, allow_nan=False)
        return row

    return run


def order(lower, higher, more=""):
    return f"""
[[claim.rule]]
kind = "order"
metric = "score"
lower = "study/{lower}"
higher = "study/{higher}"
{more}
"""


def rule(kind, **fields):
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join(["[[claim.rule]]", f'kind = "{kind}"', 'metric = "score"', *lines, ""])


DETERMINISTIC = HEAD + 'deterministic = ["study/scripted", "study/oth*"]\n'


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        (order("weak", "strong"), "reproduced"),
        (order("strong", "weak"), "contradicted"),
        (order("strong", "rival"), "inconclusive"),
        (order("weak", "strong", "margin = 0.5"), "reproduced"),
        (order("weak", "strong", "margin = 2.0"), "contradicted"),
        (order("weak", "strong", "factor = 2.0"), "reproduced"),
        (order("weak", "strong", "factor = 4.0\npaired = true"), "contradicted"),
        (order("strong", "rival", "factor = 0.9"), "reproduced"),
        (order("strong", "rival", "spare = 0.3"), "reproduced"),
        (order("strong", "weak", "spare = 0.1"), "contradicted"),
        (order("weak", "strong", "paired = true"), "reproduced"),
        (order("weak", "strong", 'aggregator = "iqm"'), "reproduced"),
        (rule("value", of="study/strong", expected=1.5, tolerance=0.2), "reproduced"),
        (rule("value", of="study/strong", expected=0.5, tolerance=0.2), "contradicted"),
        (rule("value", of="study/strong", expected=1.5, tolerance=0.001), "inconclusive"),
        (rule("bound", of="study/strong", at_least=1.0), "reproduced"),
        (rule("bound", of="study/strong", at_most=1.0), "contradicted"),
        (rule("bound", of="study/strong", at_least=1.0, at_most=2.0), "reproduced"),
        (rule("bound", of="study/strong", at_least=float(STUDY[STUDY.arm == "strong"].value.mean())), "inconclusive"),
        (rule("equivalence", a="study/strong", b="study/rival", margin=0.5), "reproduced"),
        (rule("equivalence", a="study/weak", b="study/rival", margin=0.5), "contradicted"),
        (rule("equivalence", a="study/strong", b="study/rival", margin=0.01), "inconclusive"),
        (order("weak", "strong") + order("strong", "weak"), "partly"),
        (order("weak", "strong") + order("strong", "rival"), "partly"),
        (order("strong", "weak") + order("rival", "weak"), "contradicted"),
        (order("strong", "weak") + order("strong", "rival"), "inconclusive"),
    ],
)
def test_known_answers(judged, rules, status):
    row = judged(rules)
    assert row["status"] == status, row["estimate"]
    assert row["label"] == ""


def test_every_part_of_a_rule_says_how_it_came_out(judged):
    row = judged(order("weak", "strong") + order("strong", "weak") + order("strong", "rival"))
    assert [part[0] for part in row["estimate"].split("; ")] == ["✓", "✗", "?"]
    assert judged(order("weak", "strong"))["estimate"].startswith("difference")


def test_a_row_tells_the_estimate_the_rule_and_the_sample(judged):
    row = judged(order("weak", "strong"))
    assert row["rule"] == "score: study/weak below study/strong"
    assert re.fullmatch(r"difference 0\.97 \[0\.9\d, 1\.0\d\], n = 10", row["estimate"]), row["estimate"]
    (part,) = row["rules"]
    assert part["low"] < part["value"] < part["high"]
    assert (part["state"], part["n"], part["kind"]) == ("holds", 10, "order")


def test_learner_against_a_scripted_arm_uses_the_learners_interval(judged):
    won = judged(order("scripted", "strong"), head=DETERMINISTIC)
    assert won["status"] == "reproduced"
    assert won["estimate"].endswith("n = 10 against a deterministic run")
    assert judged(order("strong", "scripted"), head=DETERMINISTIC)["status"] == "contradicted"
    assert judged(order("weak", "scripted", "paired = true"), head=DETERMINISTIC)["status"] == "reproduced"


def test_two_scripted_arms_are_compared_by_sign_and_it_is_said(judged):
    row = judged(order("other", "scripted"), head=DETERMINISTIC)
    assert (row["status"], row["estimate"]) == ("reproduced", "difference 0.8, deterministic")
    assert judged(order("scripted", "other"), head=DETERMINISTIC)["status"] == "contradicted"
    assert judged(order("other", "other"), head=DETERMINISTIC)["status"] == "inconclusive"  # a tie is no order
    assert judged(rule("bound", of="study/other", at_least=0.2), head=DETERMINISTIC)["status"] == "reproduced"


def test_a_single_seed_is_not_taken_for_a_scripted_arm(judged):
    row = judged(order("scripted", "strong"))
    assert row["status"] == "inconclusive"
    assert "list it under deterministic" in row["note"]
    learner = study(weak=STUDY[STUDY.arm == "weak"].value, scripted=[1.0, 1.3])
    row = judged(
        order("weak", "scripted"), table=learner, head=DETERMINISTIC
    )  # two different values: not deterministic
    assert (row["status"], row["note"]) == ("inconclusive", "study/scripted has 2 of 10 seeds")


def test_one_seed_decides_nothing_even_where_one_is_enough(judged):
    head, one = HEAD.replace("= 10", "= 1"), study(weak=[0.1], strong=[1.0])
    row = judged(order("weak", "strong"), head=head, table=one)
    assert (row["status"], row["rules"][0]["low"]) == ("inconclusive", None)
    assert row["estimate"] == "difference 0.9, n = 1"


def test_missing_data_is_not_run_and_too_few_seeds_are_inconclusive(judged):
    assert judged(order("weak", "absent"))["status"] == "not run"
    assert judged(order("weak", "strong") + order("weak", "absent"))["status"] == "inconclusive"
    few = study(weak=[0.1, 0.2, 0.15], strong=[1.0, 1.1, 1.2])
    row = judged(order("weak", "strong"), table=few)
    assert (row["status"], row["note"]) == ("inconclusive", "study/weak has 3 of 10 seeds")
    assert judged(order("weak", "strong"), table=STUDY[:0])["status"] == "not run"


def test_pairs_are_counted_not_seeds(judged):
    table = STUDY[~((STUDY.arm == "weak") & (STUDY.seed == 3))]
    late = rows("weak", [0.5] * 12, key="late")[10:]
    table = pandas.concat([table, pandas.DataFrame(late)])  # 11 seeds, 9 of them in common
    row = judged(order("weak", "strong", "paired = true"), table=table)
    assert "9 of 10 seeds" in row["note"]


def test_a_value_that_is_not_finite_decides_nothing(judged):
    values = [0.1] * 9 + [float("nan")]
    row = judged(order("weak", "strong"), table=study(weak=values, strong=np.ones(10) + noise("fine", 10) * 0.01))
    assert row["status"] == "inconclusive"
    assert "not finite" in row["note"]


def test_blocked_claims_say_why(judged):
    row = judged("", head=HEAD + 'blocked = "the profiles are not public"\n')
    assert (row["status"], row["note"]) == ("blocked", "the profiles are not public")


@pytest.mark.parametrize("profile", ["quick", "smoke"])
def test_other_profiles_only_preview(judged, profile):
    few = study(weak=[0.1, 0.2], strong=[1.0, 1.1])
    row = judged(order("weak", "strong"), table=few, profile=profile, rules_of_key=None)
    assert (row["status"], row["label"]) == ("preview: reproduced", "")
    one = judged(order("weak", "strong"), table=study(weak=[0.1], strong=[1.0]), profile=profile)
    assert one["status"] == "preview: inconclusive"


SLOPE = rule("slope", of="study/learner *", x="agents", at_least=-0.7, at_most=-0.3)


def scaling(exponent, sizes=(10, 30, 100), seeds=10):
    table = []
    for agents in sizes:
        values = 3.0 * agents**exponent * np.exp(0.05 * noise(f"{exponent} {agents}", seeds))
        table += rows(f"learner {agents}", values, key="scaling", agents=agents)
    return pandas.DataFrame(table + rows("reference", np.ones(seeds), key="scaling", agents=10))


def test_slope_over_a_numeric_setting(judged):
    row = judged(SLOPE, table=scaling(-0.5))
    assert row["status"] == "reproduced"
    assert row["estimate"].startswith("slope -0.496 [")
    assert judged(SLOPE, table=scaling(0.5))["status"] == "contradicted"
    assert judged(SLOPE, table=scaling(-0.3))["status"] == "inconclusive"
    mixed = judged(rule("slope", of="study", x="agents", at_most=0.0), table=scaling(-0.5))
    assert "narrow `of`" in mixed["note"]
    assert judged(SLOPE.replace("learner *", "nobody *"), table=scaling(-0.5))["status"] == "not run"


def test_a_slope_is_contradicted_only_beyond_its_slack(judged):
    limit = {"of": "study/learner *", "x": "agents", "at_most": -0.45}
    table = scaling(-0.42)
    assert judged(rule("slope", **limit), table=table)["status"] == "contradicted"
    assert judged(rule("slope", slack=0.05, **limit), table=table)["status"] == "inconclusive"
    assert judged(rule("slope", slack=0.05, **limit), table=scaling(-0.3))["status"] == "contradicted"
    assert judged(rule("slope", slack=0.05, **limit), table=scaling(-0.5))["status"] == "reproduced"


def test_slope_refuses_a_score_that_crosses_zero(judged):
    table = scaling(-0.5)
    table.loc[0, "value"] = -1.0
    row = judged(SLOPE, table=table)
    assert row["status"] == "inconclusive"
    assert "not positive" in row["note"]


def per_day(gain, days=40):
    weather = 5.0 * noise("weather", days)
    learner = weather + gain + 0.2 * noise(f"learner {gain}", 10, days)
    return weather[None, :], learner


CURVES = 'curve = "score_by_day"'


@pytest.mark.parametrize(("gain", "status"), [(0.5, "reproduced"), (-0.5, "contradicted"), (0.0, "inconclusive")])
def test_paired_days_find_what_the_spread_of_days_hides(judged, gain, status):
    weather, learner = per_day(gain)
    table = study(scripted=weather.mean(axis=1), strong=learner.mean(axis=1))
    curves = {("study", "scripted"): {"score_by_day": weather}, ("study", "strong"): {"score_by_day": learner}}
    row = judged(order("scripted", "strong", CURVES), head=DETERMINISTIC, table=table, curves=curves)
    assert row["status"] == status, row["estimate"]
    assert row["estimate"].endswith("n = 10 seeds x 40 days")


def test_two_scripted_arms_with_days_get_an_interval_over_days(judged):
    weather, _ = per_day(0.0)
    better = weather + 0.3 + 0.1 * noise("better", 1, 40)
    table = study(scripted=weather.mean(axis=1), other=better.mean(axis=1))
    curves = {("study", "scripted"): {"score_by_day": weather}, ("study", "other"): {"score_by_day": better}}
    row = judged(order("scripted", "other", CURVES), head=DETERMINISTIC, table=table, curves=curves)
    assert row["status"] == "reproduced"
    assert row["estimate"].endswith("n = 40 days")
    assert judged(order("scripted", "other", CURVES), head=DETERMINISTIC, table=table)["status"] == "not run"
    curves["study", "other"]["score_by_day"] = better[:, :39]
    row = judged(order("scripted", "other", CURVES), head=DETERMINISTIC, table=table, curves=curves)
    assert "40 days" in row["note"]


@pytest.mark.parametrize("on_record", [None, {}, {"weak": {"C1": "0" * 12}}])
def test_a_rule_that_was_not_on_record_never_gives_reproduced(judged, on_record):
    row = judged(order("weak", "strong"), rules_of_key=on_record)
    assert (row["status"], row["label"]) == ("inconclusive (post hoc)", "post hoc")
    assert "2 of 2 runs were made before these rules" in row["note"]
    wrong = judged(order("strong", "weak"), rules_of_key=on_record)
    assert (wrong["status"], wrong["label"]) == ("contradicted", "post hoc")
    partly = judged(order("weak", "strong") + order("strong", "weak"), rules_of_key=on_record)
    assert (partly["status"], partly["label"]) == ("partly", "post hoc")


def test_one_run_without_the_rule_is_enough_for_post_hoc(judged, tmp_path):
    (tmp_path / "before.toml").write_text(HEAD + order("weak", "strong"))
    known = rules_digests(tmp_path / "before.toml")
    assert judged(order("weak", "strong"), rules_of_key={"weak": known, "strong": known})["status"] == "reproduced"
    row = judged(order("weak", "strong"), rules_of_key={"weak": known})
    assert (row["label"], row["note"]) == ("post hoc", "1 of 2 runs were made before these rules")
    easier = judged(order("weak", "strong", "margin = 0.1"), rules_of_key={"weak": known, "strong": known})
    assert easier["label"] == "post hoc"


def digest_of(tmp_path, text):
    (tmp_path / "digest.toml").write_text(text)
    return claim_digest(load_claims(tmp_path / "digest.toml")[0])


def test_the_digest_covers_what_decides_and_not_the_prose(tmp_path):
    base = digest_of(tmp_path, HEAD + order("weak", "strong") + order("weak", "rival"))
    assert base == digest_of(
        tmp_path, HEAD.replace("wins", "is better") + order("weak", "strong") + order("weak", "rival")
    )
    assert base == digest_of(tmp_path, HEAD + order("weak", "rival") + order("weak", "strong", "margin = 0"))
    changed = [
        HEAD + order("weak", "strong"),
        HEAD.replace("= 10", "= 9") + order("weak", "strong") + order("weak", "rival"),
        HEAD.replace("C1", "C2") + order("weak", "strong") + order("weak", "rival"),
        HEAD + order("weak", "strong", "margin = 0.1") + order("weak", "rival"),
        DETERMINISTIC + order("weak", "strong") + order("weak", "rival"),
    ]
    digests = {digest_of(tmp_path, text) for text in changed}
    assert len(digests) == len(changed)
    assert base not in digests


def test_the_ledger_is_a_pure_function_and_independent_of_other_claims(tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(HEAD + order("weak", "strong"))
    two.write_text(HEAD.replace("C1", "C0") + order("weak", "rival") + HEAD + order("weak", "strong"))
    assert ledger(one, STUDY, "full") == ledger(one, STUDY, "full")
    assert ledger(two, STUDY, "full")[1] == ledger(one, STUDY, "full")[0]
    assert tally(ledger(two, STUDY, "quick")) == {"preview: reproduced": 2}
    assert list(tally([{"status": "blocked"}, {"status": "partly"}, {"status": "reproduced"}])) == [
        "reproduced",
        "partly",
        "blocked",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD.replace("min_seeds", "min_seed") + order("a", "b"),
            r"claim 1 \(C1\): unknown field 'min_seed' \(did you mean",
        ),
        (HEAD.replace('where = "section 5"\n', "") + order("a", "b"), "field 'where' is missing"),
        (
            HEAD.replace("own text", "own texts") + order("a", "b"),
            r"unknown evidence grade 'own texts' \(did you mean own",
        ),
        (HEAD.replace("= 10", '= "ten"') + order("a", "b"), "min_seeds must be of type int, got 'ten'"),
        (HEAD.replace("= 10", "= 0") + order("a", "b"), "min_seeds must be >= 1, got 0"),
        (HEAD, "no rule; add a"),
        (HEAD + rule("ordr", lower="x/a", higher="x/b"), r"rule 1: unknown rule kind 'ordr' \(did you mean order\?\)"),
        (HEAD + order("a", "b", "pared = true"), r"unknown setting 'pared' \(did you mean paired\?\)"),
        (HEAD + order("a", "b", "margin = 1\nspare = 1"), "give margin or spare, not both, got 1 and 1"),
        (HEAD + rule("order", lower="a", higher="x/b"), "arms are written experiment/arm, got 'a'"),
        (HEAD + rule("bound", of="x/a"), "give at_least, at_most or both, in that order, got neither"),
        (HEAD + rule("bound", of="x/a", at_least=2, at_most=1), "in that order, got at least 2 and at most 1"),
        (HEAD + rule("equivalence", a="x/a", b="x/b", margin=0), "margin: Input should be greater than 0, got 0"),
        (HEAD + rule("value", of="x/a", expected=1), "tolerance: Field required"),
        (HEAD + order("a", "b") + HEAD + order("a", "b"), "claim id 'C1' is used 2 times"),
        ("[[clam]]\n", r"unknown top-level field 'clam' \(did you mean claim\?\)"),
        ("[[claim]\n", "is not valid TOML"),
    ],
)
def test_a_bad_claims_file_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        load_claims(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_claims_file_and_profile_are_named(tmp_path):
    with pytest.raises(BadInput, match="no claims file at"):
        load_claims(tmp_path / "claims.toml")
    (tmp_path / "claims.toml").write_text(HEAD + order("weak", "strong"))
    with pytest.raises(BadInput, match=r"unknown profile 'ful' \(did you mean full\?\)"):
        ledger(tmp_path / "claims.toml", STUDY, "ful")
