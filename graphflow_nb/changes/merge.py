"""Merge: a three-way merge of the session as it was opened, as it is stored, and as wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Raw

from ..errors import ContextError, PatchError
from ..model import Session, exactjson
from ..model.masks import mask_in_use
from ..printable import printable
from .comparing import diff
from .document import MESSAGES, document, with_document
from .lists import merge_lists, merge_messages
from .patch import Patch, Path, pointer, shorten

__all__ = ["Choice", "Clash", "Merge"]

Choice = Literal["stored", "mine"]


@dataclass(frozen=True, slots=True, repr=False)
class Clash:
    """A place that both sides changed differently.

    Example:
        >>> from graphflow_nb import Merge, Session
        >>> base, stored, mine = (Session("claim-1", task) for task in ("a", "b", "c"))
        >>> (clash,) = Merge(base, stored, mine).clashes
        >>> clash.pointer, bytes(clash.stored), bytes(clash.mine)
        ('/current_task_id', b'"b"', b'"c"')

    Attributes:
        path: The keys and indexes from the session down.
        base, stored, mine: The JSON text there when the session was opened, as it is stored now,
            and as it is wanted; None where it does not exist.
    """

    path: Path
    base: Raw | None
    stored: Raw | None
    mine: Raw | None

    @property
    def pointer(self) -> str:
        """The path as a JSON Pointer."""
        return pointer(self.path)

    def __repr__(self) -> str:
        mask = mask_in_use()
        values = (mask.hide_or_none(raw, self.path) for raw in (self.base, self.stored, self.mine))
        base, stored, mine = (printable(shorten(raw)) for raw in values)
        place = printable(pointer(mask.hide_path(self.path)))
        return f"<Clash at {place}: opened {base}, stored {stored}, mine {mine}>"


class Merge:
    """A merge of one's own changes with those that another writer saved meanwhile.

    Members of objects are merged by themselves, and messages that both appended to the chat
    history. A list is merged where it is certain that its elements are the same ones: each side
    appended some or changed some at their places, not the same ones. What both changed differently
    is a clash, for which one side must be chosen; for a list that is the whole list.

    Example:
        >>> from graphflow_nb import Merge, Session
        >>> base = Session("claim-1", "intake")
        >>> stored = Session("claim-1", "intake", status_message="a worker was here")
        >>> mine = Session("claim-1", "payout")
        >>> merge = Merge(base, stored, mine)
        >>> merge.clashes, merge.session({}).status_message, merge.session({}).current_task_id
        ([], 'a worker was here', 'payout')

    Args:
        base: The session as it was opened.
        stored: The session as it is stored now.
        mine: The session as it is wanted.

    Attributes:
        stored: The session as it is stored now.
        clashes: The clashes, in the order of the document.
        theirs: The changes in the store since the session was opened.
        mine: The own changes to the stored session that no choice concerns.
    """

    def __init__(self, base: Session, stored: Session, mine: Session):
        self.stored = stored
        self._documents = document(base), document(stored), document(mine)
        self.theirs: Patch = diff(base, stored)
        self.clashes: list[Clash] = []

        def add_clash(clash: Clash) -> Choice:
            self.clashes.append(clash)
            return "stored"

        merged = self._merge(add_clash)
        self.mine: Patch = diff(stored, merged)

    def session(self, choices: Mapping[Path, Choice]) -> Session:
        """Return the merged session, at the version that is stored now.

        Args:
            choices: For the path of each clash, ``"stored"`` or ``"mine"``.

        Raises:
            PatchError: A clash has no valid choice.
        """

        hide = self.stored.mask.hide_or_none

        def choose(clash: Clash) -> Choice:
            choice = choices.get(clash.path)
            if choice not in ("stored", "mine"):
                raise PatchError(
                    f"{clash.pointer} was changed on both sides, stored as "
                    f"{shorten(hide(clash.stored, clash.path))} and here as "
                    f"{shorten(hide(clash.mine, clash.path))}: choose 'stored' or 'mine', not "
                    f"{choice!r}"
                )
            return choice

        return self._merge(choose)

    def _merge(self, choose: Callable[[Clash], Choice]) -> Session:
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
                merged = (merge_messages if path == MESSAGES else merge_lists)(*arrays)
                if merged is not None:
                    return Raw(exactjson.join(merged))
        except (ContextError, RecursionError):
            pass  # nested too deep to merge: chosen as a whole
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
