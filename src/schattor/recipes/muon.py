"""Muon with its presets, and PolarGrad."""

from __future__ import annotations

from dataclasses import replace

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import NormScaling
from ..parts.estimators import EMA
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe
from .schattor import momentum_of


@recipe(
    family="spectral",
    source="Keller Jordan, github.com/KellerJordan/Muon",
    deviations=(
        "Newton-Schulz runs in the dtype of the block, in the source in bfloat16.",
        "No constant is added to the norm: the scale of the gradient never matters, and zero gives zero.",
        "A missing gradient (None) leaves the block alone; the source takes it as zero.",
    ),
)
def muon(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
    coefficients: Coefficients = "muon",
    steps: int | None = None,
) -> Recipe:
    r"""Muon: orthogonalised momentum, with Keller Jordan's conventions.

    .. math:: M \leftarrow \beta M + (1-\beta) G, \quad U = (1-\beta) G + \beta M, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\, s\, \mathrm{NS}(U),

    with five Newton-Schulz steps and the shape factor s = sqrt(max(1, rows/cols)). With ``backend="svd"`` the polar
    factor is exact, and Muon is `schattor` at p = inf with the ball rule.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.
    coefficients : str or triples of float
        A name from `schattor.linalg.coefficient_sets`, or your own as in `schattor.linalg.NewtonSchulz`.
    steps : int, optional
        Default: the number that the set was made for.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    NS divides by the Frobenius norm and applies :math:`x \mapsto 3.4445\,x - 4.7750\,x^3 + 2.0315\,x^5` to the singular
    values five times. It does not converge: they end roughly between 0.7 and 1.2.

    Examples
    --------
    >>> opt = st.Muon({"W": np.zeros((2, 2))}, lr=1.0, backend="svd")
    >>> opt.step({"W": np.array([[0.0, 2.0], [1.0, 0.0]])})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    return Recipe(
        name="muon",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        geometry=Spectral(NewtonSchulz(coefficients, steps)),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@muon.preset
def torch(
    *,
    lr: Schedulable = 1e-3,
    weight_decay: Schedulable = 0.1,
    scale: str | float = "original",
    coefficients: Coefficients = "muon",
    steps: int | None = None,
) -> Recipe:
    """Return Muon with the defaults of ``torch.optim.Muon``.

    Its ``adjust_lr_fn`` is `scale`, its ``ns_coefficients`` are `coefficients` and its ``ns_steps`` `steps`.
    """
    return muon(lr=lr, weight_decay=weight_decay, scale=scale, coefficients=coefficients, steps=steps)


@muon.preset
def moonlight(*, lr: Schedulable = 1e-3, weight_decay: Schedulable = 0.1) -> Recipe:
    """Return Muon with the scale 0.2 sqrt(max(m, n)) and decay 0.1 of arXiv 2502.16982.

    Its code has a heavy ball in the place of the average: the same steps, since the oracle ignores the scale.
    """
    return muon(lr=lr, weight_decay=weight_decay, scale="match_rms_adamw")


@muon.preset
def optax(*, lr: Schedulable, nesterov: bool = True, weight_decay: Schedulable = 0.0) -> Recipe:
    r"""Return Muon with the debiased momentum of ``optax.contrib.muon``, for weights stored as (out, in).

    .. math:: U = \frac{1-\beta}{1-\beta^t}\,G + \frac{\beta}{1-\beta^{t+1}}\,M \ \text{ with Nesterov.}
    """
    return replace(muon(lr=lr, weight_decay=weight_decay), estimator=EMA(0.95, "debiased", nesterov))


@recipe(
    family="spectral",
    source="Lau, Long, Su, arXiv 2505.21799",
    deviations=("The polar factor is exact unless ``backend`` says otherwise.",),
)
def polar_grad(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.95,
    nesterov: bool = False,
    momentum_kind: str = "ema",
    momentum_init: str = "zero",
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""PolarGrad with momentum first: the polar factor scaled by the nuclear norm.

    .. math:: M \leftarrow \beta M + (1-\beta) G, \qquad W \leftarrow W - \eta\,\|M\|_*\,UV^\top,
              \qquad M = U\Sigma V^\top.

    It is the regularization oracle of the spectral norm: `schattor` at p = inf.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
    nesterov : bool
    momentum_kind : {"ema", "heavy_ball"}
        The step length follows the estimate, so the two differ by more than a rescaled lr while they start up.
    momentum_init : {"zero", "first"}
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    This is the form with the momentum before the polar factor; the source also has it after.

    Examples
    --------
    >>> opt = st.PolarGrad({"W": np.zeros((2, 2))}, lr=0.5, momentum=0.0)
    >>> opt.step({"W": np.diag([3.0, 1.0])})
    >>> opt.params["W"] + 0.0
    array([[-2.,  0.],
           [ 0., -2.]])
    """
    return Recipe(
        name="polar_grad",
        lr=lr,
        estimator=momentum_of(momentum_kind, momentum, momentum_init, nesterov),
        geometry=Spectral(),
        scaling=NormScaling("regularization"),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )
