// What Python cannot see of the partial oracles: the compensated sums, the Lanczos relation through restarts
// and additions, and the proof by Cholesky on its own.
#include "linalg/lanczos.h"

#include <numeric>

#include "base/rng.h"
#include "geometry/ky_fan.h"
#include "linalg/blas_threads.h"
#include "linalg/enclosure.h"
#include "linalg/products.h"
#include "linalg/spectral_norm.h"
#include "linalg/subspace.h"
#include "support.h"

using schattor::Arena;
using schattor::Gram;
using schattor::Index;
using schattor::Lanczos;
using schattor::Rng;
using schattor::Shape;

namespace {

std::vector<double> descending(Index count) {
    std::vector<double> sigma(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < sigma.size(); ++i)
        sigma[i] = 2.0 - static_cast<double>(i) / static_cast<double>(count);
    return sigma;
}

double dot(Index n, const double* x, const double* y) { return std::inner_product(x, x + n, y, 0.0); }

// ||B y - theta y|| of the i-th Ritz vector.
double trueResidual(const schattor::SymmetricOperator& b, const Lanczos& lanczos, Index i, Index n) {
    std::vector<double> y(static_cast<std::size_t>(n)), image(y);
    lanczos.vectors(i, 1, y.data());
    b.apply(1, y.data(), image.data());
    double squares = 0.0;
    for (std::size_t l = 0; l < y.size(); ++l) {
        const double difference = image[l] - lanczos.value(i) * y[l];
        squares += difference * difference;
    }
    return std::sqrt(squares);
}

}  // namespace

TEST("compensated sums keep what plain ones lose") {
    // 1 + 2^-60, 4096 times, minus 4096: a plain sum gives 0.
    std::vector<double> x, y;
    for (int i = 0; i < 4096; ++i) {
        x.insert(x.end(), {1.0, 0x1p-30, -1.0});
        y.insert(y.end(), {1.0, 0x1p-30, 1.0});
    }
    const auto n = static_cast<Index>(x.size());
    CHECK_EQ(schattor::products::dotCompensated(n, x.data(), y.data()), 4096.0 * 0x1p-60);
    double along = 0.0, across = 0.0, errors = 0.0;
    schattor::products::multiplyCompensated({1, n}, x.data(), y.data(), &along);
    schattor::products::multiplyTransposedCompensated({n, 1}, x.data(), y.data(), &across, &errors);
    CHECK_EQ(along, 4096.0 * 0x1p-60);
    CHECK_EQ(across, 4096.0 * 0x1p-60);
}

TEST("products with A and A' agree with a literal loop") {
    support::forBothDtypes([]<class T>(T) {
        for (const Shape s : {Shape{1, 1}, Shape{7, 5}, Shape{33, 70}, Shape{66, 19}}) {
            const auto a = support::gaussian<T>(s.size(), 1);
            const auto x = support::gaussian<double>(s.rows + s.cols, 2);
            std::vector<double> y(static_cast<std::size_t>(s.rows)), z(static_cast<std::size_t>(s.cols));
            schattor::products::multiply(s, a.data(), x.data(), y.data());
            schattor::products::multiplyTransposed(s, a.data(), x.data(), z.data());
            const auto at = [&](Index i, Index j) {
                return static_cast<double>(a[static_cast<std::size_t>(i * s.cols + j)]);
            };
            // gamma_n times a sum of magnitudes below 100.
            const double tolerance = 1e-12;
            for (Index i = 0; i < s.rows; ++i) {
                double sum = 0.0;
                for (Index j = 0; j < s.cols; ++j) sum += at(i, j) * x[static_cast<std::size_t>(j)];
                CHECK_NEAR(y[static_cast<std::size_t>(i)], sum, tolerance);
            }
            for (Index j = 0; j < s.cols; ++j) {
                double sum = 0.0;
                for (Index i = 0; i < s.rows; ++i) sum += at(i, j) * x[static_cast<std::size_t>(i)];
                CHECK_NEAR(z[static_cast<std::size_t>(j)], sum, tolerance);
            }
        }
    });
}

