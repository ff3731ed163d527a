"""The environments of one template: all parts of all its variants, compiled once."""

from __future__ import annotations

from minijinja import Environment

from pagerd.render import engine
from pagerd.render.multiplying import fuel_for, light_up_to, multiplies, shown
from pagerd.render.spending import Spending


class Engines:
    """The environments of one template: the quick one, and the one that prints nothing for null, made when needed.

    ``spending`` is there where the template repeats or multiplies: :meth:`Spending.begin` before each rendering.
    ``light`` measures nothing: for data of at most ``light_up_to`` bytes; ``None``: there is no need of another.
    """

    __slots__ = ("_forgiving", "_sources", "light", "light_up_to", "quick", "spending")

    def __init__(self, sources: dict[str, str]) -> None:
        self.spending = Spending() if any(map(multiplies, sources.values())) else None
        self._sources = {name: shown(source) for name, source in sources.items()} if self.spending else sources
        self.quick = self._made(hide_nulls=False)
        self._forgiving: Environment | None = None
        self.light_up_to = light_up_to(sources.values()) if self.spending else 0
        self.light = self._filled(engine.new_environment()) if self.light_up_to else None

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
        return self._filled(environment)

    def _filled(self, environment: Environment) -> Environment:
        for name, source in self._sources.items():
            environment.add_template(name, source)
        return environment
