"""Compiled loops over trajectories (lane, step, agent): reward-to-go, truncated tables, sums of the policy gradient.

States and actions come as uint8, so that an index is never negative. A reward or value of step h may be that of the
pair one step later: `shift` is 0 or 1 (`recorded` in the settings).
"""

import numpy as np
from numba import njit

from replication.seeding import mix

NO_BASELINE, TIME_BASELINE, STATE_BASELINE = range(3)


@njit(cache=True)
def spread_keys(keys, purpose, count):
    """(count,) keys for one purpose, each from one of `keys`."""
    made = np.empty(count, np.uint64)
    for k in range(count):
        turn = np.uint64(purpose) << np.uint64(32) | np.uint64(k // len(keys))
        made[k] = mix(keys[k % len(keys)] ^ mix(turn)) >> np.uint64(1)
    return made


@njit(cache=True, error_model="numpy")
def reward_to_go_sums(states, actions, shift, reward, discount, weights, near, whole, seen, alphabet, baseline, sums):
    """Add Σ_b Σ_h weight_h X_i^{b,h} at (i, code of the seen states, action), X from rewards-to-go; see `_collect`."""
    lanes, agents, steps = states.shape[0], states.shape[2], len(weights)
    value = np.zeros((lanes, agents + 1))
    room, visits = np.zeros_like(sums), np.zeros_like(sums)
    for h in range(steps - 1, -1, -1):
        for lane in range(lanes):
            for j in range(agents):
                r = reward[j, states[lane, h + shift, j], actions[lane, h + shift, j]]
                value[lane, j] = r + discount * value[lane, j]
        _collect(value, states, actions, h, near, whole, seen, alphabet, room, visits)
        _settle(room, visits, weights[h], baseline, lanes, sums)


@njit(cache=True, error_model="numpy")
def table_sums(q, states, actions, weights, near, whole, seen, alphabet, baseline, sums):
    """As `reward_to_go_sums`, from truncated values q (B, H, n) looked up along the trajectories."""
    lanes, agents, steps = states.shape[0], states.shape[2], len(weights)
    value = np.zeros((lanes, agents + 1))
    room, visits = np.zeros_like(sums), np.zeros_like(sums)
    for h in range(steps):
        value[:, :agents] = q[:, h]
        _collect(value, states, actions, h, near, whole, seen, alphabet, room, visits)
        _settle(room, visits, weights[h], baseline, lanes, sums)


@njit(cache=True, error_model="numpy")
def _collect(value, states, actions, h, near, whole, seen, alphabet, room, visits):
    """Sum the values of agent i's neighbourhood, X_i = Σ_{j near i} value_j, at (i, code, action) of step h.

    near: (n, m), padded with n, whose value is 0; whole: every neighbourhood is everyone.
    """
    lanes, agents, width, depth = value.shape[0], near.shape[0], near.shape[1], seen.shape[1]
    for lane in range(lanes):
        everyone = 0.0
        if whole:
            for j in range(agents):
                everyone += value[lane, j]
        for i in range(agents):
            x = everyone
            if not whole:
                for k in range(width):
                    x += value[lane, near[i, k]]
            code = np.uint64(states[lane, h, i])
            for k in range(1, depth):
                if seen[i, k] >= 0:
                    code = code * np.uint64(alphabet) + np.uint64(states[lane, h, seen[i, k]])
            room[i, code, actions[lane, h, i]] += x
            visits[i, code, actions[lane, h, i]] += 1.0


@njit(cache=True, error_model="numpy")
def _settle(room, visits, weight, baseline, lanes, sums):
    """Add a step's sums, less the mean over the other lanes (leave-one-out: no bias), and clear them."""
    agents, rows, options = room.shape
    for i in range(agents):
        total = room[i].sum() if baseline != NO_BASELINE else 0.0
        for k in range(rows):
            others, mean_sum = float(lanes), total
            if baseline == STATE_BASELINE and visits[i, k].sum() > 1.5:
                others, mean_sum = visits[i, k].sum(), room[i, k].sum()
            for a in range(options):
                x = room[i, k, a]
                if baseline != NO_BASELINE:
                    x = (others * x - mean_sum * visits[i, k, a]) / (others - 1.0)
                sums[i, k, a] += weight * x
    room[:] = 0.0
    visits[:] = 0.0


@njit(inline="always")
def pair_key(members, states, actions, lane, h, alphabet, options, hashed):
    """Code of the (s, a) of a group at one step, first member most significant; a 64-bit hash if it would overflow."""
    key = np.uint64(0)
    for k in range(len(members)):
        j = members[k]
        digit = np.uint64(states[lane, h, j]) * np.uint64(options) + np.uint64(actions[lane, h, j])
        key = mix(key + digit) if hashed else key * np.uint64(alphabet * options) + digit
    return key


@njit(cache=True, error_model="numpy")
def td_tables(states, actions, shift, reward, discount, members, alphabet, options, gain, delay, by_visits, tables):
    """Run temporal differences over all lanes into tables (copies, entries) of one agent, from zero.

    Only steps with a successor in the lane are learnt from: the last pair of a lane is bootstrapped from by the one
    before it, and is no terminal state. Lane b trains copy b mod copies against the smallest copy's value.

    Args:
        reward: (S, A) own shadow reward; members: agents of the neighbourhood, the agent itself first.
        gain, delay: h and t0 of the step h / (t + t0); by_visits: t counts the entry's visits, not all steps.
    """
    copies = len(tables)
    visits = np.zeros(tables.shape if by_visits else (copies, 1))
    for lane in range(states.shape[0]):
        mine = lane % copies
        now = pair_key(members, states, actions, lane, 0, alphabet, options, False)
        for h in range(states.shape[1] - 1):
            after = pair_key(members, states, actions, lane, h + 1, alphabet, options, False)
            r = reward[states[lane, h + shift, members[0]], actions[lane, h + shift, members[0]]]
            future = tables[0, after]
            for copy in range(1, copies):
                future = min(future, tables[copy, after])
            clock = now if by_visits else np.uint64(0)
            rate = gain / (visits[mine, clock] + delay)
            visits[mine, clock] += 1.0
            tables[mine, now] = (1.0 - rate) * tables[mine, now] + rate * (r + discount * future)
            now = after


@njit(cache=True, error_model="numpy")
def look_up_dense(tables, states, actions, members, alphabet, options, q):
    """Fill q (B, H) with the smallest copy's entry along the lanes."""
    for lane in range(q.shape[0]):
        for h in range(q.shape[1]):
            key = pair_key(members, states, actions, lane, h, alphabet, options, False)
            q[lane, h] = tables[0, key]
            for copy in range(1, len(tables)):
                q[lane, h] = min(q[lane, h], tables[copy, key])


@njit(inline="always")
def _slot(keys, used, key):
    """Where `key` lies in the open table, or the free slot for it."""
    mask = np.uint64(len(keys) - 1)
    slot = mix(key) & mask
    while used[slot] and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, error_model="numpy")
