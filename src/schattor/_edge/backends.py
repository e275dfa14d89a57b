"""How oracles are computed: the backends by name and the Newton-Schulz coefficient sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from . import _core
from .arguments import checked
from .values import ACCURACY, NON_NEGATIVE, check_choice, check_count


@dataclass(frozen=True)
class CoefficientSet:
    """A named sequence of odd polynomial steps ``x -> a x + b x^3 + c x^5`` on the singular values.

    Attributes
    ----------
    name : str
    steps : tuple of (a, b, c)
    default_steps : int
        Number of steps taken when none is asked for.
    repeats_last : bool
        Whether further steps repeat the last triple; otherwise more steps than `steps` has are refused.
    convergent : bool
        Whether, with at least ``len(steps)`` steps, every singular value of the result ends in [0, 1] and
        those that are not tiny end at 1. Other sets only come near 1.
    norm_factor : float
        The input is divided by ``norm_factor * ||X||_F`` first.
    source : str
    """

    name: str
    steps: tuple[tuple[float, float, float], ...]
    default_steps: int
    repeats_last: bool
    convergent: bool
    norm_factor: float
    source: str


def coefficient_sets() -> dict[str, CoefficientSet]:
    """Return the table of coefficient sets by name.

    Returns
    -------
    dict of str to CoefficientSet

    Examples
    --------
    >>> st.linalg.coefficient_sets()["muon"].steps
    ((3.4445, -4.775, 2.0315),)
    """
    return {
        row.name: CoefficientSet(
            name=row.name,
            steps=tuple((a, b, c) for a, b, c in row.steps),
            default_steps=row.default_steps,
            repeats_last=row.repeats_last,
            convergent=row.convergent,
            norm_factor=row.norm_factor,
            source=row.source,
        )
        for row in _core.coefficient_sets()
    }


Triple: TypeAlias = tuple[float, float, float]

Coefficients: TypeAlias = str | Triple | Sequence[Triple]
"""The name of a set, one (a, b, c) for all steps, or one for each."""

DEFAULT_STEPS = 5
"""Of one triple without a number of steps, as in torch."""

LARGEST = 1e3
"""Coefficients and singular values up to here keep every step within float32."""


@checked
@dataclass(frozen=True)
class NewtonSchulz:
    r"""A Newton-Schulz backend: a coefficient set and a number of steps, or the adaptive scheme and an accuracy.

    ``NewtonSchulz("adaptive", rtol=1e-3)`` chooses each step's polynomial for the interval that holds the singular
    values by then (the quintic closest to one there), and stops at :math:`\|I - XX^\top\|_F \le` rtol
    :math:`\sqrt k` on the smaller side k.

    Parameters
    ----------
    coefficients : str, triple of float, or sequence of triples
        A name from `coefficient_sets`, or ``"adaptive"``, or the (a, b, c) of your own steps
        :math:`x \to ax + bx^3 + cx^5`: one triple for all of them, or one for each. Of these nothing is known but that
        they stay bounded on [0, 1], so that results are marked approximate.
    steps : int, optional
        Default: the number that the set was made for, 5 for a triple, one for each triple of a sequence; further
        steps repeat the last triple. For ``"adaptive"`` the largest number, by default 32.
    rtol : float, optional
        Only for ``"adaptive"``, in (0, 1); default 1e-3. Where it is not reached, as for rank-deficient matrices,
        the result is marked approximate and its residual says how far it is.
    floor : float
        Only for sets: the matrix is divided by its norm or by this, if the norm is smaller. At 0 the result does not
        depend on the scale of the matrix.

    Raises
    ------
    TypeError, ValueError
        For coefficients that are not finite or let [0, 1] grow without bound, an unknown set, fewer than one step,
        more steps than a set without repetition has, an `rtol` outside (0, 1) or with a coefficient set, or a
        `floor` that is negative or with "adaptive".

    Notes
    -----
    The minimax quintics are those of Amsel et al., arXiv 2505.16932.

    Examples
    --------
    >>> st.linalg.NewtonSchulz("muon").steps
    5
    >>> own = st.linalg.NewtonSchulz((3.4445, -4.775, 2.0315), 5)
    >>> st.linalg.polar_factor(np.diag([3.0, 1.0]), own).round(3)
    array([[0.764, 0.   ],
           [0.   , 0.76 ]])
    >>> backend = st.linalg.NewtonSchulz("adaptive", rtol=1e-6)
    >>> D, info = st.ball_oracle(np.diag([3.0, 0.1]), np.inf, backend=backend, return_info=True)
    >>> info.residual <= 1e-6, info.approximate
    (True, False)
    """

    coefficients: Coefficients = "polar_express"
    steps: int | None = None
    rtol: float | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        steps = None if self.steps is None else check_count("steps", self.steps, least=1)
        if isinstance(self.coefficients, str):
            check_choice(
                "coefficients", self.coefficients, (*coefficient_sets(), "adaptive"), other="triples"
            )
        else:
            own, single = _own_coefficients(self.coefficients)
            if steps is None:
                steps = DEFAULT_STEPS if single else len(own)
            object.__setattr__(self, "coefficients", own)
            _check_bounded(own, steps)
        if self.coefficients == "adaptive":
            rtol = 1e-3 if self.rtol is None else ACCURACY.check("rtol", self.rtol)
            object.__setattr__(self, "rtol", rtol)
            if self.floor != 0:
                raise ValueError("floor goes with coefficient sets only, not with 'adaptive'")
        elif self.rtol is not None:
            raise ValueError(f"rtol goes with 'adaptive' only, got {self.rtol!r} with {self.coefficients!r}")
        NON_NEGATIVE.check("floor", self.floor)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "steps", self.lower().steps)

    def lower(self) -> _core.Iteration:
        """Return the core's iteration."""
        return _core.Iteration(
            coefficients=cast(
                "str | Sequence[Triple]", self.coefficients
            ),  # a single triple is one of a tuple by now
            steps=self.steps,
            rtol=self.rtol,
            floor=float(self.floor),
        )

    def __str__(self) -> str:
        own = "own coefficients" if not isinstance(self.coefficients, str) else self.coefficients
        return f"{own} x {self.steps}"


