"""The environments of one template: all parts of all its variants, compiled once."""

from __future__ import annotations

from minijinja import Environment

from pagerd.render import engine
from pagerd.render.multiplying import fuel_for, multiplies, shown
from pagerd.render.spending import Spending


class Engines:
    """The environments of one template: the quick one, and the one that prints nothing for null, made when needed.

    ``spending`` is there where the template repeats or multiplies: :meth:`Spending.begin` before each rendering.
    """

    __slots__ = ("_forgiving", "_sources", "quick", "spending")

    def __init__(self, sources: dict[str, str]) -> None:
        self.spending = Spending() if any(map(multiplies, sources.values())) else None
        self._sources = {name: shown(source) for name, source in sources.items()} if self.spending else sources
        self.quick = self._made(hide_nulls=False)
        self._forgiving: Environment | None = None

    def forgiving(self) -> Environment:
        """Return the environment in which a printed null is nothing."""
        if self._forgiving is None:
            self._forgiving = self._made(hide_nulls=True)
        return self._forgiving

    def _made(self, *, hide_nulls: bool) -> Environment:
        """Return an environment that holds every part of every variant."""
        if self.spending is None:
            environment = engine.new_environment(hide_nulls=hide_nulls)
        else:
            fuel = fuel_for(self._sources.values())
            environment = engine.measuring_environment(self.spending, fuel, hide_nulls=hide_nulls)
        for name, source in self._sources.items():
            environment.add_template(name, source)
        return environment