def average_visited(states, actions, shift, reward, discount, weights, members, form, keys, used, sums, masses):
    """Sum reward-to-go and weights per visited (s, a) of the neighbourhood; returns the number of visited keys.

    Args:
        form: (S, A, hashed).
        keys, used: (capacity,) open table, capacity a power of two above the number of visits.
        sums, masses: (copies, capacity); lane b adds to copy b mod copies.
    """
    alphabet, options, hashed = form
    steps, found = len(weights), 0
    for lane in range(states.shape[0]):
        value = 0.0
        for h in range(steps - 1, -1, -1):
            value = discount * value + reward[states[lane, h + shift, members[0]], actions[lane, h + shift, members[0]]]
            key = pair_key(members, states, actions, lane, h, alphabet, options, hashed)
            slot = _slot(keys, used, key)
            if not used[slot]:
                used[slot], keys[slot] = True, key
                found += 1
            sums[lane % len(sums), slot] += weights[h] * value
            masses[lane % len(sums), slot] += weights[h]
    return found


@njit(cache=True, error_model="numpy")
def look_up_visited(states, actions, members, form, keys, used, sums, masses, unseen, q):
    """Fill q (B, H) with the smallest copy's average along the lanes, `unseen` where no copy has the key."""
    alphabet, options, hashed = form
    for lane in range(q.shape[0]):
        for h in range(q.shape[1]):
            slot = _slot(keys, used, pair_key(members, states, actions, lane, h, alphabet, options, hashed))
            least = np.inf
            for copy in range(len(sums)):
                if used[slot] and masses[copy, slot] > 0.0:
                    least = min(least, sums[copy, slot] / masses[copy, slot])
            q[lane, h] = unseen if least == np.inf else least
