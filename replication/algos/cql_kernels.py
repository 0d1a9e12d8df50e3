"""Losses of offline Q-learning and their slopes by hand, for one seed: heads are agents, or the one joint head.

Arrays are (heads, samples, actions) or (heads, samples). Losses are means over samples and sums over heads; a slope is
that of the loss with respect to a network's output. Invalid actions have no part in any maximum, sum or probability.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

CONTRACT = {"contract"}
LARGEST_WEIGHT = 100.0  # of a sample in advantage-weighted regression; Source: code of 2110.06169
NUMBERS = ("td_loss", "conservative", "data_q", "mean_q", "actor_loss", "entropy", "value_loss")
TD, CONSERVATIVE, DATA_Q, MEAN_Q, ACTOR, ENTROPY, VALUE = range(len(NUMBERS))


class Batch(NamedTuple):
    """B transitions for each of S seeds."""

    observation: np.ndarray  # (S, B, A, F) float32, as the world gives it
    mask: np.ndarray  # (S, B, A, U) bool, True for valid actions
    action: np.ndarray  # (S, B, A) int64
    reward: np.ndarray  # (S, B) float32, the team's
    next_observation: np.ndarray  # (S, B, A, F) float32
    next_mask: np.ndarray  # (S, B, A, U) bool
    terminated: np.ndarray  # (S, B) float32, 1 where no value lies ahead; a time limit is no such end


class Seen(NamedTuple):
    """Room for one seed's batch as its networks see it; `*_rows` are the same, cut as (networks, rows, features)."""

    now: np.ndarray  # (heads, B, features) scaled
    later: np.ndarray
    now_rows: np.ndarray  # the same numbers
    later_rows: np.ndarray
    mask: np.ndarray  # (heads, B, U) bool
    later_mask: np.ndarray
    action: np.ndarray  # (heads, B) int64
    reward: np.ndarray  # (B,)
    goes_on: np.ndarray  # (B,) 1 - terminated
    after: np.ndarray  # (heads, B) value of the next observation
    least: np.ndarray  # (heads, B, U) smaller of the twin critics
    chances: np.ndarray  # (heads, B, U) probabilities


class Rules(NamedTuple):
    """What the losses need of the settings."""

    mixed: bool  # one temporal-difference error of the heads' sum, instead of one per head
    double: bool
    discount: np.float32
    conservatism: np.float32
    data_term: np.float32  # 1, or 0 for the defect that leaves out the logged action
    entropy_backup: np.float32
    entropy_target: np.float32
    expectile: np.float32
    advantage_temperature: np.float32


@njit(cache=True, error_model="numpy")
def arrange(s, batch, mean, factor, seen):
    """One seed's batch, scaled, into `seen`; with one head for several agents all is joint."""
    agents, features = batch.observation.shape[2:]
    joint = len(seen.now) < agents
    for b in range(len(seen.reward)):
        for a in range(agents):
            head, start = (0, a * features) if joint else (a, 0)
            now, later = seen.now[head, b, start:], seen.later[head, b, start:]
            for f in range(features):
                now[f] = (batch.observation[s, b, a, f] - mean[s, a, f]) * factor[s, a, f]
                later[f] = (batch.next_observation[s, b, a, f] - mean[s, a, f]) * factor[s, a, f]
        _choices(batch.mask[s, b], batch.action[s, b], joint, seen.mask[:, b], seen.action[:, b])
        _choices(batch.next_mask[s, b], batch.action[s, b], joint, seen.later_mask[:, b], seen.action[:, b])
        seen.reward[b] = batch.reward[s, b]
        seen.goes_on[b] = np.float32(1.0) - batch.terminated[s, b]


@njit(cache=True, error_model="numpy")
def _choices(mask, action, joint, valid, chosen):
    """Masks (heads, U) and actions (heads,) of one sample; joint actions count in base U, agent 0 slowest."""
    agents, actions = mask.shape
    if not joint:
        valid[:] = mask
        chosen[:] = action
        return
    valid[0, 0], number, size = True, 0, 1
    for a in range(agents):
        for j in range(size - 1, -1, -1):
            so_far = valid[0, j]
            for u in range(actions):
                valid[0, j * actions + u] = so_far and mask[a, u]
        size *= actions
        number = number * actions + action[a]
    chosen[0] = number


