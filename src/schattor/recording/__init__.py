"""Records of a run: what is measured, when, and what becomes of it."""

from .history import History
from .recorder import Recorder

__all__ = ["History", "Recorder"]
