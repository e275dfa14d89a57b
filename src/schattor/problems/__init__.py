"""Test problems with exact gradients, Hessian-vector products, constants and noise, in NumPy.

Every problem is a frozen `Problem` whose blocks are named matrices::

    params = problem.start()
    opt = st.Schattor(params, p=4, lr=0.02)
    opt.step(problem.stochastic_gradient(params, batch=32, rng=rng))
"""

from .completion import MatrixCompletion
from .joint import Joint
from .least_squares import MatrixLeastSquares
from .linear import LinearRegression, SoftmaxRegression, gaussian_like
from .memory import AssociativeMemory
from .mlp import MLP
from .noise import GaussianNoise, Noise, StudentNoise, WithNoise
from .problem import Problem, SampledProblem
from .quadratic import MatrixQuadratic
from .text import documentation_features, documentation_record, documentation_text

__all__ = [
    "MLP",
    "AssociativeMemory",
    "GaussianNoise",
    "Joint",
    "LinearRegression",
    "MatrixCompletion",
    "MatrixLeastSquares",
    "MatrixQuadratic",
    "Noise",
    "Problem",
    "SampledProblem",
    "SoftmaxRegression",
    "StudentNoise",
    "WithNoise",
    "documentation_features",
    "documentation_record",
    "documentation_text",
    "gaussian_like",
]
