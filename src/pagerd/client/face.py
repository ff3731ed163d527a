"""The two faces of one description: an operation answers at once on a blocking pager, and is awaited on the other.

Every operation is written once, as a plan. Which face it shows is decided by the driver of the object that it
is called on, at run time and for the type checker alike::

    class Sessions(Faced[F]):
        @operation
        def get(self, id: str) -> Plan[Session[F]]: ...

    Sessions[Blocking].get("ses_1")    # Session[Blocking]
    Sessions[Awaiting].get("ses_1")    # a coroutine of Session[Awaiting]
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from pagerd.client.calls import Caller
from pagerd.client.steps import Course, Plan

if TYPE_CHECKING:
    from pagerd.client.awaiting import Awaiting
    from pagerd.client.blocking import Blocking

    F = TypeVar("F", bound=Awaiting | Blocking)
else:
    F = TypeVar("F")

P = ParamSpec("P")
T = TypeVar("T")


class Faced(Caller, Generic[F]):
    """Something with operations; ``face`` drives them."""

    def __init__(self, face: F) -> None:
        super().__init__(face.patience)
        self._face = face


class operation(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a plan callable: it brings one result."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self.plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Faced[Blocking], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Faced[Awaiting], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else _bound(self.plan, instance, instance._face.run)  # noqa: SLF001


class stream(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a course callable: it brings items, one after the other."""

    def __init__(self, course: Callable[Concatenate[Any, P], Course[T]]) -> None:
        self.course = course
        self.__doc__ = course.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Faced[Blocking], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Faced[Awaiting], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else _bound(self.course, instance, instance._face.stream)  # noqa: SLF001


def _bound(described: Callable[..., Any], instance: object, drive: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the operation as a method of ``instance``, carried out by ``drive``."""

    @functools.wraps(described)
    def method(*args: Any, **kwargs: Any) -> Any:
        return drive(described(instance, *args, **kwargs))

    return method
