// The rungs of the SVD ladder that normal input never reaches, and one-sided Jacobi by itself.
#include "linalg/svd.h"

#include "linalg/jacobi.h"
#include "svd_checks.h"

using schattor::Arena;
using schattor::Index;
using schattor::Shape;
using schattor::Svd;
using support::measure;
using support::planted;
using support::spectra;
using support::svdConstant;
using support::SvdErrors;
using support::svdShapes;

namespace {

// A rung that fails as LAPACK does: with rubbish in its outputs.
bool failingRung(Shape s, double* scaled, Svd& svd, Arena&) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    std::fill_n(scaled, s.size(), nan);
    const Index k = s.smaller();
    std::fill_n(svd.left, s.rows * k, nan);
    std::fill_n(svd.right, s.cols * k, nan);
    std::fill_n(svd.sigma, k, nan);
    return false;
}

const char* const rungNames[] = {"gesdd", "gesvd", "Jacobi"};

template <class T>
std::string label(std::size_t rung, Shape s, const std::string& spectrum, const SvdErrors& errors) {
    return std::string(rungNames[rung]) + ", " + support::nameOf<T> + ", " + support::text(s) + ", " +
           spectrum + ": " + errors.text();
}

// The ladder with its first `failing` rungs replaced.
std::vector<schattor::detail::SvdRung> ladderFailing(std::size_t failing) {
    const auto rungs = schattor::detail::ladder();
    std::vector<schattor::detail::SvdRung> result(rungs.begin(), rungs.end());
    std::fill_n(result.begin(), failing, &failingRung);
    return result;
}

}  // namespace

TEST("each rung gives the right SVD after the rungs before it failed, and counts them") {
    support::forBothDtypes([]<class T>(T) {
        const double eps = schattor::machineEpsilon(schattor::dtypeOf<T>);
        REQUIRE(schattor::detail::ladder().size() == std::size(rungNames));
        for (std::size_t failing = 0; failing < std::size(rungNames); ++failing)
            for (const Shape s : svdShapes())
                for (const auto& [name, sigma] : spectra(s.smaller(), 10.0 * eps)) {
                    const std::vector<T> a = planted<T>(s, sigma, 1);
                    Arena arena;
                    const auto ladder = ladderFailing(failing);
                    const Svd svd = schattor::detail::climb<T>(s, a.data(), ladder, arena);
                    const SvdErrors errors = measure(s, a, svd, sigma);
                    CHECK_FOR(label<T>(failing, s, name, errors), errors.below(svdConstant));
                    CHECK_FOR(label<T>(failing, s, name, errors), svd.fallbacks == static_cast<int>(failing));
                }
    });
}

TEST("each rung works at both ends of the dtype's range") {
    support::forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        for (std::size_t failing = 0; failing < std::size(rungNames); ++failing)
            for (const Shape s : {Shape{6, 9}, Shape{9, 6}})
                for (const int scale : {Limits::min_exponent + 40, Limits::max_exponent - 4}) {
                    const auto spectrum = spectra(s.smaller(), 0.1)[0];  // separated: largest value 3
                    std::vector<T> a = planted<T>(s, spectrum.sigma, 2);
                    for (T& x : a) x = std::ldexp(x, scale);
                    Arena arena;
                    const auto ladder = ladderFailing(failing);
                    const Svd svd = schattor::detail::climb<T>(s, a.data(), ladder, arena);
                    const SvdErrors errors = measure(s, a, svd, spectrum.sigma, scale);
                    CHECK_FOR(label<T>(failing, s, "times 2^" + std::to_string(scale), errors),
                              errors.below(svdConstant));
                }
    });
}

TEST("the ladder gives the arena back but for its result") {
    support::forBothDtypes([]<class T>(T) {
        const Shape s{7, 5};
        const std::vector<T> a = planted<T>(s, spectra(5, 0.1)[0].sigma, 3);
        for (std::size_t failing = 0; failing < std::size(rungNames); ++failing) {
            Arena arena;
            const auto ladder = ladderFailing(failing);
            schattor::detail::climb<T>(s, a.data(), ladder, arena);
            CHECK_EQ(arena.used(),
                     Arena::bytesFor<double>(35) + Arena::bytesFor<double>(25) + Arena::bytesFor<double>(5));
        }
    });
}

TEST("a ladder without a rung that works throws") {
    support::forBothDtypes([]<class T>(T) {
        const Shape s{3, 4};
        const std::vector<T> a = support::gaussian<T>(s.size(), 4);
        Arena arena;
        const auto ladder = ladderFailing(std::size(rungNames));
        CHECK_THROWS_AS((schattor::detail::climb<T>(s, a.data(), ladder, arena)), std::logic_error);
    });
}