def _own_coefficients(given: object) -> tuple[tuple[Triple, ...], bool]:
    """Return the triples, and whether it is one alone, or raise."""
    array = np.asarray(given)
    if array.dtype.kind not in "iuf" or array.shape[-1:] != (3,) or array.ndim > 2 or not array.size:
        raise TypeError(
            "coefficients must be the name of a set, a triple (a, b, c) of real numbers, or a sequence of triples, "
            f"got {given!r}"
        )
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"coefficients must be finite and at most {LARGEST:g} in magnitude, got {given!r}")
    return tuple((float(a), float(b), float(c)) for a, b, c in np.atleast_2d(array)), array.ndim == 1


def _check_bounded(own: tuple[Triple, ...], steps: int) -> None:
    """Raise for steps that carry a singular value, in [0, 1] at first, beyond any use."""
    x = np.linspace(0.0, 1.0, 1025)
    for step in range(steps):
        a, b, c = own[min(step, len(own) - 1)]
        x = x * (a + x**2 * (b + c * x**2))
        if np.abs(x).max() > LARGEST:
            raise ValueError(
                f"coefficients must keep singular values bounded, but step {step + 1} of {steps} brings one of [0, 1] "
                f"to {np.abs(x).max():.3g}, got {own!r}"
            )


Backend: TypeAlias = str | NewtonSchulz
"""A name (`schattor.ball_oracle` lists them) or a `NewtonSchulz`."""

ROUTES = {route.name: route for route in reversed(_core.routes())}
"""The core's table of backends by name, the most robust one first."""

NAMES = ("auto", *ROUTES)

F = TypeVar("F", bound=Callable[..., Any])


def lists_backends(function: F) -> F:
    """Put the table of backends where the docstring of a function has a line ``<backends>``."""
    if function.__doc__:
        rows = [f'- ``"{route.name}"``: {route.description};' for route in ROUTES.values()]
        rows[-1] = rows[-1][:-1] + "."
        place = r"^( *)<backends>$"
        function.__doc__ = re.sub(
            place, lambda line: "\n".join(line[1] + row for row in rows), function.__doc__, flags=re.MULTILINE
        )
    return function


def check_backend(backend: Backend, rtol: float | None = None) -> Backend:
    """Return `backend` with ``"newton_schulz"`` spelt out, or raise naming what is available.

    With a requested accuracy the name stands for the adaptive scheme: ``||I - X X'||_F <= rtol sqrt(k)`` bounds twice
    the error of X.
    """
    if isinstance(backend, NewtonSchulz):
        return backend
    check_choice("backend", backend, NAMES, other="a NewtonSchulz(...)")
    if backend == "newton_schulz":
        return NewtonSchulz() if rtol is None else NewtonSchulz("adaptive", rtol=rtol)
    return backend


def route_of(backend: Backend) -> _core.Route | None:
    """Return the row of the table that a backend goes by; None for "auto"."""
    return ROUTES.get("newton_schulz" if isinstance(backend, NewtonSchulz) else backend)


def check_rtol(rtol: float | None) -> None:
    """Raise unless the requested accuracy is None (strict) or in (0, 1)."""
    if rtol is not None:
        ACCURACY.check("rtol", rtol)
