"""Where the boxes of a diagram are: in layers from top to bottom, by networkx.

Arrows that lead back to an earlier box are set aside, which leaves a graph without cycles. Its
topological generations are the layers. A long arrow gets a point in each layer that it passes, and
each layer is ordered by the mean place of its neighbours, so that few arrows cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

import networkx as nx

from .scene import ROW

__all__ = ["Layout", "Place", "Size", "place_boxes"]

GAP: Final = 34.0  # between boxes side by side
LAYER_GAP: Final = 64.0  # between layers, which labels of arrows need
SWEEPS: Final = 4

#: A box, or a point of a long arrow in a layer: source, target and the number of the layer.
_Item: TypeAlias = str | tuple[str, str, int]


class Size(NamedTuple):
    """The width and the height of a box."""

    width: float
    height: float


class Place(NamedTuple):
    """Where the middle of a box is, and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Where everything is.

    Attributes:
        places: The place of each box, by its key.
        paths: For each arrow that leads down, the points between its two boxes.
        back: The arrows that lead up.
    """

    places: dict[str, Place] = field(default_factory=dict)
    paths: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    back: list[tuple[str, str]] = field(default_factory=list)


def place_boxes(
    sizes: Mapping[str, Size], arrows: Iterable[tuple[str, str]], start: str | None
) -> Layout:
    """Return where boxes and arrows are.

    Args:
        sizes: The size of each box, by its key.
        arrows: The keys of the boxes that each joins; those from a box to itself are left out.
        start: The key of the box that is above the others; None for any.
    """
    pairs = list(dict.fromkeys(pair for pair in arrows if pair[0] != pair[1]))
    back = _find_back(sizes, pairs, start)
    down = [pair for pair in pairs if pair not in back]
    joined = {key for pair in pairs for key in pair}
    graph = nx.DiGraph()
    graph.add_nodes_from(key for key in sizes if key in joined)
    graph.add_edges_from(down)
    layers: list[list[_Item]] = [list(layer) for layer in nx.topological_generations(graph)]
    paths = _lead_through(layers, down)
    _order(layers, paths)
    loose: list[_Item] = [key for key in sizes if key not in joined]
    rows = layers + [loose[i : i + ROW] for i in range(0, len(loose), ROW)]
    return _measure(rows, sizes, paths, [pair for pair in pairs if pair in back])


def _find_back(
    keys: Iterable[str], pairs: Sequence[tuple[str, str]], start: str | None
) -> set[tuple[str, str]]:
    """Return the pairs that lead back to a box on the way to them."""
    graph = nx.DiGraph()
    graph.add_nodes_from(keys)
    graph.add_edges_from(pairs)
    first = [] if start is None else [start]
    first += [key for key in graph if graph.in_degree(key) == 0]
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in dict.fromkeys([*first, *graph]):
        if root in done:
            continue
        on_the_way: set[str] = set()
        for source, target, kind in nx.dfs_labeled_edges(graph, root):
            if kind == "forward" and target not in done:
                on_the_way.add(target)
            elif kind == "reverse":
                on_the_way.discard(target)
                done.add(target)
            elif kind == "nontree" and target in on_the_way:
                back.add((source, target))
    return back


def _lead_through(
    layers: list[list[_Item]], pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[_Item]]:
    """Return each arrow as its items from layer to layer, and put its points into the layers."""
    layer_of = {item: number for number, layer in enumerate(layers) for item in layer}
    paths: dict[tuple[str, str], list[_Item]] = {}
    for source, target in pairs:
        path: list[_Item] = [source]
        for number in range(layer_of[source] + 1, layer_of[target]):
            point = (source, target, number)
            layers[number].append(point)
            path.append(point)
        paths[source, target] = [*path, target]
    return paths


def _order(layers: list[list[_Item]], paths: Mapping[Any, Sequence[_Item]]) -> None:
    """Order each layer by the mean place of its neighbours in the one before, and back up."""
    above: dict[_Item, list[_Item]] = {}
    below: dict[_Item, list[_Item]] = {}
    for path in paths.values():
        for one, other in pairwise(path):
            below.setdefault(one, []).append(other)
            above.setdefault(other, []).append(one)
    for _ in range(SWEEPS):
        for order, neighbours in ((layers, above), (layers[::-1], below)):
            places: dict[_Item, float] = {}
            for layer in order:
                own = {item: float(place) for place, item in enumerate(layer)}
                mean = {item: _mean(neighbours.get(item, ()), places, own[item]) for item in layer}
                layer.sort(key=mean.__getitem__)
                places = {item: float(place) for place, item in enumerate(layer)}


def _mean(items: Sequence[_Item], places: Mapping[_Item, float], otherwise: float) -> float:
    known = [places[item] for item in items if item in places]
    return sum(known) / len(known) if known else otherwise


def _measure(
    rows: Sequence[Sequence[_Item]],
    sizes: Mapping[str, Size],
    paths: Mapping[tuple[str, str], Sequence[_Item]],
    back: list[tuple[str, str]],
) -> Layout:
    """Return the layout of boxes whose order in each row is known."""
    neighbours: dict[_Item, list[_Item]] = {}
    for path in paths.values():
        for one, other in pairwise(path):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)

    def size_of(item: _Item) -> Size:
        return sizes[item] if isinstance(item, str) else Size(8.0, 0.0)

    xs: dict[_Item, float] = {}
    for order in (rows, rows[::-1]) * SWEEPS:
        for row in order:
            wanted = [_mean(neighbours.get(item, ()), xs, xs.get(item, 0.0)) for item in row]
            xs.update(zip(row, _spread(wanted, [size_of(i).width for i in row]), strict=True))
    layout = Layout(back=back)
    ys: dict[_Item, float] = {}
    top = 0.0
    for row in rows:
        height = max((size_of(item).height for item in row), default=0.0)
        ys |= dict.fromkeys(row, top + height / 2)
        top += height + LAYER_GAP
    left = min((xs[item] - size_of(item).width / 2 for row in rows for item in row), default=0.0)
    layout.places = {key: Place(xs[key] - left, ys[key], *size) for key, size in sizes.items()}
    layout.paths = {
        pair: [(xs[item] - left, ys[item]) for item in path[1:-1]] for pair, path in paths.items()
    }
    return layout


def _spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return places near the wanted ones, in the same order and without overlaps."""
    found: list[float] = []
    edge = float("-inf")
    for want, width in zip(wanted, widths, strict=True):
        found.append(max(want, edge + width / 2))
        edge = found[-1] + width / 2 + GAP
    shift = sum(want - x for want, x in zip(wanted, found, strict=True)) / max(1, len(found))
    return [x + shift for x in found]
