"""Methods on manifolds of matrices: products of two factors, and orthonormal columns."""

from __future__ import annotations

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    IntrinsicStiefel,
    NormScaling,
    Pairing,
    PartnerMetric,
    PolarRetraction,
    ProductDecay,
    TangentDual,
)
from ..parts.estimators import EMA
from ..parts.geometries import Lp, Spectral
from ..recipe.recipe import Recipe
from .registry import recipe


@recipe(
    family="manifolds",
    source="Cesista et al., arXiv 2606.12921; the fixed-rank form of Intrinsic Muon, arXiv 2605.09238",
    deviations=(
        "Inverse roots come from eigenvalues in double precision; the sources iterate.",
        "eps is that of Intrinsic Muon, in the unit of squared weights.",
        "A factor without a gradient stays while its partner moves; codes of the method leave both.",
        "Rebalancing the two factors, which changes no product, is left out, as is Intrinsic Muon's backtracking.",
    ),
)
def lora_muon(
    *,
    lr: Schedulable = 0.1,
    momentum: Schedulable = 0.9,
    weight_decay: Schedulable = 0.0,
    eps: float = 1e-8,
    coefficients: Coefficients = "polar_express",
    steps: int | None = None,
    pair: tuple[str, str] = ("B", "A"),
) -> Recipe:
    r"""LoRA-Muon: Muon for the product W = B A of two factors, each in the metric of the other's Gram matrix.

    .. math:: M_B \leftarrow \beta M_B + (1-\beta) G_B, \quad R_A = (A A^\top + \epsilon I)^{-1/2}, \quad
              B \leftarrow s B - \frac{\eta}{2s}\,\mathrm{polar}(M_B R_A)\, R_A

    and likewise :math:`A \leftarrow s A - \frac{\eta}{2s} R_B\,\mathrm{polar}(R_B M_A)` with
    :math:`R_B = (B^\top B + \epsilon I)^{-1/2}`, both from the factors before the step. With
    :math:`s = \sqrt{1-\eta\lambda}` the product decays by :math:`1-\eta\lambda`.

    Parameters
    ----------
    lr : float or callable
        Bound of the operator norm of the first-order change of B A.
    momentum : float or callable
        The averages start at zero.
    weight_decay : float or callable
        Of the product; :math:`\eta\lambda < 1`.
    eps : float
        Positive; added to the Gram matrices, so in the unit of squared weights.
    coefficients : str or triples of float
        A name from `schattor.linalg.coefficient_sets`, or your own as in `schattor.linalg.NewtonSchulz`.
    steps : int, optional
        Default: the number that the set was made for.
    pair : tuple of str
        Last components of the names of the left and the right factor: ``"layer/B"`` goes with ``"layer/A"``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, for blocks below two dimensions, and for names or shapes that make no pairs.

    Notes
    -----
    The path of B A does not depend on the factors that a product is written with: (B T, T^-1 A) gives the same one for
    every invertible T, but for eps. From B = 0 the first step moves B alone; the next one moves A by
    :math:`1/\sigma_{\min}(B)`, which is large after a short first step.

    Examples
    --------
    >>> params = {"layer": {"B": np.diag([4.0, 2.0]), "A": np.eye(2)}}
    >>> opt = st.LoRAMuon(params, lr=0.2, backend="svd")
    >>> opt.step({"layer": {"B": np.eye(2), "A": np.diag([4.0, 2.0])}})
    >>> (opt.params["layer/B"] @ opt.params["layer/A"]).round(3) + 0.0
    array([[3.803, 0.   ],
           [0.   , 1.805]])
    """
    return Recipe(
        name="lora_muon",
        lr=lr,
        estimator=EMA(momentum, "zero"),
        frame=PartnerMetric(eps),
        geometry=Spectral(NewtonSchulz(coefficients, steps)),
        scaling=NormScaling("ball", "none", 0.5),
        update=ProductDecay(weight_decay),
        matrices_only=True,
        pairing=Pairing(*pair),
    )


