"""The geometry between the nuclear and the spectral norm, whose oracle is a truncated polar factor."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.backends import Backend
from ..._edge.values import POSITIVE, check_choice, check_count, check_seed
from ..part import Lowering
from .geometry import Geometry

BACKENDS = ("auto", "svd", "subspace")


@checked
@dataclass(frozen=True)
class KyFan(Geometry):
    r"""The norm whose dual is the Ky Fan k-norm, the sum of the k largest singular values.

    :math:`\|X\| = \max(\|X\|_{\mathrm{op}}, \|X\|_*/k)`, :math:`\|G\|_{\mathrm{dual}} = \sum_{i \le k}\sigma_i(G)`.
    Its ball is :math:`\{\|X\|_{\mathrm{op}} \le 1, \|X\|_* \le k\}`, and the ball oracle is
    :math:`D = -U_k V_k^\top`: the polar factor cut down to rank k. k = 1 is the nuclear norm, `Schatten` with p = 1;
    k of at least min(m, n) is the spectral norm.

    Parameters
    ----------
    k : int
        At least 1; whatever exceeds min(m, n) counts as that.
    backend : {"auto", "svd", "subspace"}
        ``"auto"`` and ``"svd"`` compute the full SVD. ``"subspace"`` computes the k leading triples as
        `linalg.top_singular` does, much faster for small k, and reports their residual; its dual norm is what the
        direction attains, and its results are marked approximate.
    rtol : float, optional
        For ``"subspace"``: the residual that is asked for, relative to :math:`\sigma_1`. Default 1e-6 for float32,
        1e-10 for float64.
    seed : int
        For ``"subspace"``: the random start, the same for every call, so that steps can be repeated.

    Raises
    ------
    TypeError
        For k or a seed that is not an integer.
    ValueError
        For k below 1, an unknown backend or an `rtol` that is not positive.

    Notes
    -----
    Singular values within ``8 max(m, n) eps`` of the k-th, relatively, share the mass that the larger ones leave
    (``"subspace"`` takes any k of them), so that :math:`\|D\|_* = k`. Values up to ``max(m, n) * eps * sigma_1``
    count as zero, so :math:`\|D\|_*` can be less.
    Ky Fan norms and their duals: Bhatia, Matrix Analysis, section IV.2. The oracle for optimizers: NuMuon, arXiv
    2603.03597; k = 1: NucGD, arXiv 2603.22824.

    Examples
    --------
    >>> g = st.KyFan(2)
    >>> G = np.diag([4.0, 2.0, 1.0])
    >>> g.dual_norm(G)
    6.0
    >>> np.round(np.diag(g.ball(G)), 12) + 0
    array([-1., -1.,  0.])
    >>> g.norm(np.eye(3))
    1.5
    """

    k: int
    backend: str = "auto"
    rtol: float | None = None
    seed: int = 0

    matrix = True
    equivariance = "orthogonal"

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check_count("k", self.k, least=1, most=sys.maxsize))
        object.__setattr__(self, "seed", check_seed("seed", self.seed))
        if self.rtol is not None:
            POSITIVE.check("rtol", self.rtol)
        _check(self.backend)

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""
        chosen = self.backend if into.backend == "auto" else _check(into.backend)
        route = "subspace" if chosen == "subspace" else "svd"
        rtol = self.rtol if into.rtol is None else into.rtol
        return _core.KyFan(k=min(self.k, 2**31 - 1), route=route, rtol=rtol, seed=self.seed)

    def __str__(self) -> str:
        return f"KyFan({self.k})" + (", subspace" if self.backend == "subspace" else "")


def _check(backend: Backend) -> str:
    return check_choice("backend of KyFan", backend, BACKENDS)