TEST("blocks of any width give what single vectors give") {
    using schattor::BlockProducts;
    for (const Shape s : {Shape{5, 9}, Shape{9, 5}, Shape{6, 6}, Shape{33, 18}}) {
        const auto a = support::gaussian<double>(s.size(), 1);
        std::vector<double> work(static_cast<std::size_t>(BlockProducts::panelRoom(s)));
        const BlockProducts products(s, a.data(), work.data());
        const Index k = s.smaller(), n = s.larger();
        for (const Index count : {Index{1}, Index{3}, Index{8}, Index{11}, Index{16}, Index{20}}) {
            const auto x = support::gaussian<double>(count * k, 2);
            const auto z = support::gaussian<double>(count * n, 3);
            std::vector<double> onLarger(static_cast<std::size_t>(count * n)), onSmaller(x.size());
            products.toLarger(count, x.data(), onLarger.data());
            products.toSmaller(count, z.data(), onSmaller.data());
            for (Index i = 0; i < count; ++i) {
                std::vector<double> larger(static_cast<std::size_t>(n)), smaller(static_cast<std::size_t>(k));
                const schattor::VectorProducts<double> single(s, a.data(), nullptr);
                single.toLarger(1, x.data() + i * k, larger.data());
                single.toSmaller(1, z.data() + i * n, smaller.data());
                // gamma_n times a sum of magnitudes below 100.
                for (Index l = 0; l < n; ++l)
                    CHECK_NEAR(onLarger[static_cast<std::size_t>(i * n + l)],
                               larger[static_cast<std::size_t>(l)], 1e-12);
                for (Index l = 0; l < k; ++l)
                    CHECK_NEAR(onSmaller[static_cast<std::size_t>(i * k + l)],
                               smaller[static_cast<std::size_t>(l)], 1e-12);
            }
        }
    }
}

TEST("Ritz values and residuals stay right through restarts and added directions") {
    const Shape s{60, 80};
    const auto sigma = descending(60);
    const auto a = support::planted<double>(s, sigma, 3);
    Arena arena;
    const Gram gram(s, a.data(), arena);
    Lanczos lanczos(60, 5, 30, arena);
    Rng rng(1);
    lanczos.fill(3, rng);
    for (int step = 0; step < 30 && lanczos.pending() > 0; ++step) {
        if (step == 8) {
            auto extra = support::gaussian<double>(60, 4);
            const Index before = lanczos.pending();
            lanczos.add(1, extra.data());
            CHECK_EQ(lanczos.pending(), before + 1);
        }
        if (lanczos.full()) lanczos.restart(12);
        lanczos.expand(gram);
        REQUIRE(lanczos.solve());
        for (Index i = 0; i < std::min<Index>(6, lanczos.size()); ++i) {
            // Rounding of products with B, whose norm is 4.
            CHECK_NEAR(lanczos.residual(i), trueResidual(gram, lanczos, i, 60), 1e-12);
            CHECK(lanczos.value(i) <=
                  sigma[static_cast<std::size_t>(i)] * sigma[static_cast<std::size_t>(i)] + 1e-12);
        }
    }
    for (std::size_t i = 0; i < 3; ++i)
        CHECK_NEAR(lanczos.value(static_cast<Index>(i)), sigma[i] * sigma[i], 1e-9);
}

TEST("a proof succeeds just above what is there and fails below it") {
    for (const Shape s : {Shape{40, 90}, Shape{90, 40}, Shape{50, 50}})
        support::forBothDtypes([&]<class T>(T) {
            const Index k = s.smaller();
            const auto sigma = descending(k);
            const auto a = support::planted<T>(s, sigma, 5);
            Arena arena;
            Gram gram(s, a.data(), arena);
            const double frobenius = std::sqrt(schattor::energy(s.size(), a.data()).upper);
            // Rounding of the entries to T moves singular values by at most eps ||A||_F.
            const double moved = schattor::machineEpsilon(schattor::dtypeOf<T>) * frobenius * 8.0;
            const double square = sigma[0] * sigma[0];
            std::vector<double> escape(static_cast<std::size_t>(k)), image(escape);
            const double above = square + moved + 2.0 * gram.slack(square, 0, 0.0, frobenius);
            CHECK(gram.complementBelow(above, 0, nullptr, 0.0, frobenius, escape.data()));
            const double below = square - moved;
            CHECK(!gram.complementBelow(below, 0, nullptr, 0.0, frobenius, escape.data()));
            // The direction in which it failed has a Rayleigh quotient of at least beta, less the slack.
            gram.apply(1, escape.data(), image.data());
            const double quotient =
                dot(k, escape.data(), image.data()) / dot(k, escape.data(), escape.data());
            CHECK(quotient >= below - 2.0 * gram.slack(below, 0, 0.0, frobenius));
            // B is as it was.
            CHECK(gram.complementBelow(above, 0, nullptr, 0.0, frobenius, nullptr));
        });
}

