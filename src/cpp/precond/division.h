#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

#include "base/value.h"

namespace schattor {

/// How a diagonal metric maps the estimate M by its moment V: a M / (sqrt(c V) + eps).
class Division {
public:
    virtual ~Division() = default;
    struct Terms {
        double a = 1.0, c = 1.0, eps = 0.0;
    };
    /// For a block that has taken `count` steps before this one.
    virtual Terms terms(std::span<const double> slots, std::int64_t count) const = 0;

protected:
    /// 1 - b^t, 1 where there is no average.
    static double bias(double b, std::int64_t count) {
        return 1.0 - std::pow(b, static_cast<double>(count + 1));
    }
};

/// M / (sqrt(V) + eps)
class Plain final : public Division {
public:
    explicit Plain(Value eps) : eps_(eps) {}
    Terms terms(std::span<const double> slots, std::int64_t) const override {
        return {.eps = eps_.at(slots)};
    }

private:
    Value eps_;
};

/// M / (1 - b1^t) / (sqrt(V / (1 - b^t)) + eps); b1 = 0 for an estimate that is corrected already.
class Debiased final : public Division {
public:
    Debiased(Value beta, Value eps, Value meanBeta) : beta_(beta), eps_(eps), meanBeta_(meanBeta) {}
    Terms terms(std::span<const double> slots, std::int64_t count) const override {
        return {1.0 / bias(meanBeta_.at(slots), count), 1.0 / bias(beta_.at(slots), count), eps_.at(slots)};
    }

private:
    Value beta_, eps_, meanBeta_;
};

/// sqrt(1 - b^t) / (1 - b1^t) M / (sqrt(V) + eps): the corrections stand outside, as one factor.
class DebiasedOutside final : public Division {
public:
    DebiasedOutside(Value beta, Value eps, Value meanBeta) : beta_(beta), eps_(eps), meanBeta_(meanBeta) {}
    Terms terms(std::span<const double> slots, std::int64_t count) const override {
        const double root = std::sqrt(bias(beta_.at(slots), count));
        return {.a = root / bias(meanBeta_.at(slots), count), .eps = eps_.at(slots)};
    }

private:
    Value beta_, eps_, meanBeta_;
};

/// RAdam (arXiv 1908.03265): r sqrt(1 - b^t) / (1 - b1^t) M / (sqrt(V) + eps) as soon as the length rho of
/// the average exceeds 5, early M / (1 - b1^t) before.
class Rectified final : public Division {
public:
    Rectified(Value beta, Value eps, Value meanBeta, double early)
        : beta_(beta), eps_(eps), meanBeta_(meanBeta), early_(early) {}
    Terms terms(std::span<const double> slots, std::int64_t count) const override {
        const double b = beta_.at(slots), t = static_cast<double>(count + 1), correction = bias(b, count);
        const double mean = 1.0 / bias(meanBeta_.at(slots), count);
        const double limit = 2.0 / (1.0 - b) - 1.0, rho = limit - 2.0 * t * std::pow(b, t) / correction;
        if (!(rho > 5.0)) return {.a = early_ * mean, .c = 0.0, .eps = 1.0};  // a M alone
        const double r = std::sqrt((rho - 4.0) * (rho - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * rho));
        return {r * std::sqrt(correction) * mean, 1.0, eps_.at(slots)};
    }

private:
    Value beta_, eps_, meanBeta_;
    double early_;
};

}  // namespace schattor