@njit(inline="always", error_model="numpy", fastmath=CONTRACT)
def exp32(x):
    """exp in float32 for x <= 0 by a polynomial and a power of two. Source: Cephes, expf."""
    f = np.float32
    x = max(x, f(-87.0))
    power = np.floor(x * f(1.44269504) + f(0.5))
    r = x - power * f(0.693359375)
    r = r + power * f(2.12194440e-4)
    p = f(1.9875691500e-4) * r + f(1.3981999507e-3)
    p = p * r + f(8.3334519073e-3)
    p = p * r + f(4.1665795894e-2)
    p = p * r + f(1.6666665459e-1)
    p = p * r + f(5.0000001201e-1)
    p = p * r * r + r + f(1.0)
    return p * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def soften(values, mask, chances):
    """chances <- softmax of the valid values, 0 elsewhere; returns the log-sum-exp of the valid values."""
    top, total = np.float32(-np.inf), np.float32(0.0)
    for u in range(values.size):
        top = max(top, values[u] if mask[u] else np.float32(-np.inf))
    for u in range(values.size):
        chances[u] = exp32(values[u] - top) if mask[u] else np.float32(0.0)
    for u in range(values.size):
        total += chances[u]
    share = np.float32(1.0) / total
    for u in range(values.size):
        chances[u] *= share
    return top + np.log(total)


@njit(inline="always", error_model="numpy")
def best(values, mask):
    """The valid action of the largest value, the first of several."""
    found = -1
    for u in range(values.size):
        if mask[u] and (found < 0 or values[u] > values[found]):
            found = u
    return found


@njit(cache=True, error_model="numpy")
def greedy_values(judge, values, mask, result):
    """result (heads, B) <- the values of the actions that are best by `judge`; both (heads, B, U)."""
    for h in range(len(values)):
        for b in range(values.shape[1]):
            result[h, b] = values[h, b, best(judge[h, b], mask[h, b])]


@njit(cache=True, error_model="numpy")
def soft_values(logits, twins, seen, beta, backup):
    """seen.after <- expectation of the smaller twin (2, heads, B, U) under the policy at the next observation.

    Source: discrete soft actor-critic (1910.07207), V(s) = sum_a pi(a|s) (min_k Q_k(s,a) - beta log pi(a|s)); the
    entropy counts only where it is backed up (A-228).
    """
    for h in range(len(logits)):
        for b in range(logits.shape[1]):
            mask, chances, value = seen.later_mask[h, b], seen.chances[h, b], np.float32(0.0)
            total = soften(logits[h, b], mask, chances)
            price = backup * beta[h % len(beta)]
            for u in range(mask.size):
                if mask[u]:
                    worth = min(twins[0, h, b, u], twins[1, h, b, u]) - price * (logits[h, b, u] - total)
                    value += chances[u] * worth
            seen.after[h, b] = value


@njit(cache=True, error_model="numpy")
def critic_slopes(q, seen, rules, slope, numbers):
    """Slopes of 0.5 TD^2 + conservatism (LSE - Q of the logged action), and both terms added to `numbers`.

    Source: CQL(H) of 2006.04779, equation 4, and additive values of 1706.05296: where mixed, sum_i Q_i(o_i, a_i) meets
    y = r + discount (1 - d) sum_i V_i(o_i'). The joint penalty of a sum of values is the sum of the agents' penalties.
    """
    heads, count, actions = q.shape
    share, alpha = np.float32(1.0 / count), rules.conservatism
    squares, gap, logged = 0.0, 0.0, 0.0
    for b in range(count):
        sum_q, sum_after = np.float32(0.0), np.float32(0.0)
        for h in range(heads):
            sum_q += q[h, b, seen.action[h, b]]
            sum_after += seen.after[h, b]
        for h in range(heads):
            chosen = seen.action[h, b]
            own = q[h, b, chosen]
            ahead = rules.discount * seen.goes_on[b] * (sum_after if rules.mixed else seen.after[h, b])
            error = (sum_q if rules.mixed else own) - (seen.reward[b] + ahead)
            line = slope[h, b]
            everything = soften(q[h, b], seen.mask[h, b], line)
            for u in range(actions):
                line[u] *= alpha * share
            line[chosen] += (error - alpha * rules.data_term) * share
            gap += everything - rules.data_term * own
            logged += own
            squares += 0.5 * error * error if h == 0 or not rules.mixed else 0.0
    numbers[TD] += squares / count
    numbers[CONSERVATIVE] += gap / count
    numbers[DATA_Q] += logged / (count * (1 if rules.mixed else heads))


