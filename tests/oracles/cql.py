"""Losses of offline Q-learning as printed, sample by sample, in float64 and with autograd for the slopes.

`parts` maps "critic", "value" and "actor" to lists of one seed's networks, "target" to those of the slow critics;
a network is a dict of torch tensors. Twin critics come one after another: all agents' first, then all agents' second.
"""

from itertools import product

import torch


def network(weights, x):
    """Two hidden layers of ReLU units."""
    x = torch.relu(x @ weights["weight0"] + weights["bias0"])
    x = torch.relu(x @ weights["weight1"] + weights["bias1"])
    return x @ weights["weight_out"] + weights["bias_out"]


def valid_choices(mask, joint):
    """Per head, the numbers of the valid actions; the joint head numbers joint actions as written by product()."""
    if not joint:
        return [[u for u, valid in enumerate(row) if valid] for row in mask.tolist()]
    every = product(*(range(len(row)) for row in mask.tolist()))
    return [[number for number, actions in enumerate(every) if all(mask[a][u] for a, u in enumerate(actions))]]


def chosen_actions(actions, size, joint):
    """Per head, the number of the logged action."""
    if not joint:
        return actions.tolist()
    every = list(product(range(size), repeat=len(actions)))
    return [every.index(tuple(actions.tolist()))]


def inputs(observation, joint):
    """Per head, what its network sees."""
    return [observation.reshape(-1)] if joint else list(observation)


def outputs(nets, twin, seen, shared):
    """Outputs of every head's network (its `twin`-th)."""
    heads = len(seen)
    per_twin = 1 if shared else heads
    return [network(nets[twin * per_twin + (0 if shared else h)], x) for h, x in enumerate(seen)]


def log_policy(logits, valid):
    """Log-probabilities of the valid actions, in their order."""
    return logits[valid] - torch.logsumexp(logits[valid], dim=0)


def critic_terms(settings, q_heads, valid, chosen, reward, ended, after):
    """Squared errors (halved) and the conservative term of one sample and one critic per head."""
    logged = [q[a] for q, a in zip(q_heads, chosen, strict=True)]
    goes_on = settings.discount * (1 - ended)
    if settings.paradigm == "ctde":
        squares = 0.5 * (sum(logged) - reward - goes_on * sum(after)) ** 2
    else:
        squares = sum(0.5 * (q - reward - goes_on * v) ** 2 for q, v in zip(logged, after, strict=True))
    gap = sum(torch.logsumexp(q[v], dim=0) for q, v in zip(q_heads, valid, strict=True))
    return squares, gap - (sum(logged) if settings.penalty == "cql" else 0.0)


def losses(settings, parts, sample, beta):
    """Losses by network of one sample of one seed; no loss sends slopes into anything but its own networks.

    Args:
        sample: observation (A, F), mask, action, reward, next_observation, next_mask, terminated of one transition.
        beta: temperature of each network's policy.
    """
    joint, shared = settings.paradigm == "centralised", settings.share_weights or settings.paradigm == "centralised"
    observation, mask, action, reward, later_observation, later_mask, ended = sample
    now, later = inputs(observation, joint), inputs(later_observation, joint)
    valid, later_valid = valid_choices(mask, joint), valid_choices(later_mask, joint)
    chosen = chosen_actions(action, mask.shape[1], joint)
    heads = range(len(now))
    betas = [beta[0 if shared else h] for h in heads]
    found = {}

    if settings.backbone == "bc":
        logits = outputs(parts["actor"], 0, now, shared)
        found["actor"] = -sum(log_policy(logits[h], valid[h])[valid[h].index(chosen[h])] for h in heads)
        return found

    with torch.no_grad():
        if settings.backbone == "dqn":
            slow = outputs(parts["target"], 0, later, shared)
            judge = outputs(parts["critic"], 0, later, shared) if settings.double else slow
            best = [max(later_valid[h], key=lambda u, q=judge[h]: float(q[u])) for h in heads]
            after = [slow[h][best[h]] for h in heads]
        elif settings.backbone == "sac":
            one, two = (outputs(parts["target"], k, later, shared) for k in range(2))
            logits = outputs(parts["actor"], 0, later, shared)
            after = []
            for h in heads:
                log_chance, v = log_policy(logits[h], later_valid[h]), later_valid[h]
                worth = torch.minimum(one[h], two[h])[v]
                if settings.entropy_backup:
                    worth = worth - betas[h] * log_chance
                after.append((log_chance.exp() * worth).sum())
        else:
            after = [v[0] for v in outputs(parts["value"], 0, later, shared)]

    twins = [outputs(parts["critic"], k, now, shared) for k in range(settings.critics)]
    alpha = settings.conservatism if settings.backbone in ("dqn", "sac") else 0.0
    terms = [critic_terms(settings, q, valid, chosen, reward, ended, after) for q in twins]
    found["critic"] = sum(squares + alpha * gap for squares, gap in terms)
    found["td_loss"] = sum(squares for squares, _ in terms) / len(terms)
    found["conservative"] = sum(gap for _, gap in terms) / len(terms)

    if settings.backbone == "sac":
        logits = outputs(parts["actor"], 0, now, shared)
        found["actor"], found["entropy"] = 0.0, 0.0
        for h in heads:
            worth = torch.minimum(twins[0][h], twins[1][h]).detach()[valid[h]]
            log_chance = log_policy(logits[h], valid[h])
            found["actor"] += (log_chance.exp() * (betas[h] * log_chance - worth)).sum()
            found["entropy"] -= (log_chance.exp() * log_chance).sum() / len(now)

    if settings.backbone == "iql":
        values = [v[0] for v in outputs(parts["value"], 0, now, shared)]
        one, two = (outputs(parts["target"], k, now, shared) for k in range(2))
        logits = outputs(parts["actor"], 0, now, shared)
        found["value"], found["actor"] = 0.0, 0.0
        for h in heads:
            advantage = torch.minimum(one[h], two[h])[chosen[h]].detach() - values[h]
            side = settings.expectile if advantage > 0 else 1 - settings.expectile
            found["value"] += side * advantage**2
            weight = torch.exp(settings.advantage_temperature * advantage.detach()).clamp(max=100.0)
            found["actor"] -= weight * log_policy(logits[h], valid[h])[valid[h].index(chosen[h])]
    return found


def joint_penalty(q_heads, valid, chosen):
    """LSE over all valid joint actions of the sum of the agents' values, minus that of the logged joint action."""
    totals = [sum(q[a] for q, a in zip(q_heads, actions, strict=True)) for actions in product(*valid)]
    return torch.logsumexp(torch.stack(totals), dim=0) - sum(q[a] for q, a in zip(q_heads, chosen, strict=True))


def adam(weights, gradients, rate, largest=float("inf")):
    """1412.6980, algorithm 1, on a vector, every gradient being cut to a norm of `largest` first."""
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    for step, gradient in enumerate(gradients, start=1):
        gradient = gradient * min(1.0, largest / float(gradient.norm()))
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights = weights - rate * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return weights
