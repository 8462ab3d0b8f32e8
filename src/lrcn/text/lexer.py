r"""A scanner from patterns: the longest match wins, of equal lengths the earlier pattern.

Python's `re` takes the first alternative that fits, which is another rule, so the scanner builds
its own automaton. Its states are found as texts ask for them, and kept.

Patterns know literals (both cases match), classes `[a-z]` and `[^...]` (as written), `(...)`, `|`,
`*`, `+`, `?`, `{2,3}`, named parts `<name>` and `\` before a character meant literally. Blanks
outside of classes mean nothing. A `/` divides what is taken from what must follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Contains = Callable[[str], bool]
"""Whether a class of characters holds one."""

_DEAD, _NONE = -1, -1


@dataclass
class _Net:
    """Places joined by characters (`moves`) and by nothing (`skips`)."""

    moves: list[tuple[Contains, int] | None] = field(default_factory=list)
    skips: list[list[int]] = field(default_factory=list)

    def place(self) -> int:
        self.moves.append(None)
        self.skips.append([])
        return len(self.moves) - 1

    def closure(self, places: set[int]) -> frozenset[int]:
        seen, waiting = set(places), list(places)
        while waiting:
            for below in self.skips[waiting.pop()]:
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
        return frozenset(seen)


class _Reader:
    """Reads one pattern into a net, from a start place to an end place."""

    def __init__(self, net: _Net, parts: Mapping[str, str | Contains]) -> None:
        self._net, self._parts = net, parts
        self._text, self._at = "", 0

    def add(self, text: str) -> tuple[int, int]:
        """The start and end place of a pattern."""
        outer = self._text, self._at
        self._text, self._at = text, 0
        found = self._choice()
        assert self._at == len(self._text), f"unread: {self._text[self._at :]!r} of {text!r}"
        self._text, self._at = outer
        return found

    def _peek(self) -> str:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _choice(self) -> tuple[int, int]:
        start, end = self._net.place(), self._net.place()
        while True:
            first, last = self._sequence()
            self._net.skips[start].append(first)
            self._net.skips[last].append(end)
            if self._peek() != "|":
                return start, end
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        start = end = self._net.place()
        while self._peek() not in ("", "|", ")"):
            begin = self._at
            first, last = self._atom()
            low, high = self._count()
            after = self._at
            first, last = self._repeat((first, last), low, high, begin)
            self._at = after
            self._net.skips[end].append(first)
            end = last
        return start, end

    def _count(self) -> tuple[int, int | None]:
        sign = self._peek()
        if sign in ("*", "+", "?"):
            self._at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        if sign == "{":
            inner, _, _ = self._text[self._at + 1 :].partition("}")
            self._at += len(inner) + 2
            low, _, high = inner.partition(",")
            return int(low), int(high or low)
        return 1, 1

    def _repeat(
        self, once: tuple[int, int], low: int, high: int | None, begin: int
    ) -> tuple[int, int]:
        """`once` in a chain of as many copies as are counted, each read again from the text."""
        net = self._net
        start = end = net.place()
        stops = [start] if low == 0 else []
        for i in range(max(low, high or 1)):
            if i:
                self._at = begin
                once = self._atom()
            net.skips[end].append(once[0])
            end = once[1]
            if i + 1 >= low:
                stops.append(end)
        if high is None:
            net.skips[end].append(once[0])
        last = net.place()
        for stop in stops:
            net.skips[stop].append(last)
        return start, last

    def _atom(self) -> tuple[int, int]:
        sign = self._peek()
        self._at += 1
        if sign == "(":
            found = self._choice()
            assert self._peek() == ")", f"no ) in {self._text!r}"
            self._at += 1
            return found
        if sign == "<":
            name, _, _ = self._text[self._at :].partition(">")
            self._at += len(name) + 1
            part = self._parts[name]
            return self.add(part) if isinstance(part, str) else self._one(part)
        if sign == "[":
            return self._one(self._class())
        if sign == "\\":
            sign = self._text[self._at]
            self._at += 1
        both = frozenset((sign, sign.lower(), sign.upper()))
        return self._one(both.__contains__)

    def _one(self, contains: Contains) -> tuple[int, int]:
        start, end = self._net.place(), self._net.place()
        self._net.moves[start] = (contains, end)
        return start, end

    def _class(self) -> Contains:
        text, at = self._text, self._at
        negative = text[at] == "^"
        at += negative
        ranges: list[tuple[str, str]] = []
        while text[at] != "]":
            at += text[at] == "\\"
            first = last = text[at]
            at += 1
            if text[at] == "-" and text[at + 1] != "]":
                last, at = text[at + 1], at + 2
            ranges.append((first, last))
        self._at = at + 1
        return lambda char: any(a <= char <= b for a, b in ranges) != negative


class Automaton:
    """Several patterns at once; finds which of them matches the longest piece of a text."""

    def __init__(self, patterns: Sequence[str], parts: Mapping[str, str | Contains]) -> None:
        self._net = _Net()
        reader = _Reader(self._net, parts)
        ends: dict[int, int] = {}
        starts: set[int] = set()
        for i, pattern in enumerate(patterns):
            start, end = reader.add(pattern)
            starts.add(start)
            ends[end] = i
        self._ends = ends
        self._numbers: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._accepts: list[int] = []
        self._next: list[dict[str, int]] = []
        self._start = self._number(self._net.closure(starts))

    def _number(self, places: frozenset[int]) -> int:
        found = self._numbers.get(places)
        if found is None:
            found = self._numbers[places] = len(self._members)
            self._members.append(places)
            self._accepts.append(
                min((self._ends[p] for p in places if p in self._ends), default=_NONE)
            )
            self._next.append({})
        return found

    def _follow(self, state: int, char: str) -> int:
        reached = set()
        for place in self._members[state]:
            move = self._net.moves[place]
            if move is not None and move[0](char):
                reached.add(move[1])
        found = self._number(self._net.closure(reached)) if reached else _DEAD
        self._next[state][char] = found
        return found

    def longest(self, text: str, start: int) -> tuple[int, int]:
        """The pattern that matches most from `start` on, and where the match ends; (-1, start)."""
        state, accepts, following = self._start, self._accepts, self._next
        pattern, end = _NONE, start
        for at in range(start, len(text)):
            char = text[at]
            state_after = following[state].get(char)
            if state_after is None:
                state_after = self._follow(state, char)
            if state_after < 0:
                break
            state = state_after
            if accepts[state] >= 0:
                pattern, end = accepts[state], at + 1
        return pattern, end

    def ends(self, text: str, start: int, stop: int) -> list[int]:
        """Every place up to `stop` where a match from `start` on may end."""
        state, found = self._start, []
        for at in range(start, stop + 1):
            if self._accepts[state] >= 0:
                found.append(at)
            if at == stop:
                break
            following = self._next[state].get(text[at])
            state = self._follow(state, text[at]) if following is None else following
            if state < 0:
                break
        return found


class Scanner:
    """Cuts a text into tokens by a list of rules, each a pattern with or without what follows."""

    def __init__(self, rules: Sequence[str], parts: Mapping[str, str | Contains]) -> None:
        """`rules` as in the module's docstring; `parts` by name: a pattern, or a class."""
        divided = [_divide(rule) for rule in rules]
        self._all = Automaton([f"({a})({b})" if b else a for a, b in divided], parts)
        self._taken = [Automaton([a], parts) if b else None for a, b in divided]
        self._after = [Automaton([b], parts) if b else None for _, b in divided]

    def match(self, text: str, start: int) -> tuple[int, int]:
        """The rule that fits at `start`, -1 for none, and where its token ends."""
        rule, end = self._all.longest(text, start)
        if rule < 0:
            return rule, end
        taken, after = self._taken[rule], self._after[rule]
        if taken is None or after is None:
            return rule, end
        for middle in reversed(taken.ends(text, start, end)):
            if end in after.ends(text, middle, end):
                return rule, middle
        raise AssertionError(f"rule {rule} matched {text[start:end]!r} as no sum of its parts")


def _divide(rule: str) -> tuple[str, str]:
    """What is taken and what must follow, at a `/` outside of classes and not escaped."""
    at, inside = 0, False
    while at < len(rule):
        char = rule[at]
        if char == "\\":
            at += 1
        elif char == "[":
            inside = True
        elif char == "]":
            inside = False
        elif char == "/" and not inside:
            return rule[:at], rule[at + 1 :]
        at += 1
    return rule, ""
