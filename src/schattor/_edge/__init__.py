"""The Python side of the compiled core, which is loaded and imported here and nowhere else."""

from .runtime import _core as _core  # with its BLAS set up
from .runtime import check_blas as check_blas
