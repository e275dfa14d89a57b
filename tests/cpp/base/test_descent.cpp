#include "base/descent.h"

#include <cmath>

#include "support.h"

namespace kernels = schattor::kernels;
using Kind = kernels::Metric::Kind;
using kernels::Direction;
using schattor::Index;
using support::forBothDtypes;
using support::gaussian;

namespace {

// What one entry of kernels::descend must do, in long double.
struct Entry {
    long double g, w, m, v, u, estimate = 0.0L, direction = 0.0L;

    template <class T>
    void advance(const kernels::Descent<T>& s) {
        const long double x = g + s.decay * w, old = m;
        estimate = x;
        if (s.m != nullptr) {
            m = s.momentum.a * old + s.momentum.b * x;
            estimate = s.momentum.c * x + s.momentum.d * m + s.momentum.e * old;
        }
        measure(s.metric, x);
        direction = estimate;
        if (s.direction == Direction::signs) direction = (estimate > 0.0L) - (estimate < 0.0L);
        w = s.keep * w + s.factor * direction;
    }

private:
    void measure(const kernels::Metric& k, long double x) {
        if (k.kind == Kind::none) return;
        const long double seen = k.kind == Kind::deviations ? x - estimate : x;
        v = k.b * v + k.add * seen * seen + (k.kind == Kind::deviations ? k.inner : 0.0L);
        if (k.kind == Kind::ratio) {
            estimate *= std::sqrt((u + k.eps) / (v + k.eps));
            u = k.b * u + k.add * estimate * estimate;
            return;
        }
        if (k.kind == Kind::largest) u = std::max(u, v);
        const long double moment = k.kind == Kind::largest ? u : v;
        estimate *= k.a / (std::sqrt(k.c * moment) + k.eps);
    }
};

// One way through the stages.
struct Way {
    Kind kind;
    Direction direction;
    bool decays, averages, inPlace;
};

std::vector<Way> ways() {
    std::vector<Way> result;
    for (int flags = 0; flags < 8; ++flags) {
        const bool decays = (flags & 1) != 0, averages = (flags & 2) != 0, inPlace = (flags & 4) != 0;
        for (const Kind kind : {Kind::none, Kind::squares, Kind::largest, Kind::deviations, Kind::ratio})
            result.push_back({kind, Direction::estimate, decays, averages, inPlace});
        result.push_back({Kind::none, Direction::signs, decays, averages, inPlace});
    }
    return result;
}

template <class T>
struct Arrays {
    std::vector<T> g, w, m, v, u, target, estimate;
    explicit Arrays(Index n)
        : g(gaussian<T>(n, 1)),
          w(gaussian<T>(n, 2)),
          m(gaussian<T>(n, 3)),
          v(gaussian<T>(n, 4)),
          u(gaussian<T>(n, 5)),
          target(w),
          estimate(g.size()) {
        for (T& x : v) x = x * x;
        for (T& x : u) x = x * x;
    }
    kernels::Descent<T> descent(const Way& way) {
        const bool divides = way.kind != Kind::none;
        kernels::Descent<T> s;
        s.decay = way.decays ? 0.125 : 0.0;
        s.momentum = {0.75, 0.5, 0.25, 1.5, -0.375};
        s.metric = {way.kind, 0.5, 0.75, 0.25, 1.5, 1.25, 0.5};
        s.direction = way.direction;
        s.keep = 0.875;
        s.factor = -0.5;
        s.g = g.data();
        s.w = way.inPlace ? target.data() : w.data();
        s.m = way.averages ? m.data() : nullptr;
        s.v = divides ? v.data() : nullptr;
        s.u = divides ? u.data() : nullptr;
        s.target = target.data();
        s.estimate = estimate.data();
        return s;
    }
};

template <class T>
void checkWay(Index n, const Way& way) {
    // A dozen roundings of numbers below 20.
    const double eps = 300.0 * schattor::machineEpsilon(schattor::dtypeOf<T>);
    const Arrays<T> before(n);
    Arrays<T> after(n);
    const kernels::DescentSums sums = kernels::descend(n, after.descent(way));
    long double power = 0.0L, squares = 0.0L;
    for (std::size_t i = 0; i < before.g.size(); ++i) {
        Entry entry{before.g[i], before.w[i], before.m[i], before.v[i], before.u[i]};
        entry.advance(Arrays<T>(after).descent(way));
        const bool signs = way.direction == Direction::signs;
        power += signs ? std::abs(entry.estimate) : entry.estimate * entry.estimate;
        squares += entry.direction * entry.direction;
        const auto close = [&](T found, long double wanted) {
            return std::abs(static_cast<double>(static_cast<long double>(found) - wanted)) <= eps;
        };
        const std::string label = std::string(support::nameOf<T>) + ", length " + std::to_string(n) +
                                  ", entry " + std::to_string(i) + ", metric " +
                                  std::to_string(static_cast<int>(way.kind));
        CHECK_FOR(label, close(after.target[i], entry.w) && close(after.estimate[i], entry.estimate));
        CHECK_FOR(label,
                  close(after.m[i], entry.m) && close(after.v[i], entry.v) && close(after.u[i], entry.u));
    }
    CHECK_NEAR(sums.power, static_cast<double>(power), eps * (1.0 + static_cast<double>(power)));
    CHECK_NEAR(sums.squares, static_cast<double>(squares), eps * (1.0 + static_cast<double>(squares)));
}

}  // namespace

TEST("descend is a whole step of every entry, at lengths around its inner blocks, with any stages") {
    forBothDtypes([]<class T>(T) {
        for (const Index n : {0, 1, 2, 127, 128, 129, 255, 256, 257, 300})
            for (const Way& way : ways()) checkWay<T>(n, way);
    });
}

TEST("the sums of descend do not depend on whether the estimate is wanted") {
    forBothDtypes([]<class T>(T) {
        for (const Way& way : ways()) {
            Arrays<T> one(300), other(300);
            kernels::Descent<T> silent = other.descent(way);
            silent.estimate = nullptr;
            const kernels::DescentSums a = kernels::descend(300, one.descent(way));
            const kernels::DescentSums b = kernels::descend(300, silent);
            CHECK_EQ(a.power, b.power);
            CHECK_EQ(a.squares, b.squares);
        }
    });
}

TEST("descend leaves an entry where it is when its estimate and the root below it are zero") {
    forBothDtypes([]<class T>(T) {
        for (const Kind kind : {Kind::squares, Kind::largest, Kind::deviations, Kind::ratio}) {
            const std::vector<T> zero(3, T(0)), w = {T(1), T(2), T(3)};
            std::vector<T> m = zero, v = zero, u = zero, target = w;
            kernels::Descent<T> s;
            s.momentum = {0.5, 0.5, 0.0, 1.0};
            s.metric = {.kind = kind, .b = 0.5, .add = 0.5};
            s.factor = -1.0;
            s.g = zero.data();
            s.w = w.data();
            s.m = m.data();
            s.v = v.data();
            s.u = u.data();
            s.target = target.data();
            CHECK_EQ(kernels::descend(3, s).power, 0.0);
            for (std::size_t i = 0; i < w.size(); ++i) CHECK_EQ(target[i], w[i]);
        }
    });
}
