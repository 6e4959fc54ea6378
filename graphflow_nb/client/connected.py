"""Connected: an open store, with what its calls need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Self
from weakref import WeakSet

from ..bridge import Bridge
from ..dual import dual
from ..journal import Journal, JournaledStorage
from ..journal.storage import UnnotedStorage
from ..model import Session
from ..model.masks import DEFAULT_MASK, Mask
from ..monitoring import MonitoredStorage, Recorder
from ..storage import Query
from ..storage.attributes import StorageAttributes, attributes_of
from ..storage.capabilities import require
from ..storage.offloop import run_off_loop
from ..storage.paths import ContextPath
from ..storage.protocols import SupportsClose, SupportsTable
from ..storage.table import Table
from .asking import Asking
from .observed import Observed, Way
from .shown import Shown

__all__ = ["Connected", "clients"]

#: What views ask a client for; a person has other names for it.
_OF_VIEWS: Final = frozenset(
    (
        *("asking", "bridge", "filters", "hide_secrets", "hiding", "note_shown", "observed"),
        *("orders", "scrubber", "table"),
    )
)
_known: WeakSet[Connected] = WeakSet()


class Connected:
    """An open store: its storage, bridge, recorder and journal; see ``Client``."""

    def __init__(
        self,
        storage: MonitoredStorage,
        bridge: Bridge,
        recorder: Recorder,
        journal: Journal | None = None,
        mask: Mask = DEFAULT_MASK,
        asking: Asking | None = None,
    ):
        self.mask = mask
        # What errors hide: the mask, or None for the default one, as what belongs to no store has.
        self.scrubber = None if mask is DEFAULT_MASK else mask
        self.storage = storage
        self.bridge = bridge
        self.recorder = recorder
        self.asking = Asking.about(storage) if asking is None else asking
        self.journaled = JournaledStorage(
            storage,
            Journal() if journal is None else journal,
            storage.for_journal,
            self.attributes.place or type(storage.inner).__name__,
        )
        self.orders = {"updated_at"}
        self.filters: set[str] = set()
        self.observed = Observed()
        self._shown = Shown()
        _known.add(self)

    def __dir__(self) -> list[str]:
        """Return the names that Tab completion offers: without those that views ask for."""
        return sorted(set(super().__dir__()) - _OF_VIEWS)

    @property
    def attributes(self) -> StorageAttributes:
        """The attributes of the storage inside, such as ``read_only`` and ``place``."""
        return attributes_of(self.storage.inner)

    def _writer(self, undo: bool) -> JournaledStorage | UnnotedStorage:
        """Return the storage for a write that is to be noted, or not."""
        return self.journaled if undo else self.journaled.unnoted

    async def table(self, query: Query, context: Sequence[ContextPath] = ()) -> Table:
        """Return the selected sessions by column.

        A coroutine, for views, which run it by ``bridge``.

        Raises:
            CapabilityError: The storage has no method ``table``.
            StorageError: The store failed.
        """
        self.orders.add(query.order_by)
        self.filters.update(query.filters)
        table = await require(self.storage, SupportsTable).table(query, context)
        self._shown.note_table(table, self.attributes.identity)
        await run_off_loop(len(table), lambda: self.observed.note_table(table), self.storage)
        return table

    def hide_secrets(self, session: Session) -> Session:
        """Return a session after its mask was set: that is, what of it is hidden where it is shown.

        Args:
            session: A session that the storage returned past the client.
        """
        if self.mask is not DEFAULT_MASK:
            session.mask = self.mask
        return session

    def hiding(
        self, redact: Callable[[Session], Session | None] | None
    ) -> Callable[[Session], Session | None] | None:
        """Return a function for ``redact=`` whose sessions know what of them is hidden."""
        if redact is None or self.mask is DEFAULT_MASK:
            return redact
        return lambda session: redact(self.hide_secrets(session))

    def note_shown(self, session: Session, way: Way | None = "read") -> None:
        """Remember the state of a session that is shown, or was saved.

        A version that a person gives later is understood by it, and so are transitions.

        Args:
            session: The session.
            way: How the state became known; see ``Observed.note``.
        """
        self.hide_secrets(session)
        self._shown.note(session)
        self.observed.note(session, way)

    @dual
    async def close(self) -> None:
        """Release connections and files; the recorded operations stay."""
        self._end_background_work()
        if isinstance(self.storage, SupportsClose):
            await self.storage.close()

    def _end_background_work(self) -> None:
        """End what works beside the calls; nothing here does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clients() -> list[Connected]:
    """Return all open stores in use in this process, workbenches among them."""
    return list(_known)
