"""The slots of an engine as the driver knows them: the machine behind each, and which of them are left out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mlrtui.driver.sharing import Figures, hidden_of

__all__ = ["MAX_STARVED", "Slots"]

MAX_STARVED = 3
"""Tasks in a row, each of one training, for which a device may lack memory before it is left out: others use it."""


class Slots:
    """What is known of each slot. One that is left out is given nothing any more."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = list(devices)
        self.out: set[int] = set()
        self._env: dict[int, Mapping[str, str]] = {}
        self._starved: dict[int, int] = {}
        self._workers = Counter(map(self._place, range(len(self.devices))))

    def ready(self, slot: int, device: str, env: Mapping[str, str]) -> None:
        """Its worker has started, on this device of this machine."""
        self._workers[self._place(slot)] -= 1
        self.devices[slot], self._env[slot] = device, dict(env)
        self._workers[self._place(slot)] += 1

    def env(self, slot: int) -> Mapping[str, str]:
        """The machine behind a slot, as it is kept with every attempt."""
        return self._env.get(slot, {})

    def memory(self, slot: int) -> int:
        """Bytes of the device's own memory, shared among the workers on it; 0: not known."""
        text = self.env(slot).get("memory", "")
        return int(text) // self._workers[self._place(slot)] if text.isdecimal() else 0

    def figures(self, slot: int) -> Figures:
        """What its device is like, as its worker measured it."""
        mates = self._workers[self._place(slot)]
        return Figures(self.memory(slot), max(mates, 1), hidden_of(self.env(slot)))

    def in_use(self) -> list[int]:
        """All but those that are left out."""
        return [slot for slot in range(len(self.devices)) if slot not in self.out]

    def alike(self, slot: int) -> set[int]:
        """Slots on the same device, which share its memory, this one included."""
        return {other for other in range(len(self.devices)) if self._place(other) == self._place(slot)}

    def done(self, slot: int) -> None:
        """It has ended a task well."""
        self._starved.pop(slot, None)

    def starve(self, slot: int) -> bool:
        """It lacked memory for a task of one; whether it is to be left out."""
        self._starved[slot] = self._starved.get(slot, 0) + 1
        return self._starved[slot] >= MAX_STARVED and len(self.in_use()) > 1

    def leave_out(self, slot: int, why: str) -> str:
        """Give it nothing any more; returns a sentence that says so."""
        self.out.add(slot)
        left = f"the sweep goes on with {len(self.in_use())} of {len(self.devices)} workers"
        return f"worker {slot} ({self.devices[slot]}) is left out: {why}; {left}"

    def _place(self, slot: int) -> tuple[str, str]:
        """Its machine and its device there."""
        return self.env(slot).get("host", ""), self.devices[slot]
