"""Methods of the largest-entry norm."""

from __future__ import annotations

from .._edge.values import Schedulable
from ..parts.estimators import EMA, DoubleEMA
from ..parts.geometries import Sign
from ..recipe.recipe import Recipe
from .registry import Pair, check_pair, decay_parts, recipe


@recipe(family="sign", source="Bernstein et al., arXiv 1802.04434")
def sign_sgd(*, lr: Schedulable, weight_decay: Schedulable = 0.0, decay: str = "decoupled") -> Recipe:
    r"""Sign descent: :math:`W \leftarrow W - \eta\,\mathrm{sign}(G)`, with sign(0) = 0.

    Parameters
    ----------
    lr : float or callable
        What every entry moves by.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    The ball oracle of the largest-entry norm, without momentum.

    Examples
    --------
    >>> opt = st.SignSGD([np.array([1.0, 1.0])], lr=0.1)
    >>> opt.step([np.array([5.0, -0.5])])
    >>> opt.params["0"]
    array([0.9, 1.1])
    """
    return Recipe(name="sign_sgd", lr=lr, geometry=Sign(), **decay_parts(decay, weight_decay))


@recipe(family="sign", source="Bernstein et al., arXiv 1802.04434")
def signum(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    nesterov: bool = False,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Sign descent on the momentum.

    .. math:: M \leftarrow \beta M + (1-\beta) G, \qquad W \leftarrow W - \eta\,\mathrm{sign}(M).

    Parameters
    ----------
    lr : float or callable
        What every entry moves by.
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    A bias correction would not change a sign. With ``momentum=0`` it is `sign_sgd`.

    Examples
    --------
    >>> opt = st.Signum([np.array([1.0])], lr=0.25)
    >>> opt.step([np.array([-3.0])])
    >>> opt.params["0"]
    array([1.25])
    """
    return Recipe(
        name="signum",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        geometry=Sign(),
        **decay_parts(decay, weight_decay),
    )


@recipe(family="sign", source="Chen et al., arXiv 2302.06675; github.com/google/automl, lion")
def lion(
    *,
    lr: Schedulable = 1e-4,
    betas: Pair = (0.9, 0.99),
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Lion: the sign of one average, the buffer of another.

    .. math:: W \leftarrow (1-\eta\lambda) W - \eta\,\mathrm{sign}(\beta_1 M + (1-\beta_1) G), \qquad
       M \leftarrow \beta_2 M + (1-\beta_2) G.

    Parameters
    ----------
    lr : float or callable
        What every entry moves by.
    betas : pair of float or callable
        In [0, 1). Equal ones give `signum`.
    weight_decay : float or callable
        With the decoupled decay no entry leaves [-1/weight_decay, 1/weight_decay].
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    :math:`\beta_1 = \beta_2` is `signum`, :math:`\beta_1 = 0` is `sign_sgd`.

    Examples
    --------
    >>> opt = st.Lion([np.array([1.0])], lr=0.25)
    >>> opt.step([np.array([-3.0])])
    >>> opt.params["0"]
    array([1.25])
    """
    near, far = check_pair(betas)
    return Recipe(
        name="lion",
        lr=lr,
        estimator=DoubleEMA(near, far),
        geometry=Sign(),
        **decay_parts(decay, weight_decay),
    )
