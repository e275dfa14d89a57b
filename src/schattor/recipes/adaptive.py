"""Methods with a diagonal metric."""

from __future__ import annotations

from ..estimators import EMA
from ..geometries import Lp
from ..parts import NormScaling, SecondMoment
from ..recipe import Recipe, decay_parts, recipe
from ..values import Schedulable


@recipe(family="diagonal", source="Loshchilov and Hutter, arXiv 1711.05101; torch.optim.AdamW")
def adamw(
    *,
    lr: Schedulable = 1e-3,
    betas: tuple[Schedulable, Schedulable] = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 1e-2,
    decay: str = "decoupled",
) -> Recipe:
    r"""AdamW with torch's conventions.

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \quad V \leftarrow \beta_2 V + (1-\beta_2) G^2, \quad
       W \leftarrow (1-\eta\lambda) W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
    eps : float or callable
        Added to the root. At 0 entries that never had a gradient stay where they are.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
        ``"l2"`` is Adam.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    arXiv 1711.05101, ``torch.optim.AdamW``.

    Examples
    --------
    >>> opt = st.AdamW([np.array([1.0])], lr=0.1, weight_decay=0.0)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    try:
        beta1, beta2 = betas
    except (TypeError, ValueError):
        raise ValueError(f"betas must be a pair of numbers in [0, 1), got {betas!r}") from None
    return Recipe(
        name="adamw",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        preconditioner=SecondMoment(beta2, eps),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization"),
        **decay_parts(decay, weight_decay),
    )
