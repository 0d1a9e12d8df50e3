"""Settings of the PPO family by name: what actor and critic may see, and the public code with all its defects."""

from replication.algos.ppo_settings import AS_SHIPPED, PPOSettings


def ippo(**changes):
    """Decentralised actors, each with a critic on its own observation."""
    return PPOSettings(**({"critic_sees": "own"} | changes))


def centralised(**changes):
    """One actor on the global state that draws the joint action."""
    return PPOSettings(**({"actor_sees": "state", "critic_sees": "state"} | changes))


def as_shipped(**changes):
    """MAPDN's MAPPO with all its defects."""
    return PPOSettings(**(AS_SHIPPED | changes))
