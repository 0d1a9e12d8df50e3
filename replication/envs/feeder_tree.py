"""From a branch list with any numbering to a tree in which every parent comes before its children."""

import heapq
from collections.abc import Sequence

from replication.settings import BadInput


def order_tree(name: str, buses: Sequence[int], ends: Sequence[tuple[int, int]], slack: int) -> list[tuple[int, int]]:
    """Walk the tree from the slack, always taking the smallest bus number that is already connected.

    A numbering in which parents come first is therefore kept as it is.

    Args:
        name: the feeder's name, for messages.
        buses: bus numbers, each once.
        ends: the two bus numbers of every branch, in any direction.
        slack: bus number of the root.

    Returns:
        (bus, index of the branch that feeds it) in walking order; the slack comes first with index -1.

    Raises:
        BadInput: a repeated or unknown bus, a loop (its closing branch named), or an island (its first bus named).
    """
    neighbours = _neighbours(name, buses, ends, slack)
    order: list[tuple[int, int]] = []
    reached = {slack}
    waiting = [(slack, -1)]
    while waiting:
        bus, feeding = heapq.heappop(waiting)
        order.append((bus, feeding))
        for other, branch in neighbours[bus]:
            if branch == feeding:
                continue
            if other in reached:
                start, end = ends[branch]
                raise BadInput(f"feeder {name}: branch {start}-{end} closes a loop; open it, feeders must be trees")
            reached.add(other)
            heapq.heappush(waiting, (other, branch))
    cut_off = sorted(set(buses) - reached)
    if cut_off:
        count = f"{len(cut_off)} of {len(buses)} buses have no path to slack {slack}"
        raise BadInput(f"feeder {name}: bus {cut_off[0]} is an island ({count}); connect or remove it")
    return order


def _neighbours(
    name: str, buses: Sequence[int], ends: Sequence[tuple[int, int]], slack: int
) -> dict[int, list[tuple[int, int]]]:
    neighbours: dict[int, list[tuple[int, int]]] = {bus: [] for bus in buses}
    if len(neighbours) != len(buses):
        twice = next(bus for k, bus in enumerate(buses) if bus in buses[:k])
        raise BadInput(f"feeder {name}: bus {twice} is listed twice; number each bus once")
    if slack not in neighbours:
        raise BadInput(f"feeder {name}: the slack bus {slack} is not among the buses; list it")
    for branch, (start, end) in enumerate(ends):
        for bus in (start, end):
            if bus not in neighbours:
                raise BadInput(
                    f"feeder {name}: branch {start}-{end} names bus {bus}, which is not listed; list or drop it"
                )
        neighbours[start].append((end, branch))
        neighbours[end].append((start, branch))
    return neighbours
