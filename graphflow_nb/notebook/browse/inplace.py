"""Changing values of the open session where one reads them: into the draft, with its preview."""

from __future__ import annotations

from typing import Literal

import ipywidgets as widgets
from markupsafe import Markup
from msgspec import Raw

from ...cards import notice_html
from ...cards.lines import Hidden, Lines, Values, shown_text
from ...changes import Draft, Path, document, value_at
from ...errors import GraphflowError, PatchError
from ...model import Session
from ...storage.paths import place_text
from ..html import LiveHtml
from .stage import Stage
from .valuetree import Asked, ValueTree, mark_of

__all__ = ["InPlace"]


class InPlace:
    """The context or the chat of the open session, whose values can be changed where they are.

    Args:
        stage: The state that the parts of the browser share.
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._draft: Draft | None = None
        self._turn = 0
        self.tree = ValueTree(self._set, self._read, stage.render)
        self.problem, self.notice = LiveHtml(), LiveHtml()
        self.box = widgets.VBox([self.problem, self.tree, self.notice])
        stage.desk.typed.append(self._find_typed)

    def render(
        self, session: Session, part: Literal["Context", "Chat"], lines: Lines, *, finding: bool
    ) -> None:
        """Show a portion of the open session.

        Args:
            session: The session with the changes of its draft.
            part: The part of it that is shown.
            lines: The portion.
            finding: Whether it is what a search found.
        """
        desk = self._stage.desk
        base = None if desk.draft is None else document(desk.draft.base)
        self.problem.value = notice_html("error", lines.problem) if lines.problem else Markup("")
        self.tree.show(
            lines.lines,
            of=session.id,
            label=part,
            editable=not self._stage.read_only and not desk.in_conflict,
            before=None if base is None else Values(base).find,
            hide=desk.mask.hide if base is None else Hidden(base, (), desk.mask).find,
            mask=desk.mask,
            turn=self._turn,
            empty="nothing found" if finding else "empty",
        )

    def follow_draft(self) -> None:
        """Leave a value that is open if the draft was saved or discarded."""
        draft = self._stage.desk.draft
        if draft is None and self._draft is not None:
            self._turn += 1
            self.tree.typing = ""
        self._draft = draft

    def _read(self, path: Path) -> Raw:
        """Return the value at a path of the open session, with the changes of its draft."""
        desk = self._stage.desk
        if desk.draft is not None:
            return desk.draft.value(path)
        if desk.session is None:
            raise PatchError("no session is open any more; nothing was set")
        return value_at(document(desk.session), path)

    def _set(self, asked: Asked) -> None:
        failed: list[GraphflowError] = []

        def act() -> None:
            try:
                self._replace(asked)
            except GraphflowError as error:  # shown beside the value, by the tree
                failed.append(error)

        self._stage.act(act, quiet=True, place=self.notice)
        if failed:
            raise failed[0]

    def _replace(self, asked: Asked) -> None:
        desk = self._stage.desk
        words = place_text(desk.mask.hide_path(asked.path))
        if desk.session is None or desk.session.id != asked.of:
            raise PatchError("another session is open by now; nothing was set")
        now = self._read(asked.path)
        if mark_of(now) != asked.mark:
            shown = shown_text(desk.mask.hide(now, asked.path))
            raise PatchError(
                f"{words} was changed meanwhile and is {shown[:200]} now; nothing was "
                "set. Enter again replaces that, Esc leaves it"
            )
        desk.replace(asked.path, asked.value)
        kept = "is set in the draft" if desk.draft is not None else "is as it was stored"
        self._stage.notify("info", f"{words} {kept}")

    def _find_typed(self) -> str:
        session = self._stage.desk.session
        if not self.tree.typing or session is None or session.id != self.tree.page.get("of"):
            return ""
        return (
            f"what was typed for {self.tree.typing} is not in the draft yet: press Enter there to "
            "keep it, or Esc to leave it"
        )