@recipe(
    family="manifolds",
    source='J. Bernstein, "Modular manifolds"; github.com/thinking-machines-lab/manifolds',
    deviations=(
        "The gradient is scaled to the norm of a polar factor before the dual ascent, whose step is 0.1 there; in the "
        "source it is 0.01 in the unit of the gradient, however large that is.",
        "Iterations run in the dtype of the block, in the source in bfloat16.",
        "A zero gradient leaves the weights alone; the source projects them.",
    ),
)
def manifold_muon(
    *, lr: Schedulable = 0.1, steps: int = 100, step_size: float = 0.1, tolerance: float = 1e-6
) -> Recipe:
    r"""Manifold Muon: the steepest step of bounded operator norm along matrices with orthonormal columns.

    .. math:: A = \arg\max\{\langle G, A\rangle : \|A\|_{op} \le 1,\ A^\top W + W^\top A = 0\}, \qquad
              W \leftarrow \mathrm{polar}(W - \eta A)

    for a tall W with :math:`W^\top W = I`, by dual ascent (`schattor.parts.TangentDual`). A wide W has orthonormal rows
    and stands for its transpose.

    Parameters
    ----------
    lr : float or callable
        Operator norm of the tangent step.
    steps : int
        Evaluations of A for a step, at most.
    step_size : float
        Of the dual ascent, falling linearly to zero.
    tolerance : float
        The ascent ends where the root mean square of :math:`A^\top W + W^\top A` is below it.

    Returns
    -------
    Recipe

    Raises
    ------
    TypeError, ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Where the dual function is least at a singular matrix, its polar factor is not the solution, and what the ascent
    ends at is tangent to some percent only; the retraction removes the rest to first order.

    There is no momentum and no decay. Weights that do not have orthonormal columns have them after the first step;
    their nearest ones are ``-st.ball_oracle(W, np.inf)``. The polar factors are ten steps of Polar Express. Where they
    are exact, the singular values of :math:`W - \eta A` are all :math:`\sqrt{1+\eta^2}`, but for a zero direction of A.

    Examples
    --------
    >>> W = np.eye(4, 2)
    >>> opt = st.ManifoldMuon(W, lr=0.1)
    >>> opt.step(np.arange(8.0).reshape(4, 2))
    >>> (W.T @ W).round(9) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    spectral = Spectral(NewtonSchulz("polar_express"))
    return Recipe(
        name="manifold_muon",
        lr=lr,
        preconditioner=TangentDual(spectral, steps, step_size, tolerance),
        geometry=spectral,
        update=PolarRetraction(spectral),
        matrices_only=True,
    )


@recipe(
    family="manifolds",
    source="arXiv 2605.09238; github.com/1bang118/manifold-intrinsic-muon",
    deviations=("What rounding leaves of a vanishing part of the gradient counts as zero.",),
)
def intrinsic_muon(*, lr: Schedulable = 0.1) -> Recipe:
    r"""Intrinsic Muon on matrices with orthonormal columns: one polar factor along W and one across.

    .. math:: W \leftarrow \mathrm{polar}(W - \eta\,\xi), \qquad
              \xi = W\,\mathrm{polar}\bigl(\mathrm{skew}(W^\top G)\bigr) + \mathrm{polar}\bigl(G - W W^\top G\bigr)

    for a tall W with :math:`W^\top W = I`. A wide W has orthonormal rows and stands for its transpose. The form for
    products of two factors is `lora_muon`.

    Parameters
    ----------
    lr : float or callable
        The operator norm of the tangent step is at most sqrt(2) times it.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    There is no momentum and no decay; the polar factors are exact. The report's dual norm is the Frobenius norm of
    :math:`\xi`. Weights that do not have orthonormal columns have them after the first step.

    Examples
    --------
    >>> W = np.eye(4, 2)
    >>> opt = st.IntrinsicMuon(W, lr=0.1)
    >>> opt.step(np.arange(8.0).reshape(4, 2))
    >>> (W.T @ W).round(9) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    return Recipe(
        name="intrinsic_muon",
        lr=lr,
        preconditioner=IntrinsicStiefel(Spectral()),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization"),
        update=PolarRetraction(Spectral()),
        matrices_only=True,
    )
