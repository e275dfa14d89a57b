"""The Schatten norm and its two oracles as functions (arXiv 2606.15702, Lemma 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from ._arrays import FloatArray
from .linalg import Backend, check_rtol


@dataclass(frozen=True)
class OracleInfo:
    """What an oracle reports beside its direction.

    Attributes
    ----------
    dual_norm : float
        The dual norm of the input; ``inf`` when it exceeds the dtype. For Newton-Schulz it is ``-<G, D>``.
    backend : str
        ``"svd"``, ``"newton_schulz"``, ``"frobenius"`` (the closed form of p = 2 and of vectors),
        ``"entrywise"`` (l_p), or ``"none"`` (zero or empty input).
    residual : float
        For the SVD the relative duality gap ``|1 + <G, D> / ||G||_q|``; for Newton-Schulz
        ``||I - D D'||_F / sqrt(k)`` on the smaller side; zero for closed forms.
    fallbacks : int
        Rungs of the SVD ladder that failed before one converged; 0 as a rule.
    approximate : bool
        Whether the backend only approximates the oracle (coefficient sets that do not converge).
    operator_norm : float
        Largest singular value of D, for Newton-Schulz; NaN elsewhere.
    """

    dual_norm: float
    backend: str
    residual: float
    fallbacks: int
    approximate: bool
    operator_norm: float


def schatten_norm(A: npt.ArrayLike, p: float) -> float:
    r"""Return the Schatten norm :math:`\|A\|_p = (\sum_i \sigma_i^p)^{1/p}`.

    Parameters
    ----------
    A : array_like, shape (m, n), (n,) or ()
        A vector counts as n x 1. Integers become float64.
    p : float
        In [1, inf]: 1 nuclear, 2 Frobenius, inf spectral norm.

    Returns
    -------
    float
        ``inf`` when the norm exceeds the dtype of `A`. The norm is computed relative to the largest singular value,
        so nothing overflows or vanishes on the way.

    Raises
    ------
    TypeError
        For a dtype other than float32, float64, integer or bool.
    ValueError
        For NaN or Inf, more than two dimensions, or p outside [1, inf].

    Examples
    --------
    >>> st.schatten_norm(np.diag([3.0, 4.0]), 1)
    7.0
    >>> st.schatten_norm(np.diag([3.0, 4.0]), np.inf)
    4.0
    """
    from .geometries import Schatten

    return Schatten(p)._norm(A, "A")


def ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = "auto",
    rtol: float | None = None,
    rcond: float | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Minimise a linear function over the Schatten ball: the linear minimisation oracle.

    .. math:: D = \arg\min\{\langle G, D\rangle : \|D\|_p \le 1\}
              = -U\,\mathrm{diag}\bigl(\sigma_i^{q-1}/\|\sigma\|_q^{q-1}\bigr)V^\top, \qquad 1/p + 1/q = 1.

    At p = 2 it is :math:`-G/\|G\|_F`, at p = inf minus the polar factor, at p = 1 :math:`-u_1 v_1^\top` (equal
    largest singular values share the mass). Zero in, zero out.

    Parameters
    ----------
    G : array_like, shape (m, n), (n,) or ()
        float32 and float64 are kept; integers become float64. A vector counts as n x 1.
    p : float
        In [1, inf].
    backend : {"auto", "svd", "newton_schulz"} or NewtonSchulz
        ``"auto"`` takes the closed form where there is one, else the SVD. Newton-Schulz goes with p = inf.
    rtol : None
        Strict accuracy; other values are not available yet.
    rcond : float, optional
        For p > 2, singular values up to ``rcond * sigma_1`` count as zero. Default ``max(m, n) * eps``.
    return_info : bool
        Also return an `OracleInfo`.

    Returns
    -------
    D : ndarray, shape of `G`
    info : OracleInfo
        Only with `return_info`.

    Raises
    ------
    TypeError
        For a dtype other than float32, float64, integer or bool.
    ValueError
        For NaN or Inf, more than two dimensions, p outside [1, inf], or a backend that does not serve p.

    Notes
    -----
    :math:`\langle G, D\rangle = -\|G\|_q` and :math:`\|D\|_p = 1` (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> st.ball_oracle(np.diag([8.0, 1.0]), 4).round(3)
    array([[-0.985, -0.   ],
           [-0.   , -0.492]])
    """
    from .geometries import Schatten

    check_rtol(rtol)
    result = Schatten(p, backend, rcond)._oracle(G, "G", measure=return_info)
    return result if return_info else result[0]


def regularization_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = "auto",
    rtol: float | None = None,
    rcond: float | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Minimise a linear function plus half the squared Schatten norm.

    .. math:: D_r = \arg\min\{\langle G, D\rangle + \tfrac12\|D\|_p^2\} = \|G\|_q\, D,

    with :math:`D` the ball oracle. At p = 2 it is :math:`-G`; at p = inf :math:`-\|G\|_*UV^\top` (PolarGrad).

    Parameters
    ----------
    G, p, backend, rtol, rcond, return_info
        As in `ball_oracle`.

    Returns
    -------
    D : ndarray, shape of `G`
    info : OracleInfo
        Only with `return_info`.

    Raises
    ------
    OverflowError
        When :math:`\|G\|_q` exceeds the dtype.
    TypeError, ValueError
        As in `ball_oracle`.

    Notes
    -----
    :math:`\langle G, D_r\rangle = -\|G\|_q^2` and :math:`\|D_r\|_p = \|G\|_q` (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> st.regularization_oracle(np.diag([3.0, 1.0]), np.inf) + 0.0
    array([[-4.,  0.],
           [ 0., -4.]])
    """
    from .geometries import Schatten

    check_rtol(rtol)
    result = Schatten(p, backend, rcond)._oracle(G, "G", regularized=True, measure=return_info)
    return result if return_info else result[0]
