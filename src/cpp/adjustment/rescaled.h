#pragma once

#include <cmath>
#include <cstdlib>
#include <optional>

#include "adjustment/adjustment.h"
#include "base/kernels.h"
#include "linalg/norms.h"

namespace schattor {

/// d <- (length / ||d||_F) d over the whole range of the dtype; zero stays.
template <class T>
void rescale(Index n, const Scaled& length, T* d) {
    const Scaled norm = frobeniusNorm(n, d).normalized();
    if (norm.isZero()) return;
    // In two passes where the quotient itself may not be a normal number of the dtype.
    const bool near = std::abs(length.normalized().exponent - norm.exponent) < 60;
    if (!near) kernels::scaleByPowerOfTwo(n, -norm.exponent, d, d);
    kernels::scale(n, length.relativeTo(near ? norm.exponent : 0) / norm.value, d, d);
}

/// Gives the direction the Frobenius norm that `Length` says, in lengthOf(context, oracle); none: its own.
template <class Length>
class Rescaled : public Adjustment {
public:
    void apply(const Context<float>& c, const OracleResult& oracle, float* d) const override {
        run(c, oracle, d);
    }
    void apply(const Context<double>& c, const OracleResult& oracle, double* d) const override {
        run(c, oracle, d);
    }
    bool rescales() const override { return true; }
    std::optional<Scaled> length(const Context<float>& c, const OracleResult& oracle) const override {
        return self().lengthOf(c, oracle);
    }
    std::optional<Scaled> length(const Context<double>& c, const OracleResult& oracle) const override {
        return self().lengthOf(c, oracle);
    }

private:
    const Length& self() const { return static_cast<const Length&>(*this); }

    template <class T>
    void run(const Context<T>& c, const OracleResult& oracle, T* d) const {
        const std::optional<Scaled> wanted = self().lengthOf(c, oracle);
        if (wanted) rescale(c.size(), *wanted, d);
    }
};

/// The norm that the oracle's direction had: undoes what adjustments before it did to the length.
class OracleLength final : public Rescaled<OracleLength> {
public:
    template <class T>
    std::optional<Scaled> lengthOf(const Context<T>&, const OracleResult& oracle) const {
        return Scaled{oracle.frobenius, 0};
    }
};

/// A root mean square of the entries.
class RootMeanSquare final : public Rescaled<RootMeanSquare> {
public:
    explicit RootMeanSquare(double value) : value_(value) {}
    template <class T>
    std::optional<Scaled> lengthOf(const Context<T>& c, const OracleResult&) const {
        return Scaled{value_ * std::sqrt(static_cast<double>(c.size())), 0};
    }

private:
    double value_;
};

/// The trust ratio of LARS and LAMB (arXiv 1708.03888, 1904.00962): coefficient min(||W||_F, limit); none for
/// zero weights.
class TrustRatio final : public Rescaled<TrustRatio> {
public:
    TrustRatio(Value coefficient, double limit) : coefficient_(coefficient), limit_(limit) {}
    Inputs ownReads() const override { return Input::weights; }
    template <class T>
    std::optional<Scaled> lengthOf(const Context<T>& c, const OracleResult&) const {
        const Scaled norm = frobeniusNorm(c.size(), c.weights);
        if (norm.isZero()) return std::nullopt;
        return (norm.full() > limit_ ? Scaled{limit_, 0} : norm).times(c(coefficient_));
    }

private:
    Value coefficient_;
    double limit_;
};

}  // namespace schattor