TEST("a matrix that is not finite never reaches LAPACK") {
    support::forBothDtypes([]<class T>(T) {
        const Shape s{3, 4};
        std::vector<T> a = support::gaussian<T>(s.size(), 5);
        for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
            a[7] = bad;
            Arena arena;
            CHECK_THROWS_AS(schattor::thinSvd(s, a.data(), arena), std::logic_error);
            CHECK_THROWS_AS(schattor::singularValues(s, a.data(), arena), std::logic_error);
        }
    });
}

// A workspace that LAPACK finds too small would show as a fallback, not as a wrong result.
TEST("the first rung serves every shape up to 80 x 80 and extreme aspect ratios, values only as well") {
    support::forBothDtypes([]<class T>(T) {
        std::vector<Shape> shapes = {{1, 3000},  {3000, 1},  {2, 2000}, {2000, 2},
                                     {40, 1500}, {1500, 40}, {1, 1}};
        for (Index m = 1; m <= 80; m += m < 12 ? 1 : 17)
            for (Index n = 1; n <= 80; n += n < 12 ? 1 : 17) shapes.push_back({m, n});
        for (const Shape s : shapes) {
            const std::vector<T> a = support::gaussian<T>(s.size(), 6);
            Arena arena;
            const std::string name = std::string(support::nameOf<T>) + ", " + support::text(s);
            {
                const schattor::ArenaFrame frame(arena);
                CHECK_FOR(name, schattor::thinSvd(s, a.data(), arena).fallbacks == 0);
            }
            CHECK_FOR(name, schattor::singularValues(s, a.data(), arena).fallbacks == 0);
        }
    });
}

TEST("Jacobi finds planted spectra, zero, repeated and graded to a condition of 1e15") {
    for (const Shape s : {Shape{1, 1}, Shape{1, 20}, Shape{12, 12}, Shape{12, 31}, Shape{40, 57}})
        for (const auto& [name, sigma] : spectra(s.smaller(), 1e-15)) {
            const std::vector<double> a = planted<double>(s, sigma, 7);
            std::vector<double> right = a;
            std::vector<double> values(sigma.size());
            std::vector<double> left(sigma.size() * sigma.size());
            schattor::jacobiSvd(s.rows, s.cols, right.data(), values.data(), left.data());
            const Svd svd{left.data(), right.data(), values.data(), 0, 0};
            const SvdErrors errors = measure(s, a, svd, sigma);
            CHECK_FOR(label<double>(2, s, name, errors), errors.below(svdConstant));
        }
}

TEST("Jacobi gives exact zeros for zero rows, with zero vectors, and never NaN") {
    const Index k = 6, n = 9;
    for (Index kept = 0; kept <= k; ++kept) {
        std::vector<double> right(static_cast<std::size_t>(k * n), 0.0);
        const std::vector<double> rows = support::gaussian<double>(kept * n, 8);
        std::copy(rows.begin(), rows.end(), right.end() - kept * n);  // the zero rows come first
        std::vector<double> values(static_cast<std::size_t>(k));
        std::vector<double> left(static_cast<std::size_t>(k * k));
        schattor::jacobiSvd(k, n, right.data(), values.data(), left.data());
        for (Index i = 0; i < k; ++i) {
            const double* row = right.data() + i * n;
            CHECK_EQ(values[static_cast<std::size_t>(i)] > 0.0, i < kept);
            CHECK_EQ(std::any_of(row, row + n, [](double x) { return x != 0.0; }), i < kept);
        }
        CHECK(std::all_of(left.begin(), left.end(), [](double x) { return std::isfinite(x); }));
    }
}

TEST("Jacobi ends on equal and on nearly parallel rows") {
    const Index k = 10, n = 16;
    const std::vector<double> row = support::gaussian<double>(n, 9);
    for (const double spread : {0.0, 1e-300, 1e-16, 1e-8}) {
        std::vector<double> right;
        const std::vector<double> noise = support::gaussian<double>(k * n, 10);
        for (Index i = 0; i < k; ++i)
            for (Index j = 0; j < n; ++j)
                right.push_back(row[static_cast<std::size_t>(j)] +
                                spread * noise[static_cast<std::size_t>(i * n + j)]);
        double squares = 0.0;
        for (const double x : right) squares += x * x;
        std::vector<double> values(static_cast<std::size_t>(k));
        std::vector<double> left(static_cast<std::size_t>(k * k));
        schattor::jacobiSvd(k, n, right.data(), values.data(), left.data());
        double sum = 0.0;
        for (const double x : values) sum += x * x;
        // Rotations keep the Frobenius norm.
        CHECK_NEAR(sum / squares, 1.0,
                   svdConstant * static_cast<double>(k + n) * std::numeric_limits<double>::epsilon());
        CHECK(values[0] > 0.0);
    }
}
