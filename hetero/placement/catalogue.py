"""The device models and dimensions of a cluster, each once, in tables that only ever grow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hetero.errors import InvalidValue
from hetero.model.device import DeviceModel
from hetero.placement.columns import Amounts

MOST = 2**31 - 1
"""Of anything on one device, so that sums over a cluster stay far within 64 bits."""

MOST_DIMENSIONS = 64
"""Of all models together: tables are as long as there are dimensions, for every device of the cluster."""

MOST_MODELS = 4096
"""That a cluster has or ever had."""


class Catalogue:
    """What devices there may be.

    Attributes:
        models: The models that occur or have occurred.
        dimensions: Names of what they have, each a line of :attr:`capacity`.
        columns: Name of a dimension to its line.
        capacity: What a device of each model has, line by line.
    """

    def __init__(self) -> None:
        self.models: list[DeviceModel] = []
        self.dimensions: list[str] = []
        self.columns: dict[str, int] = {}
        self.capacity: Amounts = np.zeros((0, 0), dtype=np.int64)
        self._numbers: dict[tuple[object, ...], int] = {}

    @property
    def size(self) -> int:
        """How many models and dimensions there are: what was found out with fewer may be wrong now."""
        return len(self.models)

    def check(self, models: Iterable[DeviceModel]) -> None:
        """Hold models to be ones that can be entered. Inventories come from annotations, which people can edit.

        Raises:
            InvalidValue: A capacity is no amount, or there would be too many models or dimensions.
        """
        new, names = set[object](), set(self.columns)
        for model in models:
            for name, amount in model.capacity.items():
                if not 0 <= amount <= MOST:
                    reason = f"is no capacity of {name}; it is from 0 to {MOST}"
                    raise InvalidValue(f"model {model.name}", amount, reason)
            names.update(model.capacity)
            key = _key(model)
            if key not in self._numbers:
                new.add(key)
        if len(names) > MOST_DIMENSIONS:
            raise InvalidValue("dimensions", len(names), f"are more than the {MOST_DIMENSIONS} that a cluster may have")
        if len(self.models) + len(new) > MOST_MODELS:
            raise InvalidValue("models", len(self.models) + len(new), f"are more than the {MOST_MODELS} that may be")

    def number(self, model: DeviceModel) -> int:
        """The number of a model, which is entered when it is new. Models that differ in anything are different."""
        key = _key(model)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.models)
            self.models.append(model)
            for name in model.capacity:
                if name not in self.columns:
                    self.columns[name] = len(self.dimensions)
                    self.dimensions.append(name)
            self.capacity = self._widened(model.capacity)
        return number

    def known(self, model: DeviceModel) -> DeviceModel:
        """The equal model that came first, so that a cluster holds each once."""
        return self.models[self.number(model)]

    def vector(self, quantities: Mapping[str, int]) -> Amounts:
        """Amounts by name as a column; every name must be a dimension."""
        column = np.zeros(len(self.dimensions), dtype=np.int64)
        for name, amount in quantities.items():
            column[self.columns[name]] = amount
        return column

    def _widened(self, capacity: Mapping[str, int]) -> Amounts:
        table = np.zeros((len(self.dimensions), len(self.models)), dtype=np.int64)
        lines, count = self.capacity.shape
        table[:lines, :count] = self.capacity
        table[:, -1] = self.vector(capacity)
        return table


def _key(model: DeviceModel) -> tuple[object, ...]:
    return (model.vendor, model.name, model.family, model.mode, tuple(sorted(model.capacity.items())))
