"""What became of each value of a request: the caller's document beside the upstream's.

    came ─► equal values ─► texts within texts ─► options of one name ─► what is left
               carried           changed               changed           lost, restated; added in goes

Nothing is traced: equal values are taken for the same one, so of several equal ones any may be named. What is lost is
no guess: the codecs say it.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from gateway import ir

__all__ = ["Change", "changes"]

_FORM: Final = frozenset({"object", "role", "type"})
_TEXTS: Final = frozenset({"content", "input", "instructions", "output", "system", "text", "thinking"})
_SHORTEST: Final = 4  # shorter texts stand in others by chance
_MOST_TEXTS: Final = 100_000  # comparisons
_NEAREST: Final = 16  # of equal values
_DULL: Final = (0, 1, -1)  # numbers that many options have
_WORD: Final = re.compile(r"[A-Z]?[a-z]+")
_ADDRESS: Final = "in the address"

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Change(Struct, frozen=True, kw_only=True):
    """One value: `came` and `goes` are its places in the two documents, "" = all of it, None = in none.

    `how`: "restated" is said in the words of the other dialect, "added" has the gateway said. `why`: what a loss says.
    """

    how: Literal["carried", "changed", "lost", "restated", "added"]
    came: str | None = None
    goes: str | None = None
    before: object = None
    after: object = None
    why: str = ""

    @property
    def is_form(self) -> bool:
        """Whether it is what a dialect calls its parts, rather than what is said in them."""
        path = self.came or self.goes or ""
        return "[" in path and path.rpartition(".")[2] in _FORM


class _Node:
    """A value in its document; those from its own place to `end` stand in it."""

    def __init__(self, path: str, name: str, value: object, place: int) -> None:
        self.path = path
        self.name = name
        self.value = value
        self.place = place
        self.end = place + 1
        self.used = False

    @property
    def is_leaf(self) -> bool:
        return self.end == self.place + 1

    @property
    def is_form(self) -> bool:
        return "[" in self.path and self.name in _FORM

    @property
    def tells(self) -> bool:
        """Whether the same value elsewhere is hardly there by chance."""
        if isinstance(self.value, str):
            return len(self.value) >= _SHORTEST and not self.is_form
        if self.value is None or isinstance(self.value, bool):
            return False
        return self.value not in _DULL if isinstance(self.value, int | float) else bool(self.value)


def changes(came: object, goes: object, losses: Sequence[ir.Loss], address: str = "") -> tuple[Change, ...]:
    """Say what became of each value of a JSON document; some upstreams want a few of them in the address."""
    comparison = _Comparison(_nodes(came), _nodes(goes), losses, address)
    comparison.match_values()
    comparison.match_texts()
    comparison.match_options()
    return tuple(comparison.told())


_Known: TypeAlias = defaultdict[tuple[bytes, frozenset[str] | None], deque[_Node]]  # by value, and by name or any


class _Comparison:
    def __init__(self, came: list[_Node], goes: list[_Node], losses: Sequence[ir.Loss], address: str) -> None:
        self._came = came
        self._goes = goes
        self._address = address.lower()
        self._losses = {loss.path: loss for loss in reversed(losses)}
        self._rows: defaultdict[int, list[Change]] = defaultdict(list)  # by place in `came`

    # finding

    def match_values(self) -> None:
        """Take each value that stands in both, the largest first; JSON in a text is as good as the value itself."""
        known: _Known = defaultdict(deque)
        for node in self._goes:
            for key in _keys(node):
                known[key, None].append(node)
                known[key, _words(node.name)].append(node)
        for node in self._came:
            if not node.used:
                found = self._equal(node, known)
                if found is not None:
                    self._take(node, found, "carried")

    def _equal(self, node: _Node, known: _Known) -> _Node | None:
        """Give the equal value whose path is the most like this one's; what hardly tells must have the same name."""
        named = _words(node.name) if not node.tells or self._loss(node.path) is not None else None
        queues = [known[key, named] for key in _keys(node) if (key, named) in known]
        free = [one for queue in queues for one in self._free(queue)]
        if len(free) < 2:
            return free[0] if free else None
        words = _words(node.path)
        return max(free, key=lambda one: (one.name == node.name, len(_words(one.path) & words)))

    def _free(self, queue: deque[_Node]) -> Iterator[_Node]:
        """Give the first few that are not taken, and forget those that are."""
        while queue and not _is_free(queue[0], self._goes):
            queue.popleft()
        return islice((one for one in queue if _is_free(one, self._goes)), _NEAREST)

    def match_texts(self) -> None:
        """Take each text that stands within a longer one, or has one within."""
        came = [node for node in self._came if not node.used and _is_text(node)]
        goes = [node for node in self._goes if not node.used and node.is_leaf and isinstance(node.value, str)]
        if len(came) * len(goes) > _MOST_TEXTS:
            return
        for node in came:
            for other in goes:
                if _stands_in(node, other):
                    self._take(node, other, "changed")

    def match_options(self) -> None:
        """Take each option whose name is that of one in the other document, or a part of it."""
        goes = [node for node in self._goes if not node.used and _is_option(node)]
        for node in self._came:
            if not node.used and _is_option(node):
                found = next((one for one in goes if not one.used and _are_related(node, one)), None)
                if found is not None:
                    self._take(node, found, "changed")

    def _take(self, node: _Node, other: _Node, how: Literal["carried", "changed"]) -> None:
        for one in (*self._came[node.place : node.end], *self._goes[other.place : other.end]):
            one.used = True
        loss = self._loss(node.path)
        why = loss.reason if loss is not None else ""
        before, after = (node.value, other.value) if how == "changed" else (None, None)
        row = Change(how=how, came=node.path, goes=other.path, before=before, after=after, why=why)
        self._rows[node.place].append(row)

    # telling

    def told(self) -> Iterator[Change]:
        """Give all of them, in the order of the caller's document; what only the upstream's has stands behind."""
        said: set[str] = set()
        for node in _left(self._came, self._losses):
            loss = self._loss(node.path)
            said.add(loss.path if loss is not None else "")
            self._rows[node.place].append(self._unmatched(node, loss))
        for place in sorted(self._rows):
            yield from self._rows[place]
        known = {node.path for node in self._came}
        for loss in self._losses.values():
            if loss.path not in known | said:
                yield Change(how="lost", came=loss.path, why=f"{loss.severity}: {loss.reason}")
        for node in _left(self._goes, ()):
            yield Change(how="added", goes=node.path, after=node.value)

    def _unmatched(self, node: _Node, loss: ir.Loss | None) -> Change:
        if loss is not None:
            return Change(how="lost", came=node.path, before=node.value, why=f"{loss.severity}: {loss.reason}")
        said = node.is_leaf and _is_said(node, self._address)
        return Change(how="restated", came=node.path, before=node.value, why=_ADDRESS if said else "")

    def _loss(self, path: str) -> ir.Loss | None:
        """Give the loss of a value, or of what it stands in."""
        while path:
            if path in self._losses:
                return self._losses[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


def _nodes(document: object) -> list[_Node]:
    """List every value of a document, each before what stands in it."""
    nodes: list[_Node] = []

    def add(path: str, name: str, value: object) -> None:
        node = _Node(path, name, value, len(nodes))
        nodes.append(node)
        if isinstance(value, dict):
            for key, inner in cast(dict[str, object], value).items():  # JSON's keys are strings
                add(f"{path}.{key}" if path else key, key, inner)
        elif isinstance(value, list):
            for number, inner in enumerate(cast(list[object], value)):  # list[Unknown] after isinstance
                add(f"{path}[{number}]", name, inner)
        node.end = len(nodes)

    add("", "", document)
    return nodes


def _left(nodes: list[_Node], losses: Sequence[str] | dict[str, ir.Loss]) -> Iterator[_Node]:
    """Give the largest values that nothing was found for, cut at what a loss names."""
    place = 0
    while place < len(nodes):
        node = nodes[place]
        inner = nodes[place + 1 : node.end]
        if node.used:
            place = node.end
        elif node.path and not any(one.used or one.path in losses for one in inner):
            yield node
            place = node.end
        else:
            place += 1


def _is_free(node: _Node, nodes: list[_Node]) -> bool:
    return not any(one.used for one in nodes[node.place : node.end])


def _keys(node: _Node) -> Iterator[bytes]:
    """Give what equal values have in common; a text may also be JSON, as the arguments of calls are."""
    yield _encode(node.value)
    if isinstance(node.value, str) and node.value[:1] in ("{", "["):
        try:
            yield _encode(msgspec.json.decode(node.value))
        except (ValueError, RecursionError):
            return


def _is_text(node: _Node) -> bool:
    return node.is_leaf and isinstance(node.value, str) and node.tells


def _stands_in(node: _Node, other: _Node) -> bool:
    came, goes = str(node.value), str(other.value)
    if came.startswith("data:"):
        return len(goes) >= _SHORTEST and not other.is_form and goes.rstrip("=") in came
    if came.casefold() == goes.casefold():
        return True
    return node.name in _TEXTS and other.name in _TEXTS and came in goes


def _is_said(node: _Node, address: str) -> bool:
    """Tell whether the address names a model, or says that the answer is a stream."""
    if node.name == "model":
        return str(node.value).rpartition("/")[2].lower() in address
    return node.name == "stream" and "stream" in address


def _is_option(node: _Node) -> bool:
    return node.is_leaf and bool(node.path) and "[" not in node.path


def _are_related(node: _Node, other: _Node) -> bool:
    """Tell whether one is named after the other, and may be its value."""
    if type(node.value) is not type(other.value):
        return False
    ours, theirs = (one.path.rsplit(".", 2)[-2:] for one in (node, other))
    name, other_name = _words(ours[-1]), _words(theirs[-1])
    named_after = name <= _words(".".join(theirs)) or other_name <= _words(".".join(ours))
    return len(name & other_name) > 1 or (bool(name and other_name) and named_after)


def _words(path: str) -> frozenset[str]:
    """Give the words of names, however they are written together."""
    return frozenset(word.lower() for word in _WORD.findall(path))
