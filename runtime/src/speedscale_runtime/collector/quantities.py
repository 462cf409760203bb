"""CPU and memory of a container over time, from Kubernetes quantities. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

SAMPLES_MAX = 2000
_QUANTITY = re.compile(r"([0-9.]+)(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


def cores(quantity: object) -> float:
    """Return CPU in cores (`250m` is 0.25); 0 for what is no quantity."""
    match = _QUANTITY.fullmatch(str(quantity or ""))
    return float(match[1]) * _UNITS[match[2] or ""] if match else 0.0


def size(quantity: object) -> int:
    """Return bytes (`64Mi`); 0 for what is no quantity."""
    return int(cores(quantity))


@dataclass(slots=True)
class Usage:
    """Samples of one container; of many every second one is kept, the peaks always."""

    cpu_max: float = 0.0
    memory_max: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)

    def take(self, at: str, cpu: float, memory: int) -> None:
        """Add a sample; one that was taken already (same time) is left out."""
        if self.samples and self.samples[-1]["at"] == at:
            return
        self.cpu_max, self.memory_max = max(self.cpu_max, cpu), max(self.memory_max, memory)
        self.samples.append({"at": at, "cpuCores": round(cpu, 6), "memoryBytes": memory})
        if len(self.samples) > SAMPLES_MAX:
            self.samples = self.samples[::2]

    def __str__(self) -> str:
        return f"at most {self.cpu_max * 1000:.0f}m CPU and {self.memory_max / 2**20:.0f} MiB of memory"
