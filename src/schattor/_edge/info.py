"""What oracles report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OracleInfo:
    """What an oracle reports beside its direction.

    Attributes
    ----------
    dual_norm : float
        The dual norm of the input; ``inf`` when it exceeds the dtype. For Newton-Schulz it is ``-<G, D>``.
    backend : str
        One of those that `ball_oracle` takes, ``"frobenius"`` (the closed form of p = 2 and of vectors),
        ``"entrywise"`` (l_p), ``"subspace"`` (`KyFan`), ``"user"`` (a geometry in Python), or ``"none"`` (zero or empty
        input).
    residual : float
        For the exact backends the relative duality gap ``|1 + <G, D> / ||G||_q|``; for Newton-Schulz and
        QDWH ``||I - D D'||_F / sqrt(k)`` on the smaller side; for subspaces the largest residual of a singular
        triple over ``sigma_1``; zero for closed forms.
    fallbacks : int
        Backends and rungs of the SVD ladder that could not promise the accuracy or failed, before one did.
    approximate : bool
        Whether the backend only approximates the oracle (coefficient sets that do not converge, an
        accuracy that the adaptive scheme did not reach).
    operator_norm : float
        Largest singular value of D, for Newton-Schulz; NaN elsewhere.
    iterations : int
        Steps that Newton-Schulz or QDWH took; 0 elsewhere.
    """

    dual_norm: float
    backend: str
    residual: float
    fallbacks: int
    approximate: bool
    operator_norm: float
    iterations: int = 0
