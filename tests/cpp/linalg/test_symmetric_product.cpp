#include "linalg/symmetric_product.h"

#include "base/arena.h"
#include "linalg/symmetric_iterate.h"
#include "support.h"

using namespace schattor;  // NOLINT

namespace {

// One size below the switch to half products, one off every tile, and one with whole tiles only.
const std::vector<Shape> shapes = {{1, 1},   {1, 7},   {7, 1},   {13, 13}, {20, 33}, {33, 20},
                                   {48, 48}, {64, 64}, {53, 90}, {90, 53}, {80, 100}};

// Entry (i, j) of X X' for wide X and of X' X for tall X.
template <class T>
double gramEntry(Shape s, const std::vector<T>& x, Index i, Index j) {
    double sum = 0.0;
    const bool wide = s.rows <= s.cols;
    for (Index l = 0; l < s.larger(); ++l) {
        const Index first = wide ? i * s.cols + l : l * s.cols + i;
        const Index second = wide ? j * s.cols + l : l * s.cols + j;
        sum += static_cast<double>(x[static_cast<std::size_t>(first)]) *
               static_cast<double>(x[static_cast<std::size_t>(second)]);
    }
    return sum;
}

template <class T>
double largestDifference(const std::vector<T>& a, const std::vector<double>& b) {
    double result = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i)
        result = std::max(result, std::abs(static_cast<double>(a[i]) - b[i]));
    return result;
}

template <class T>
double eps() {
    return static_cast<double>(std::numeric_limits<T>::epsilon());
}

}  // namespace

// A sum of n products of entries of size one has a rounding error of about eps n.
TEST("the mirrored Gram matrix is X X' on the smaller side, in both triangles") {
    support::forBothDtypes([]<class T>(T) {
        for (const Shape s : shapes) {
            const Index k = s.smaller();
            const std::vector<T> x = support::gaussian<T>(s.size(), 1);
            std::vector<T> gram(static_cast<std::size_t>(k * k), T(-7));
            symmetric::gram(s, x.data(), gram.data());
            symmetric::mirror(k, gram.data());
            std::vector<double> expected;
            for (Index j = 0; j < k; ++j)
                for (Index i = 0; i < k; ++i) expected.push_back(gramEntry(s, x, i, j));
            const double bound = 20.0 * eps<T>() * static_cast<double>(s.larger());
            CHECK_FOR(support::text(s), largestDifference(gram, expected) <= bound);
        }
    });
}

TEST("a polynomial of a symmetric matrix is formed in full from lower triangles") {
    support::forBothDtypes([]<class T>(T) {
        for (const Index k : {1, 5, 16, 17, 48, 64, 75}) {
            std::vector<T> matrix = support::gaussian<T>(k * k, 2), out = support::gaussian<T>(k * k, 3);
            std::vector<double> expected;
            for (Index j = 0; j < k; ++j)
                for (Index i = 0; i < k; ++i) {
                    const auto lower = static_cast<std::size_t>(std::min(i, j) * k + std::max(i, j));
                    expected.push_back(0.5 * static_cast<double>(matrix[lower]) -
                                       2.0 * static_cast<double>(out[lower]) + (i == j ? 3.0 : 0.0));
                }
            symmetric::addPolynomial(k, T(3), T(0.5), T(-2), matrix.data(), out.data());
            CHECK_FOR(std::to_string(k), largestDifference(out, expected) <= 50.0 * eps<T>());
        }
    });
}

TEST("the distance from the identity and the trace come from the lower triangle") {
    const Index k = 37;
    std::vector<double> a = support::gaussian<double>(k * k, 4);
    double trace = 0.0, sum = 0.0;
    for (Index j = 0; j < k; ++j)
        for (Index i = 0; i < k; ++i) {
            const double entry = a[static_cast<std::size_t>(std::min(i, j) * k + std::max(i, j))];
            if (i == j) trace += entry;
            sum += ((i == j ? 1.0 : 0.0) - entry) * ((i == j ? 1.0 : 0.0) - entry);
        }
    const symmetric::Distance found = symmetric::distance(k, a.data());
    CHECK(std::abs(found.trace - trace) <= 1e-12);
    CHECK(std::abs(found.fromIdentity - std::sqrt(sum)) <= 1e-11);
}

// Three steps of norm at most 2 each, in double: rounding errors stay near 8 eps k.
TEST("deferred steps give the iterate of steps that are applied at once, and its Gram matrix") {
    const Triple steps[] = {{2.0, -1.5, 0.5}, {1.5, -0.5, 0.0}, {1.875, -1.25, 0.375}};
    for (const Shape s : {Shape{20, 30}, Shape{30, 20}, Shape{64, 80}, Shape{90, 53}}) {
        const Index k = s.smaller();
        std::vector<double> x = support::gaussian<double>(s.size(), 5);
        for (double& entry : x) entry /= std::sqrt(static_cast<double>(s.size()));
        std::vector<double> now = x, later = x, carried = x;
        const auto run = [&](std::vector<double>& out, bool deferred, bool carry) {
            Arena arena;
            SymmetricIterate<double> iterate(s, out.data(), arena);
            for (int i = 0; i < 3; ++i) iterate.step(steps[i], deferred && (i < 2 || carry));
            if (carry) iterate.applyDeferred();
            const std::vector<double> gram(iterate.gram(), iterate.gram() + k * k);
            iterate.finish();
            double worst = 0.0;
            for (Index j = 0; j < k; ++j)
                for (Index i = j; i < k; ++i)
                    worst = std::max(
                        worst, std::abs(gram[static_cast<std::size_t>(j * k + i)] - gramEntry(s, out, i, j)));
            CHECK_FOR(support::text(s), worst <= 1e-13 * static_cast<double>(k));
        };
        run(now, false, false);
        run(later, true, false);
        run(carried, true, true);
        CHECK_FOR(support::text(s), largestDifference(later, now) <= 1e-14 * static_cast<double>(k));
        CHECK_FOR(support::text(s), largestDifference(carried, now) <= 1e-14 * static_cast<double>(k));
    }
}
