"""Three-way merge: what was opened, what is stored now, what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Session, exactjson
from .patch import MESSAGES, Patch, Path, diff, document, pointer, with_document

__all__ = ["Choice", "Clash", "Merge"]

Choice = Literal["stored", "mine"]


@dataclass(frozen=True, slots=True)
class Clash:
    """A place that both sides changed, and differently; None where there is nothing.

    Attributes:
        path: keys and indexes from the session down.
        base, stored, mine: JSON text of what was opened, what is stored now, what is wanted.
    """

    path: Path
    base: Raw | None
    stored: Raw | None
    mine: Raw | None

    @property
    def pointer(self) -> str:
        """The path as a JSON Pointer."""
        return pointer(self.path)


class Merge:
    """Joins one's own changes with those that someone else saved meanwhile.

    Members of objects, elements of arrays that kept their length, and messages that both appended
    to the chat are merged on their own. What both changed differently is a clash, to be chosen.

    Args:
        base: the session as it was opened.
        stored: as it is stored now.
        mine: as it is wanted.

    Attributes:
        clashes: to be chosen, in the order of the document.
        theirs: what changed in the store since the session was opened.
    """

    def __init__(self, base: Session, stored: Session, mine: Session):
        self.stored = stored
        self._documents = document(base), document(stored), document(mine)
        self.theirs: Patch = diff(base, stored)
        self.clashes: list[Clash] = []

        def note(clash: Clash) -> Choice:
            self.clashes.append(clash)
            return "stored"

        merged = self._merged(note)
        #: What of one's own changes goes onto the stored session whatever is chosen.
        self.mine: Patch = diff(stored, merged)

    def session(self, choices: Mapping[Path, Choice]) -> Session:
        """The merged session, at the version that is stored now.

        Args:
            choices: for the path of each clash, ``"stored"`` or ``"mine"``.

        Raises:
            PatchError: a clash was not chosen.
        """

        def choose(clash: Clash) -> Choice:
            choice = choices.get(clash.path)
            if choice not in ("stored", "mine"):
                raise PatchError(f"{clash.pointer}: choose 'stored' or 'mine', not {choice!r}")
            return choice

        return self._merged(choose)

    def _merged(self, choose: Callable[[Clash], Choice]) -> Session:
        text = _merge(*self._documents, (), choose)
        assert text is not None
        return with_document(self.stored, text)


def _merge(
    base: Raw | None,
    stored: Raw | None,
    mine: Raw | None,
    path: Path,
    choose: Callable[[Clash], Choice],
) -> Raw | None:
    same = exactjson.same
    if same(base, mine) or same(stored, mine):
        return stored
    if same(base, stored):
        return mine
    if base is not None and stored is not None and mine is not None:
        texts = (base, stored, mine)
        kinds = {exactjson.kind(text) for text in texts}
        try:
            if kinds == {"object"}:
                return _merge_objects(texts, path, choose)
            if kinds == {"array"}:
                arrays = [exactjson.split_array(text, "") for text in texts]
                merged = _merge_arrays(arrays, path, choose)
                if merged is not None:
                    return merged
        except (ContextError, RecursionError):
            pass  # too deep to look into: chosen as a whole
    clash = Clash(path, base, stored, mine)
    return stored if choose(clash) == "stored" else mine


def _merge_objects(
    texts: tuple[Raw, Raw, Raw], path: Path, choose: Callable[[Clash], Choice]
) -> Raw:
    base, stored, mine = (exactjson.split_object(text, "") for text in texts)
    merged = {}
    for key in {**stored, **mine}:
        text = _merge(base.get(key), stored.get(key), mine.get(key), (*path, key), choose)
        if text is not None:
            merged[key] = text
    return Raw(exactjson.join(merged))


def _merge_arrays(
    arrays: list[list[Raw]], path: Path, choose: Callable[[Clash], Choice]
) -> Raw | None:
    base, stored, mine = arrays
    if len(base) == len(stored) == len(mine):
        merged = []
        for index, texts in enumerate(zip(base, stored, mine, strict=True)):
            text = _merge(*texts, (*path, str(index)), choose)
            assert text is not None
            merged.append(text)
        return Raw(exactjson.join(merged))
    if path == MESSAGES:
        # What one side only appended goes with whatever the other did; what was said meanwhile
        # comes first.
        if _begins(mine, base):
            return Raw(exactjson.join(stored + mine[len(base) :]))
        if _begins(stored, base):
            return Raw(exactjson.join(mine + stored[len(base) :]))
    return None


def _begins(whole: list[Raw], start: list[Raw]) -> bool:
    return len(whole) >= len(start) and all(map(exactjson.same, whole, start))