// Higham, Accuracy and Stability, 2nd ed., sections 3.1 and 10.1. No matrix that is likely to be met comes
// near these bounds, so that only the bounds themselves can say whether the slack holds all of them.
TEST("the slack holds the errors of B, of the update and of the factorisation") {
    const double unit = std::numeric_limits<double>::epsilon() / 2.0;
    const auto gamma = [&](Index n) {
        const double nu = static_cast<double>(n) * unit;
        return nu / (1.0 - nu);
    };
    for (const Shape s : {Shape{8, 8}, Shape{40, 90}, Shape{90, 40}, Shape{64, 3000}})
        for (const Index j : {Index{0}, Index{3}}) {
            const Index k = s.smaller();
            const auto a = support::planted<double>(s, descending(k), 5);
            Arena arena;
            const Gram gram(s, a.data(), arena);
            const double frobenius = std::sqrt(schattor::energy(s.size(), a.data()).upper);
            const double top = 4.0;
            for (const double beta : {0.5, 4.0, 100.0}) {
                // |fl(B) - B| <= gamma_n |A||A'|, of norm at most ||A||_F^2.
                const double product = gamma(s.larger()) * frobenius * frobenius;
                // The update adds 2 top u u' for each of j unit vectors: roundings of sums of j + 1 numbers.
                const double update = gamma(j + 1) * static_cast<double>(j) * 2.0 * top;
                // Demmel: |L L' - M| <= gamma_{k+1} / (1 - gamma_{k+1}) d d', of norm at most the trace of M.
                const double trace = static_cast<double>(k) * beta + static_cast<double>(j) * 2.0 * top;
                const double factorisation = gamma(k + 1) / (1.0 - gamma(k + 1)) * trace;
                const double slack = gram.slack(beta, j, top, frobenius);
                const std::string label = support::text(s) + ", j = " + std::to_string(j) +
                                          ", beta = " + check::show(beta) + ": " + check::show(slack);
                CHECK_FOR(label, slack >= product + update + factorisation);
            }
        }
}

TEST("vectors set apart lower what can be proven, and wrong ones do not") {
    const Shape s{6, 6};
    std::vector<double> a(36, 0.0);
    for (std::size_t i = 0; i < 6; ++i) a[7 * i] = i == 0 ? 3.0 : i == 1 ? 2.0 : 1.0;
    Arena arena;
    Gram gram(s, a.data(), arena);
    std::vector<double> first(6, 0.0), second(6, 0.0);
    first[0] = 1.0;
    second[1] = 1.0;
    const double frobenius = std::sqrt(schattor::energy(36, a.data()).upper);
    CHECK(gram.complementBelow(4.1, 1, first.data(), 9.0, frobenius, nullptr));
    CHECK(!gram.complementBelow(3.9, 1, first.data(), 9.0, frobenius, nullptr));
    CHECK(!gram.complementBelow(8.9, 1, second.data(), 4.0, frobenius, nullptr));
}

TEST("the largest singular values of small and tiny matrices, of which scaled copies are taken") {
    const schattor::SingleThreadedBlas single;  // small matrices
    support::forBothDtypes([]<class T>(T) {
        for (const Shape s : {Shape{2, 2}, Shape{5, 40}, Shape{60, 30}, Shape{90, 90}})
            for (const auto& spectrum : support::spectra(s.smaller(), 1e-6)) {
                auto a = support::planted<T>(s, spectrum.sigma, 6);
                for (T& x : a) x *= static_cast<T>(1e-30);  // so that a scaled copy is taken
                std::vector<double> right(static_cast<std::size_t>(s.cols));
                Arena norm;
                schattor::spectralNorm(s, a.data(), {}, right.data(), norm);
                for (const Index k : {Index{1}, s.smaller() / 2, s.smaller()})
                    for (const bool certify : {false, true}) {
                        Arena top;
                        schattor::SubspaceOptions options;
                        options.certify = certify;
                        const auto r = schattor::topSingular(s, a.data(), k, options, top);
                        CHECK_EQ(r.count, k);
                    }
                for (const auto route : {schattor::KyFan::Route::svd, schattor::KyFan::Route::subspace}) {
                    const schattor::KyFan geometry(2, route, 0.0, 0);
                    Arena arena;
                    std::vector<T> d(a.size());
                    const auto r = geometry.ball({{}, &arena}, s, a.data(), d.data());
                    CHECK(r.dualNorm.value > 0.0);
                }
            }
    });
}

TEST("random numbers: fixed by the seed, normal in mean and variance") {
    Rng one(7), two(7), other(8);
    CHECK_EQ(one.next(), two.next());
    CHECK(one.next() != other.next());
    std::vector<double> x(100001);
    Rng(3).normal(static_cast<Index>(x.size()), x.data());
    const auto n = static_cast<double>(x.size());
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double square = dot(static_cast<Index>(x.size()), x.data(), x.data()) / n;
    CHECK_NEAR(mean, 0.0, 5.0 / std::sqrt(n));  // five standard deviations
    CHECK_NEAR(square, 1.0, 5.0 * std::sqrt(2.0 / n));
}
