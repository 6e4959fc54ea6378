"""Methods that a cell calls and a program awaits: ``x.get(id)`` and ``await x.get.aio(id)``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from .bridge import Bridge
from .secret_texts import Scrubber, scrubbing_by
from .tracebacks import hide_frames

__all__ = ["CalledAsMethod", "Dual", "dual", "dual_read", "show_reads_by"]

T = TypeVar("T")
P = ParamSpec("P")
S = TypeVar("S", bound="Bridged")


class Bridged(Protocol):
    """An object with ``dual`` methods."""

    bridge: Bridge

    @property
    def scrubber(self) -> Scrubber | None:
        """What its errors hide; None for what looks secret."""


class CalledAsMethod:
    """The base of what is called as a method is, and has methods of its own beside that.

    ``help(wb.run)`` and ``wb.run?`` show its arguments and what it does, as of any method.

    Example:
        >>> import inspect
        >>> from graphflow_nb.dual import CalledAsMethod
        >>> class Repeat(CalledAsMethod):
        ...     def __init__(self):
        ...         super().__init__("repeat")
        ...     def __call__(self, text: str, times: int = 2) -> str:
        ...         '''Return a text several times.'''
        ...         return text * times
        >>> repeat = Repeat()
        >>> inspect.isroutine(repeat), repeat.__doc__
        (True, 'Return a text several times.')

    Args:
        name: The name of the method.
    """

    def __init__(self, name: str):
        self.__name__, self.__doc__ = name, self.__call__.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the method does."""
        raise NotImplementedError

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.__call__

    def __get__(self, owner: object, kind: type | None = None) -> Self:
        # What has a name and is a descriptor is shown as a method.
        return self


def _run_unshown(bridge: Bridge, name: str, coroutine: Coroutine[Any, Any, T]) -> T:
    return bridge.run(coroutine)


#: Runs what ``dual_read`` methods read: on a bridge, with the name of the method.
_run_read: Callable[[Bridge, str, Coroutine[Any, Any, Any]], Any] = _run_unshown


def show_reads_by(run: Callable[[Bridge, str, Coroutine[Any, Any, Any]], Any]) -> None:
    """Let a function run what ``dual_read`` methods read, to show a person how long that takes.

    Args:
        run: A function of the bridge, the name of the method and the coroutine that reads; it
            returns the result of the coroutine.
    """
    global _run_read
    _run_read = run


class _Bound(Generic[P, T]):
    """A ``dual`` method of one object."""

    def __init__(
        self, method: Callable[..., Coroutine[Any, Any, T]], owner: Any, *, reads: bool = False
    ):
        # A bound method, so that help and completion show its arguments without self.
        self.__wrapped__: Callable[..., Coroutine[Any, Any, T]] = MethodType(method, owner)
        self.__doc__ = method.__doc__
        self._owner = owner
        self._reads = reads

    # help() shows the arguments of what has a name and is a descriptor, as every method is.

    @property
    def __name__(self) -> str:
        return self.__wrapped__.__name__

    def __get__(self, owner: object, kind: type | None = None) -> _Bound[P, T]:
        return self

    def __repr__(self) -> str:
        name = self.__name__
        return f"<{type(self._owner).__name__}.{name}(…), or await {name}.aio(…)>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        bridge: Bridge = self._owner.bridge
        scrubber: Scrubber | None = self._owner.scrubber
        try:
            # The loop runs the coroutine in the context of this thread, to which a bar belongs.
            with scrubbing_by(scrubber):
                called = self.__wrapped__(*args, **kwargs)
                if self._reads:
                    result: T = _run_read(bridge, self.__name__, called)
                    return result
                return bridge.run(called)
        except Exception as error:
            hide_frames(error, scrubber)
            raise

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return the same call to be awaited, on the same connections."""
        bridge: Bridge = self._owner.bridge
        scrubber: Scrubber | None = self._owner.scrubber
        with scrubbing_by(scrubber):
            called = bridge.wait(self.__wrapped__(*args, **kwargs))
        return _await_scrubbed(scrubber, called)


async def _await_scrubbed(scrubber: Scrubber | None, called: Awaitable[T]) -> T:
    try:
        with scrubbing_by(scrubber):
            return await called
    except Exception as error:
        hide_frames(error, scrubber)
        raise


class Dual(Generic[S, P, T]):
    """A coroutine method with two forms: ``x.get(id)`` waits, ``await x.get.aio(id)`` awaits.

    The object has a ``bridge``, which runs the coroutine.
    """

    def __init__(
        self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]], *, reads: bool = False
    ):
        self._method = method
        self._reads = reads
        update_wrapper(self, method)

    @overload
    def __get__(self, owner: None, kind: type[S]) -> Dual[S, P, T]: ...
    @overload
    def __get__(self, owner: S, kind: type[S]) -> _Bound[P, T]: ...
    def __get__(self, owner: S | None, kind: type[S]) -> Dual[S, P, T] | _Bound[P, T]:
        return self if owner is None else _Bound(self._method, owner, reads=self._reads)

    def __call__(self, owner: S, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the method of an object, as any function of a class can be called."""
        return self.__get__(owner, type(owner))(*args, **kwargs)


def dual(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Dual[S, P, T]:
    """Return a coroutine method as one that can be called or awaited; see ``Dual``."""
    return Dual(method)


def dual_read(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Dual[S, P, T]:
    """Return a ``dual`` method that reads, and may take long: ``show_reads_by`` shows that."""
    return Dual(method, reads=True)