@njit(cache=True, error_model="numpy")
def smaller(twins, least):
    """least (heads, B, U) <- the smaller of the twins (2, heads, B, U)."""
    one, two, result = twins[0].reshape(-1), twins[1].reshape(-1), least.reshape(-1)
    for j in range(result.size):
        result[j] = min(one[j], two[j])


@njit(cache=True, error_model="numpy")
def actor_slopes(logits, seen, rules, beta, slope, numbers, surplus):
    """Slopes of sum_a pi(a) (beta log pi(a) - least(a)); surplus (networks,) <- mean of entropy minus its target.

    Source: discrete soft actor-critic (1910.07207), actor and temperature.
    """
    heads, count, actions = logits.shape
    share, loss, entropies, worth = np.float32(1.0 / count), 0.0, 0.0, 0.0
    surplus[:] = 0.0
    for h in range(heads):
        net = h % len(beta)
        for b in range(count):
            mask, chances, line, valid = seen.mask[h, b], seen.chances[h, b], slope[h, b], 0
            total, entropy, value = soften(logits[h, b], mask, chances), np.float32(0.0), np.float32(0.0)
            for u in range(actions):
                valid += mask[u]
                log_chance = logits[h, b, u] - total if mask[u] else np.float32(0.0)
                entropy -= chances[u] * log_chance
                value += chances[u] * seen.least[h, b, u]
                line[u] = beta[net] * log_chance - seen.least[h, b, u]
            mean = -beta[net] * entropy - value
            for u in range(actions):
                line[u] = share * chances[u] * (line[u] - mean)
            loss += mean
            entropies += entropy
            worth += value
            surplus[net] += entropy - rules.entropy_target * np.log(np.float32(valid))
    surplus *= len(beta) / (heads * count)
    numbers[ACTOR] += loss / count
    numbers[ENTROPY] += entropies / (heads * count)
    numbers[MEAN_Q] += worth / (count * (1 if rules.mixed else heads))


@njit(cache=True, error_model="numpy")
def expectile_slopes(value, twins, seen, rules, slope, numbers, weight):
    """Slopes of |tau - 1(u < 0)| u^2, u = min_k Q_k(o, a_logged) - V(o); weight (heads, B) <- exp(temperature u).

    Source: 2110.06169, equations 5 and 7; weights are cut at 100 as in its code.
    """
    heads, count = seen.action.shape
    loss, worth = 0.0, 0.0
    for h in range(heads):
        for b in range(count):
            chosen = seen.action[h, b]
            advantage = min(twins[0, h, b, chosen], twins[1, h, b, chosen]) - value[h, b, 0]
            side = rules.expectile if advantage > 0 else np.float32(1.0) - rules.expectile
            slope[h, b, 0] = np.float32(-2.0 / count) * side * advantage
            loss += side * advantage * advantage
            worth += value[h, b, 0]
            weight[h, b] = np.exp(min(rules.advantage_temperature * advantage, np.float32(np.log(LARGEST_WEIGHT))))
    numbers[VALUE] += loss / count
    numbers[MEAN_Q] += worth / (count * (1 if rules.mixed else heads))


@njit(cache=True, error_model="numpy")
def likelihood_slopes(logits, seen, weight, slope, numbers):
    """Slopes of -weight log pi(a_logged); weight (heads, B)."""
    heads, count, actions = logits.shape
    loss, entropies = 0.0, 0.0
    for h in range(heads):
        for b in range(count):
            mask, line, chosen = seen.mask[h, b], slope[h, b], seen.action[h, b]
            total = soften(logits[h, b], mask, line)
            scale = weight[h, b] / np.float32(count)
            for u in range(actions):
                if mask[u]:
                    entropies -= line[u] * (logits[h, b, u] - total)
                line[u] *= scale
            line[chosen] -= scale
            loss -= weight[h, b] * (logits[h, b, chosen] - total)
    numbers[ACTOR] += loss / count
    numbers[ENTROPY] += entropies / (heads * count)
