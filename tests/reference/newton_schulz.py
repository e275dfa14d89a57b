"""Newton-Schulz iteration with the published coefficient lists, as a plain loop.

One step with coefficients (a, b, c) maps X to a X + b (XX')X + c (XX')^2 X, hence every singular value s to
a s + b s^3 + c s^5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Steps = Sequence[tuple[float, float, float]]

POLAR_EXPRESS_RAW: Steps = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
POLAR_EXPRESS_DION: Steps = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)
MUON = (3.4445, -4.7750, 2.0315)
SIMPLE_QUINTIC = (2.0, -1.5, 0.5)
YOU_5: Steps = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
YOU_6: Steps = tuple(
    (a / 1024, b / 1024, c / 1024)
    for a, b, c in (
        (3955, -8306, 5008),
        (3735, -6681, 3463),
        (3799, -6499, 3211),
        (4019, -6385, 2906),
        (2677, -3029, 1162),
        (2172, -1833, 682),
    )
)
CANS_5: Steps = (
    (8.4703, -25.1081, 18.6293),
    (4.1828, -3.1087, 0.5806),
    (3.9619, -2.9541, 0.5630),
    (3.2866, -2.4647, 0.5074),
    (2.2737, -1.6447, 0.4162),
)
CUBIC_5: Steps = (
    (3.3656576, -3.3420992, 0.0),
    (2.5744352, -1.4957376, 0.0),
    (2.5368962, -1.4312570, 0.0),
    (2.4418906, -1.2764040, 0.0),
    (2.2230472, -0.9630650, 0.0),
)
AOL_4: Steps = (
    (4.6051, -9.6552, 5.6769),
    (4.7505, -6.0861, 2.1790),
    (2.7763, -2.3190, 0.5523),
    (2.4231, -2.2861, 0.8193),
)


def with_safety(steps: Steps, factor: float = 1.01) -> Steps:
    """Divide (a, b, c) by factor, factor^3, factor^5 in all steps but the last: room for rounding above one."""
    return (*((a / factor, b / factor**3, c / factor**5) for a, b, c in steps[:-1]), steps[-1])


#: name -> coefficients of each step, as published
PUBLISHED: dict[str, Steps] = {
    "cubic": ((1.5, -0.5, 0.0),) * 15,
    "quintic": ((15 / 8, -10 / 8, 3 / 8),) * 10,
    "simple_quintic": (SIMPLE_QUINTIC,) * 12,
    "muon": (MUON,) * 5,
    "you_5": YOU_5,
    "you_6": YOU_6,
    "polar_express_raw_5": POLAR_EXPRESS_RAW[:5],
    "polar_express_raw_8": POLAR_EXPRESS_RAW,
    "polar_express_safe_8": with_safety(POLAR_EXPRESS_RAW),
    "polar_express_dion": POLAR_EXPRESS_DION,
    "cans_5": CANS_5,
    "cubic_5": CUBIC_5,
    "aol_4": AOL_4,
    "deepseek": (MUON,) * 8 + (SIMPLE_QUINTIC,) * 2,
}

#: Lists whose first division is by this factor times the Frobenius norm; one elsewhere.
NORM_FACTOR = {"polar_express_safe_8": 1.01, "polar_express_dion": 1.02}

#: Values of the composite polynomial at FIXTURE_POINTS, five decimals.
FIXTURE_POINTS = (1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 1.0)
FIXTURES: dict[str, tuple[float, ...]] = {
    "muon": (0.04847, 0.47054, 0.69892, 0.71212, 0.76544, 0.68201, 0.69644),
    "you_5": (0.04926, 0.47498, 1.01803, 1.01905, 0.98587, 0.97991, 0.97835),
    "you_6": (0.11341, 0.86630, 0.99878, 0.99614, 0.99617, 0.99627, 0.99841),
    "polar_express_raw_5": (0.10244, 0.87644, 1.10339, 1.11104, 0.93376, 1.06868, 1.12356),
    "polar_express_raw_8": (0.60741, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "polar_express_safe_8": (0.57471, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "polar_express_dion": (0.09881, 0.85887, 1.02711, 1.05916, 0.91061, 0.87492, 0.85913),
    "cans_5": (0.10472, 0.88653, 1.11317, 0.91631, 1.09641, 0.92174, 1.00507),
    "cubic_5": (0.01193, 0.11914, 1.02162, 0.80199, 1.09707, 1.18006, 0.77411),
    "aol_4": (0.01472, 0.14659, 1.01416, 1.03100, 1.02704, 1.01646, 0.94383),
    "deepseek": (1.00201, 1.0, 1.00002, 1.00006, 1.00016, 1.0, 1.00001),
    "simple_quintic": (0.39303, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "cubic": (0.04377, 0.41652, 1.0, 1.0, 1.0, 1.0, 1.0),
}


def composite(s: np.ndarray, steps: Steps) -> np.ndarray:
    """Value at s of the composition of the odd polynomials."""
    s = np.asarray(s, dtype=np.longdouble)
    for a, b, c in steps:
        s = a * s + b * s**3 + c * s**5
    return s


def rounding_bound(s: np.ndarray, steps: Steps, eps: float) -> float:
    """First-order bound of the error of the iterate, over all singular vectors.

    A step computes a X + (b XX' + c (XX')^2) X with an error of a few eps times the largest term over the spectrum
    ``s`` (rounding does not know the singular vectors), and multiplies the error before it by its derivative.
    """
    s = np.asarray(s, dtype=np.float64)
    error = np.full_like(s, 4 * eps * s.max())
    for a, b, c in steps:
        terms = np.abs(a * s) + np.abs(b * s**3) + np.abs(c * s**5)
        error = np.abs(a + 3 * b * s**2 + 5 * c * s**4) * error + 4 * eps * terms.max()
        s = a * s + b * s**3 + c * s**5
    return float(error.max())


def newton_schulz(A: np.ndarray, steps: Steps, norm_factor: float = 1.0) -> np.ndarray:
    """The loop in the type of A: divide by norm_factor ||A||_F, iterate on the wide orientation, turn back."""
    largest = np.abs(A).max(initial=0)
    if largest == 0:
        return np.zeros_like(A)
    X = A / largest
    X = X / (A.dtype.type(norm_factor) * np.linalg.norm(X).astype(A.dtype))
    tall = X.shape[0] > X.shape[1]
    X = X.T if tall else X
    for a, b, c in steps:
        S = X @ X.T
        X = A.dtype.type(a) * X + (A.dtype.type(b) * S + A.dtype.type(c) * (S @ S)) @ X
    return X.T if tall else X
