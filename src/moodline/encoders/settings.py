"""placeholder"""
from dataclasses import dataclass
@dataclass(frozen=True)
class FinetuneConfig:
    gamma: float = 2.0
