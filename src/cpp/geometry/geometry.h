#pragma once

#include <limits>
#include <optional>
#include <string_view>

#include "base/part.h"
#include "base/scaled.h"
#include "base/team.h"

namespace schattor {

/// What a result was computed by: a row of the table of routes (routes.h), or one of these.
struct Backend {
    std::string_view name;
    friend bool operator==(const Backend&, const Backend&) = default;

    static const Backend none, frobenius, entrywise, svd, subspace;
    static const Backend user;  ///< a geometry from outside of the library
};
inline constexpr Backend Backend::none{"none"}, Backend::frobenius{"frobenius"},
    Backend::entrywise{"entrywise"}, Backend::svd{"svd"}, Backend::subspace{"subspace"},
    Backend::user{"user"};

/// What an oracle returns beside the array d that it writes. The ball direction is ballScale * d
/// and the regularization step regularizedScale * d: whoever applies the step multiplies by the
/// learning rate anyway, so the oracle need not pass over the array twice. With `inputIsDirection`
/// d was left alone and g itself stands for it, with negative scales.
struct OracleResult {
    Scaled dualNorm;
    double ballScale = 1.0;
    double regularizedScale = 0.0;
    double frobenius = 0.0;  ///< ||d||_F
    double residual = 0.0;
    double operatorNorm = std::numeric_limits<double>::quiet_NaN();
    Backend backend = Backend::none;
    int fallbacks = 0;
    int iterations = 0;  ///< of an iterative backend
    bool approximate = false;
    bool inputIsDirection = false;
};

/// What an oracle reads of a step; also used outside of steps, where there are no schedules.
struct OracleContext {
    std::span<const double> slots;
    Arena* arena = nullptr;
    bool measureOperatorNorm = false;
    bool inputStays = false;     ///< the caller can read g as long as d: no need to copy it
    const Team* team = nullptr;  ///< threads that may share the work on this block
};

/// A norm. The one hot call is ball(): given G, write the direction D of unit primal norm with
/// <G, D> = -||G||_dual, and return the dual norm.
class Geometry : public Part {
public:
    /// Inputs are finite. d may not alias g. Zero in, zero out.
    virtual OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const = 0;
    virtual OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const = 0;
    virtual Scaled norm(const OracleContext&, Shape, const float* x) const = 0;
    virtual Scaled norm(const OracleContext&, Shape, const double* x) const = 0;
    virtual Scaled dualNorm(const OracleContext&, Shape, const float* g) const = 0;
    virtual Scaled dualNorm(const OracleContext&, Shape, const double* g) const = 0;

    /// A bound of ||G||_dual / max |g_ij| for this shape.
    virtual double dualNormBound(Shape) const = 0;
    /// The exponent r for which the norm of a block of this shape is the l_r norm of the norms of its pieces
    /// (rows of any length), whatever the pieces: 2 for a Euclidean norm. Only where it is the same in every
    /// step.
    virtual std::optional<double> pieceExponent(Shape) const { return std::nullopt; }
    /// Whether the oracle of a block of this shape can share its work among a team.
    virtual bool sharesWork(Shape, Dtype) const { return false; }
};

}  // namespace schattor
