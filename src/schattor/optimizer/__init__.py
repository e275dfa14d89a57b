"""The optimizer: named blocks, a recipe for each, and one call into the core per step."""

from .optimizer import Optimizer as Optimizer
from .report import BlockReport as BlockReport
from .report import Report as Report
