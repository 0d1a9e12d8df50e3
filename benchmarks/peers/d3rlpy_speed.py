"""Gradient steps of d3rlpy's DiscreteCQL on demand: each line read asks for that many, and is answered when done.

Started by `benchmarks.peers.process` with the interpreter of d3rlpy's own environment. Arguments: what is timed
("sample" for sampling and update as in its `fit`, without the logging; "update" for the update of one batch again and
again), and the units of the two hidden layers.
"""

import os
import sys
from collections.abc import Callable
from functools import partial

BATCH, FEATURES, ACTIONS, EPISODES, HORIZON = 256, 6, 4, 20, 1000


def stepper(timed: str, hidden: tuple[int, ...]) -> Callable[[], object]:
    """A function that makes one gradient step."""
    import d3rlpy
    import numpy as np
    import torch

    torch.set_num_threads(1)
    generator, size = np.random.default_rng(0), EPISODES * HORIZON
    data = d3rlpy.dataset.MDPDataset(
        observations=generator.random((size, FEATURES), dtype=np.float32),
        actions=generator.integers(0, ACTIONS, size),
        rewards=generator.random(size, dtype=np.float32),
        terminals=np.zeros(size, np.float32),
        timeouts=(np.arange(size) % HORIZON == HORIZON - 1).astype(np.float32),
        action_size=ACTIONS,
    )
    encoder = d3rlpy.models.VectorEncoderFactory(hidden_units=list(hidden), activation="relu")
    learner = d3rlpy.algos.DiscreteCQLConfig(batch_size=BATCH, gamma=0.9, encoder_factory=encoder).create()
    learner.create_impl((FEATURES,), ACTIONS)
    batch = data.sample_transition_batch(BATCH)
    if timed == "update":
        return lambda: learner.update(batch)
    return lambda: learner.update(data.sample_transition_batch(BATCH))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # the package's own log must not mix with the answers
    try:
        serve(*sys.argv[1:], say=partial(print, file=answers, flush=True))
    except ImportError as error:
        print(f"missing: {error}", file=answers, flush=True)
    except Exception as error:
        print(f"{error!r}", file=answers, flush=True)
        raise


def serve(timed: str, *hidden: str, say: Callable[[str], None]) -> None:
    """Prepare, then answer line by line."""
    step = stepper(timed, tuple(map(int, hidden)))
    say("ready")
    for line in sys.stdin:
        for _ in range(int(line)):
            step()
        say("done")


if __name__ == "__main__":
    main()
