"""Small changes to the sources, each of which some test must notice; ``run.py`` makes them, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".cpp", ".h", ".py")


@dataclass(frozen=True)
class Change:
    """One small change.

    Attributes
    ----------
    name : str
    text : str
        Stands once in the sources, in whichever file: a file may move without its changes.
    replacement : str
    tests : tuple of str
        Those that should notice: files or tests as pytest takes them, or names of C++ programs.
    reason : str
        What goes wrong then.
    """

    name: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    reason: str


def file_of(test: str, root: Path) -> Path:
    """Return the file of a test: a path from the root, or the name of a program of the C++ tests."""
    if "/" in test:
        return root / test
    return next((root / "tests" / "cpp").rglob(f"{test}.cpp"), root / f"{test}.cpp")


def place_of(change: Change, root: Path) -> tuple[Path, str]:
    """Return the file that a change is made in, and what it holds.

    Raises
    ------
    LookupError
        Where the text stands nowhere, or more than once.
    """
    found = []
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in SUFFIXES:
            content = path.read_text(encoding="utf-8")
            found += [(path, content)] * content.count(change.text)
    if len(found) != 1:
        files = ", ".join(path.relative_to(root).as_posix() for path, _ in found) or "no file"
        raise LookupError(f"{change.name}: the text must stand once in the sources, it is in {files}")
    return found[0]


MAGNITUDES = "tests/plan/test_magnitudes.py"

CHANGES = (
    # ------------------------------------------------------------------------------------ bounds before a step
    Change(
        name="bound: the gradient at the previous point",
        text="std::max({maxima.gradient, extras[0], extras[3]})",
        replacement="std::max({maxima.gradient, extras[3]})",
        tests=(f"{MAGNITUDES}::test_gradient_at_previous_counts",),
        reason="a huge gradient at the previous point makes the state infinite",
    ),
    Change(
        name="bound: per-example gradients",
        text="std::max({maxima.gradient, extras[0], extras[3]})",
        replacement="std::max({maxima.gradient, extras[0]})",
        tests=(f"{MAGNITUDES}::test_per_example_gradients_count",),
        reason="huge gradients of samples make the state infinite",
    ),
    Change(
        name="bound: samples",
        text="if (extras[i] > 0.0 && !(extras[i] <= mostOfSamples_))",
        replacement="if (false && extras[i] > mostOfSamples_)",
        tests=("tests/recipes/test_kronecker_recipes.py",),
        reason="activations whose squares overflow make the state infinite",
    ),
    Change(
        name="bound: a loaded momentum",
        text="bound_ = state_.largest(Pipeline::ofEstimator);",
        replacement="bound_ = 0.0;",
        tests=(f"{MAGNITUDES}::test_loaded_momentum_counts",),
        reason="a momentum that was loaded counts as zero in the joint bound",
    ),
    Change(
        name="bound: the momentum so far",
        text="if (result.withheld) return result;\n        bound_ = io.estimate;",
        replacement="if (result.withheld) return result;",
        tests=(MAGNITUDES,),
        reason="the momentum of a block without a gradient counts as zero in the joint bound",
    ),
    Change(
        name="bound: the momentum after a peek",
        text="bound_ = saved_.bound;",
        replacement="",
        tests=(MAGNITUDES,),
        reason="a peek at a huge gradient makes later steps be refused",
    ),
    Change(
        name="bound: the gain of the estimator",
        text="result.estimate = std::max(largest * gain, b * bound + (1.0 - b) * largest * gain);",
        replacement="result.estimate = std::max(largest, b * bound + (1.0 - b) * largest);",
        tests=(MAGNITUDES,),
        reason="a heavy ball is ten gradients long, and the step follows it",
    ),
    Change(
        name="bound: the gain of debiased Nesterov",
        text="(nesterov_ && init_ == EmaInit::debiased ? 1.0 + b / (1.0 + b) : 1.0)",
        replacement="1.0",
        tests=(MAGNITUDES, "tests/parts/estimators"),
        reason="the first estimate of NAdam is longer than its gradient",
    ),
    Change(
        name="bound: the gain of a recursive momentum",
        text="std::min((1.0 + b) / (1.0 - b), 2e6)",
        replacement="1.0",
        tests=(MAGNITUDES,),
        reason="the differences of STORM add up to more than a gradient",
    ),
    Change(
        name="bound: one block's step",
        text="if (alone > 1.0) return refuse(i, alone);",
        replacement="static_cast<void>(alone);",
        tests=(MAGNITUDES,),
        reason="a step as long as the dual norm overflows",
    ),
    Change(
        name="bound: small weights of a mixed norm",
        text="const double bound = total / smallestWeight;",
        replacement="const double bound = total;",
        tests=(MAGNITUDES,),
        reason="a block of small weight moves further than the norm says",
    ),
    Change(
        name="bound: powers of the dual norm",
        text=(
            "Rule rule() const override { return Rule::ball; }\n"
            "    bool growsWithNorm() const override { return true; }"
        ),
        replacement="Rule rule() const override { return Rule::ball; }",
        tests=(MAGNITUDES, "tests/recipes/test_schattor_recipe.py"),
        reason="||G|| to a power overflows unseen",
    ),
    Change(
        name="bound: deviations from the mean",
        text="return 0.25 * std::sqrt(largestFinite(dtype));",
        replacement="return std::sqrt(largestFinite(dtype));",
        tests=(MAGNITUDES,),
        reason="G - M is up to twice as large as G, and is squared",
    ),
    Change(
        name="bound: a sum of squares",
        text="return 0.5e-3 * std::sqrt(largestFinite(dtype));\n    }\n    SCHATTOR_MOMENT_CALLS",
        replacement="return 0.5 * std::sqrt(largestFinite(dtype));\n    }\n    SCHATTOR_MOMENT_CALLS",
        tests=(MAGNITUDES,),
        reason="Adagrad's sum overflows after a few steps",
    ),
    # ------------------------------------------------------------------------------------ oracles
    Change(
        name="oracle: no cutoff",
        text="const double threshold = e.q < 2.0 ? cutoff : 0.0;",
        replacement="const double threshold = 0.0 * cutoff;",
        tests=("tests/oracles/test_svd_backend.py", "tests/oracles/test_oracle_contract.py"),
        reason="directions that are rounding errors get full weight",
    ),
    Change(
        name="oracle: exact ties at p = 1",
        text="return s >= largest * (1.0 - tie);",
        replacement="return s >= largest * (1.0 - 0.0 * tie);",
        tests=("tests/oracles/test_svd_backend.py", "tests/oracles/test_oracle_contract.py"),
        reason="equal singular values do not share the mass",
    ),
    Change(
        name="oracle: norms of tiny entries",
        text="(sum > 1e-240 && sum < 1e240)",
        replacement="(sum > 0.0 && sum < 1e240)",
        tests=("test_scaled", "test_kernels", "tests/parts/test_mixed_norm.py"),
        reason="squares of small entries are subnormal, with few digits",
    ),
    Change(
        name="oracle: the band route drops what rounding hides",
        text="return zero >= hidden && function.drop(below, smallest);",
        replacement="return function.drop(below, smallest);",
        tests=("tests/oracles/test_routes.py::test_hidden_singular_values_are_not_dropped",),
        reason="singular values above the cutoff count as zero where their squares are rounding errors",
    ),
    Change(
        name="oracle: the band route never declines",
        text="if (!(error <= 0.5 * allowed)) return false;",
        replacement="static_cast<void>(error);",
        tests=(
            "test_routes",
            "tests/oracles/test_routes.py::test_small_singular_values_above_the_cutoff",
            "tests/oracles/test_routes.py::test_backends_are_reported",
        ),
        reason="ill-conditioned matrices get directions of low accuracy",
    ),
    Change(
        name="oracle: the Gram route never declines in float32",
        text="if (problem.e.q >= 2.0) return true;",
        replacement="return true;",
        tests=("tests/oracles/test_routes.py::test_gram_declines_in_float32",),
        reason="singular vectors of small singular values are wrong, and the ball is left",
    ),
    Change(
        name="oracle: the polynomial over cut singular values",
        text="if (e.q < 2.0 && problem.cutoff * problem.cutoff * ratio >= 1.0) return false;",
        replacement="",
        tests=("tests/oracles/test_routes.py::test_chebyshev_leaves_large_cutoffs_to_others",),
        reason="the Chebyshev route ignores a large rcond",
    ),
    Change(
        name="oracle: proof without the error of the factorisation",
        text=" + gamma(k_ + j + 8) * 2.0 * trace;",
        replacement=" + 0.0 * trace;",
        tests=("test_lanczos",),
        reason="a Cholesky factorisation that ends by luck is taken as a proof",
    ),
    Change(
        name="oracle: spectrum without the error of the factorisation, above",
        text="bounds.high = high + rounding;",
        replacement="bounds.high = high - rounding;",
        tests=("test_chebyshev",),
        reason="a bound of the spectrum is not one",
    ),
    Change(
        name="oracle: spectrum without the error of the factorisation, below",
        text="bounds.low = low - rounding;",
        replacement="bounds.low = low;",
        tests=("test_chebyshev",),
        reason="a bound of the spectrum is not one",
    ),
    Change(
        name="oracle: ties of the k-th singular value",
        text="sigma[end] >= last * (1.0 - tie)",
        replacement="sigma[end] > last",
        tests=("tests/parts/geometries/test_ky_fan.py",),
        reason="of equal singular values some have full weight and others none",
    ),
    Change(
        name="oracle: Ky Fan without a cutoff",
        text="[&](double s) { return s > cutoff * sigma[0]; };",
        replacement="[&](double s) { return s > 0.0 * cutoff; };",
        tests=("tests/parts/geometries/test_ky_fan.py",),
        reason="directions that are rounding errors get full weight",
    ),
    # ------------------------------------------------------------------------------------ coupling
    Change(
        name="coupling: exact ties",
        text="const double tied = 1.0 - 8.0 * std::numeric_limits<double>::epsilon();",
        replacement="const double tied = 1.0;",
        tests=("test_mixed_norm",),
        reason="of two equal blocks the one with the luckier roundings takes all",
    ),
    Change(
        name="coupling: the largest norm by its digits",
        text="return a.exponent != b.exponent ? a.exponent < b.exponent : a.value < b.value;",
        replacement="return a.value < b.value;",
        tests=("test_mixed_norm",),
        reason="powers underflow relative to the wrong block",
    ),
    Change(
        name="coupling: absent blocks take part",
        text="if (run.io[i].gradient == nullptr) continue;\n        groupNorms_[n] = norms_[i];",
        replacement="groupNorms_[n] = norms_[i];",
        tests=("tests/parts/test_mixed_norm.py", "tests/recipes/test_schattor_recipe.py"),
        reason="a block without a gradient takes its old share of the step",
    ),
    # ------------------------------------------------------------------------------------ momentum
    Change(
        name="momentum: the first average starts from zero",
        text="const bool starts = count == 0 && init_ == EmaInit::first;",
        replacement="const bool starts = false && count == 0;",
        tests=("tests/parts/estimators",),
        reason="the first step is (1 - momentum) times as long",
    ),
    Change(
        name="momentum: the bias of Nesterov's average",
        text="result.d = b * debias(count + 2);",
        replacement="result.d = b * debias(count + 1);",
        tests=("tests/parts/estimators",),
        reason="NAdam's estimate is that of another rule",
    ),
    Change(
        name="momentum: dampening of the first buffer",
        text="starts ? 1.0 : 1.0 - dampening_.at(slots),",
        replacement="1.0 - dampening_.at(slots),",
        tests=("tests/parts/estimators",),
        reason="SGD with dampening starts shorter than torch's",
    ),
    Change(
        name="momentum: a new turn continues the count",
        text="turn_ = turn;\n        count = 0;",
        replacement="turn_ = turn;",
        tests=("tests/recipes/test_turns.py",),
        reason="a state that starts anew is debiased as an old one",
    ),
    # ------------------------------------------------------------------------------------ lengths
    Change(
        name="length: no shape factor under the regularization rule",
        text="return shapeFactor_ * length;",
        replacement="return (rule_ == Rule::ball ? shapeFactor_ : 1.0) * length;",
        tests=("tests/recipes/test_schattor_recipe.py", "tests/recipes/test_spectral_recipes.py"),
        reason="scale= does nothing there",
    ),
    Change(
        name="length: the norm of a clipped step without its shape factor",
        text="const double norm = shapeFactor_ * oracle.dualNorm.full();\n        return constrained_",
        replacement="const double norm = oracle.dualNorm.full();\n        return constrained_",
        tests=("tests/recipes/test_clipped_scion.py",),
        reason="the dual norm is that of another geometry than the step",
    ),
    Change(
        name="length: the limit of the trust ratio",
        text="(norm.full() > limit_ ? Scaled{limit_, 0} : norm)",
        replacement="norm",
        tests=("tests/recipes/test_layerwise.py",),
        reason="LAMB's steps follow large weights without a limit",
    ),
    Change(
        name="length: the report of an update that changes it",
        text="report.stepSize = oracle.ballScale != 0.0 ? moved.times * c.lr",
        replacement="report.stepSize = oracle.ballScale != 0.0 ? c.lr",
        tests=("tests/contract/test_report.py", "tests/recipes/test_composites.py"),
        reason="the report's step size is not that of the step",
    ),
    Change(
        name="length: the report of an update that measures it",
        text="report.updateRms = rms(moved.norm ? *moved.norm : moved.times * std::abs(factor) * size);",
        replacement="report.updateRms = rms(moved.times * std::abs(factor) * size);",
        tests=("tests/contract/test_report.py",),
        reason="the report tells of a displacement that the update was given, not of its step",
    ),
    # ------------------------------------------------------------------------------------ parts inside parts
    Change(
        name="tree: one salt for a part and what it holds",
        text="result.salt = (salt ^ (i + 1)) * 0x100000001b3ull;",
        replacement="",
        tests=("test_tree",),
        reason="two parts inside one draw the same numbers",
    ),
    Change(
        name="tree: a piece sees the beginning of the arrays",
        text="c.from = at;",
        replacement="",
        tests=("test_tree", "test_plan"),
        reason="all tiles of a block advance the state of the first",
    ),
    Change(
        name="tree: what a part holds may read what is hidden from it",
        text="const Inputs missing = child.part->reads() & child.hidden;",
        replacement="const Inputs missing;",
        tests=("test_tree",),
        reason="samples of another shape are read past their end",
    ),
    # ------------------------------------------------------------------------------------ dead blocks
    Change(
        name="dead: an average of roundings has a direction",
        text="return largest < std::numeric_limits<T>::min();",
        replacement="return largest < 0.0;",
        tests=("test_plan", "tests/plan/test_dead_blocks.py"),
        reason="a block without gradients moves for ever",
    ),
    # ------------------------------------------------------------------------------------ checks of arrays and state
    Change(
        name="check: unaligned arrays",
        text="array.flags.c_contiguous and array.flags.aligned:\n",
        replacement="array.flags.c_contiguous:\n",
        tests=("tests/oracles/test_oracle_contract.py",),
        reason="unaligned memory reaches the vectorised loops",
    ),
    Change(
        name="check: unaligned parameters",
        text="if not (array.flags.c_contiguous and array.flags.aligned):",
        replacement="if not array.flags.c_contiguous:",
        tests=("tests/optimizer/test_construction.py",),
        reason="unaligned memory reaches the vectorised loops",
    ),
    Change(
        name="check: neighbours in memory",
        text="if following < start + size:",
        replacement="if following <= start + size:",
        tests=("tests/optimizer",),
        reason="two halves of one buffer are refused as overlapping",
    ),
    Change(
        name="check: gradients inside the weights",
        text="if (range->block != block || range->begin != from) return true;",
        replacement="if (range->block != block) return true;",
        tests=("tests/contract/test_memory.py", "tests/contract/test_structures.py", "tests/optimizer"),
        reason="a gradient that is a shifted part of the weights is read after it was written",
    ),
    Change(
        name="check: no samples",
        text='size == expected or (expected == "N" and size > 0)',
        replacement='size == expected or expected == "N"',
        tests=("tests/recipes/test_dp_muon.py", "tests/recipes/test_kronecker_recipes.py"),
        reason="the mean over no samples is NaN",
    ),
    Change(
        name="check: samples of a transposed block",
        text="row[_SEEN.get(kind, kind) if block.transposed else kind]",
        replacement="row[kind]",
        tests=("tests/recipes/test_kronecker_recipes.py", "tests/recipes/test_spectrum_recipes.py"),
        reason="activations are taken for deltas",
    ),
    Change(
        name="check: values of a state",
        text='if wanted.dtype.kind == "f" and not np.isfinite(given).all():',
        replacement='if wanted.dtype.kind == "f" and np.isnan(given).all():',
        tests=("tests/contract/test_state.py",),
        reason="an infinite momentum is loaded",
    ),
    Change(
        name="check: counts of a state",
        text='if wanted.dtype.kind == "i" and (given < 0).any():',
        replacement='if wanted.dtype.kind == "i" and False:',
        tests=("tests/contract/test_state.py",),
        reason="a negative count is loaded: debiasing divides by a negative number",
    ),
    Change(
        name="check: fractions as counts of a state",
        text='not (wanted.dtype.kind == "i" and given.dtype.kind in "iu")',
        replacement='wanted.dtype.kind != "i"',
        tests=("tests/contract/test_state.py",),
        reason="a count of 2.5 is loaded",
    ),
)
