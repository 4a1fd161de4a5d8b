"""The device models and dimensions of a cluster, each once, in tables that only ever grow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hetero.model.device import DeviceModel
from hetero.placement.columns import Amounts


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

    def number(self, model: DeviceModel) -> int:
        """The number of a model, which is entered when it is new. Models that differ in anything are different."""
        key = (model.vendor, model.name, model.family, model.mode, tuple(sorted(model.capacity.items())))
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
