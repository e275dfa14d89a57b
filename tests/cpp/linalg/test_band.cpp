// The reduction to a band matrix, the function of it, and the rational approximations, each by itself.
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <thread>

#include "linalg/band_function.h"
#include "linalg/band_reduction.h"
#include "linalg/rational.h"
#include "support.h"

using schattor::Arena;
using schattor::BandFunction;
using schattor::BandReduction;
using schattor::Index;
using schattor::RationalFits;
using schattor::RationalPower;
using Matrix = Eigen::MatrixXd;

namespace {

// Rows, columns and width: square, slightly tall, tall enough for the triangular factor first (n >= 1.5 k);
// sizes at and off the multiples of the width and of the 32 reflectors of one block, down to a single entry.
struct Case {
    Index rows, cols, width;
    std::string text() const {
        return std::to_string(rows) + " x " + std::to_string(cols) + ", width " + std::to_string(width);
    }
};

const std::vector<Case>& cases() {
    static const std::vector<Case> list = {
        {1, 1, 4},   {2, 2, 4},    {5, 3, 4},   {4, 4, 4},    {7, 7, 4},     {8, 8, 8},   {9, 1, 4},
        {33, 33, 4}, {33, 33, 8},  {31, 29, 4}, {64, 64, 16}, {65, 65, 16},  {70, 50, 8}, {74, 50, 8},
        {75, 50, 8}, {130, 65, 8}, {97, 96, 4}, {200, 31, 4}, {100, 100, 32}};
    return list;
}

Matrix toMatrix(Index rows, Index cols, const auto* x) {
    Matrix result(rows, cols);
    for (Index j = 0; j < cols; ++j)
        for (Index i = 0; i < rows; ++i) result(i, j) = static_cast<double>(x[j * rows + i]);
    return result;
}

template <class T>
Matrix bandOf(const BandReduction<T>& reduction) {
    const Index k = reduction.cols();
    Matrix b = Matrix::Zero(k, k);
    for (Index j = 0; j < k; ++j)
        for (Index i = std::max<Index>(0, j - reduction.width()); i <= j; ++i)
            b(i, j) = static_cast<double>(reduction.band(i, j));
    return b;
}

template <class T>
Matrix restored(BandReduction<T>& reduction, const Matrix& upper) {
    const Index rows = reduction.rows(), k = reduction.cols();
    // What lies below the upper part must not matter.
    std::vector<T> c(static_cast<std::size_t>(rows * k), T(1e30));
    for (Index j = 0; j < k; ++j)
        for (Index i = 0; i < k; ++i) c[static_cast<std::size_t>(j * rows + i)] = static_cast<T>(upper(i, j));
    reduction.restore(c.data(), rows, nullptr);
    return toMatrix(rows, k, c.data());
}

// Householder reductions have a backward error of a modest multiple of eps per reflector (Higham 2002, 19.3);
// errors of different reflectors add up like sqrt(k).
template <class T>
double tolerance(Index k) {
    return 10.0 * schattor::machineEpsilon(schattor::dtypeOf<T>) * std::sqrt(static_cast<double>(k));
}

template <class T>
void checkReduction(const Case& c, const std::vector<T>& x) {
    Arena arena;
    BandReduction<T> reduction(c.rows, c.cols, c.width, arena);
    std::copy(x.begin(), x.end(), reduction.matrix());
    reduction.reduce(nullptr);
    const Matrix b = bandOf(reduction), original = toMatrix(c.rows, c.cols, x.data());
    const std::string label = std::string(support::nameOf<T>) + ", " + c.text();
    const Matrix back = restored(reduction, b);
    CHECK_FOR(label + ": " + check::show((back - original).norm() / original.norm()),
              (back - original).norm() <= tolerance<T>(c.cols) * original.norm());
    // Q and P' have orthonormal columns and rows: the identity comes back as Q [I; 0] P'.
    const Matrix isometry = restored(reduction, Matrix::Identity(c.cols, c.cols));
    const Matrix defect = isometry.transpose() * isometry - Matrix::Identity(c.cols, c.cols);
    CHECK_FOR(label + ", orthogonality: " + check::show(defect.norm()),
              defect.norm() <= tolerance<T>(c.cols) * std::sqrt(static_cast<double>(c.cols)));
}

// An upper band matrix of the given order.
Matrix randomBand(Index size, Index width, unsigned seed) {
    const std::vector<double> x = support::gaussian<double>(size * size, seed);
    Matrix b = Matrix::Zero(size, size);
    for (Index j = 0; j < size; ++j)
        for (Index i = std::max<Index>(0, j - width); i <= j; ++i)
            b(i, j) = x[static_cast<std::size_t>(j * size + i)] + (i == j ? 3.0 : 0.0);
    return b;
}

struct Band {
    Matrix b;
    Arena arena;
    BandFunction function;
    Eigen::SelfAdjointEigenSolver<Matrix> eigen;  // of T = B B' / scale

    Band(const Matrix& matrix, Index width) : b(matrix), function(matrix.rows(), width, arena) {
        function.setBand([&](Index i, Index j) { return b(i, j); });
        eigen.compute(b * b.transpose() / function.scale());
    }
    double lambda(Index i) const { return eigen.eigenvalues()(i); }

    // r(T), with the `dropped` smallest eigenvalues left out.
    Matrix expected(const RationalPower& r, Index dropped = 0) const {
        Eigen::VectorXd f = eigen.eigenvalues();
        for (Index i = 0; i < f.size(); ++i) f(i) = i < dropped ? 0.0 : r(f(i));
        return eigen.eigenvectors() * f.asDiagonal() * eigen.eigenvectors().transpose();
    }
    Matrix multiplied(double factor, double* squares = nullptr) {
        Matrix out(b.rows(), b.cols());
        const double sum = function.multiplyBand(factor, out.data(), b.rows(), nullptr);
        if (squares != nullptr) *squares = sum;
        return out;
    }
};

// B with planted singular values: any square matrix is reduced to a band with the same ones.
Matrix plantedBand(Index size, Index width, const std::vector<double>& sigma, unsigned seed) {
    const std::vector<double> x = support::planted<double>({size, size}, sigma, seed);
    Arena arena;
    BandReduction<double> reduction(size, size, width, arena);
    std::copy(x.begin(), x.end(), reduction.matrix());
    reduction.reduce(nullptr);
    return bandOf(reduction);
}

std::vector<std::pair<Index, Index>> orders() {  // and widths
    return {{1, 4}, {3, 4}, {4, 4}, {13, 4}, {32, 4}, {33, 8}, {37, 16}, {65, 16}, {70, 32}};
}

}  // namespace

TEST("reduce and restore reproduce the matrix, and Q and P are orthogonal") {
    support::forBothDtypes([]<class T>(T) {
        unsigned seed = 1;
        for (const Case& c : cases()) checkReduction(c, support::gaussian<T>(c.rows * c.cols, seed++));
    });
}

TEST("matrices with zero columns, zero rows, low rank, diagonals are reduced like others") {
    support::forBothDtypes([]<class T>(T) {
        for (const Case& c : cases()) {
            const auto n = static_cast<std::size_t>(c.rows * c.cols);
            const std::vector<T> g = support::gaussian<T>(c.rows * c.cols, 7);
            std::vector<T> diagonal(n, T(0)), rankOne(n, T(1)), zeroColumn = g, zeroRow = g;
            for (Index j = 0; j < c.cols; ++j) {
                diagonal[static_cast<std::size_t>(j * (c.rows + 1))] = T(j + 1);
                if (c.cols > 1) zeroRow[static_cast<std::size_t>(j * c.rows)] = T(0);
            }
            if (c.cols > 1) std::fill_n(zeroColumn.begin(), c.rows, T(0));
            for (const auto& x : {diagonal, rankOne, zeroColumn, zeroRow}) checkReduction(c, x);
        }
    });
}

// Squares of the entries of such a column are subnormal, with few digits: a reflector made from them would
// not be orthogonal.
TEST("a column or a row far below the others in scale leaves Q and P orthogonal") {
    support::forBothDtypes([]<class T>(T) {
        const bool single = sizeof(T) == sizeof(float);
        const Case c{40, 24, 4};
        for (const int exponent :
             single ? std::vector<int>{-60, -66, -70, -74} : std::vector<int>{-530, -535})
            for (const bool byColumn : {true, false}) {
                std::vector<T> x = support::gaussian<T>(c.rows * c.cols, 3);
                for (Index j = 0; j < c.cols; ++j)
                    for (Index i = 0; i < c.rows; ++i)
                        if ((byColumn ? j : i) == 0) {
                            T& entry = x[static_cast<std::size_t>(j * c.rows + i)];
                            entry = std::ldexp(entry, exponent);
                        }
                checkReduction(c, x);
            }
    });
}

// The singular values say that nothing lies outside the band: what the band leaves out would be missing.
TEST("the band matrix has the singular values of the matrix") {
    for (const Case& c : cases()) {
        const std::vector<double> x = support::gaussian<double>(c.rows * c.cols, 5);
        Arena arena;
        BandReduction<double> reduction(c.rows, c.cols, c.width, arena);
        std::copy(x.begin(), x.end(), reduction.matrix());
        reduction.reduce(nullptr);
        const Eigen::VectorXd wanted =
            Eigen::JacobiSVD<Matrix>(toMatrix(c.rows, c.cols, x.data())).singularValues();
        const Eigen::VectorXd found = Eigen::JacobiSVD<Matrix>(bandOf(reduction)).singularValues();
        CHECK_FOR(c.text(), (wanted - found).norm() <= tolerance<double>(c.cols) * wanted.norm());
    }
}

TEST("the function of a band matrix is that of its eigendecomposition") {
    for (const auto& [size, width] : orders())
        for (const double power : {-0.5, -0.25, 0.5, 1.0}) {
            Band band(randomBand(size, width, 11), width);
            const std::string label =
                std::to_string(size) + ", width " + std::to_string(width) + ", power " + check::show(power);
            CHECK_FOR(label, band.lambda(size - 1) <= 1.0 + 1e-14);
            CHECK_NEAR(band.function.traceOfMatrix(), band.eigen.eigenvalues().sum(), 1e-12);
            const RationalPower r = schattor::fitPower(power, 1e-4, 1e-6);
            band.function.evaluate(r, nullptr);
            const Matrix f = band.expected(r), wanted = -2.0 * f * band.b;
            double squares = 0.0;
            const Matrix found = band.multiplied(-2.0, &squares);
            // (T + t)^-1 of condition 1 / t at most, t >= 1e-6 for this interval.
            const double bound = 1e-9 * wanted.norm();
            CHECK_FOR(label + ": " + check::show((found - wanted).norm()), (found - wanted).norm() <= bound);
            CHECK_NEAR(4.0 * squares, wanted.squaredNorm(), 1e-8 * wanted.squaredNorm());
            CHECK_NEAR(band.function.traceOfFunction(), f.trace(), 1e-9 * std::abs(f.trace()));
            const double trace = (band.b * band.b.transpose() / band.function.scale() * f).trace();
            CHECK_NEAR(band.function.trace(), trace, 1e-9 * std::abs(trace));
        }
}

TEST("countBelow counts the eigenvalues below a bound") {
    for (const auto& [size, width] : orders()) {
        Band band(randomBand(size, width, 21), width);
        std::vector<double> bounds = {1e-12, 2.0};
        for (Index i = 0; i + 1 < size; ++i)
            if (band.lambda(i + 1) - band.lambda(i) > 1e-10)  // between two of them
                bounds.push_back(0.5 * (band.lambda(i) + band.lambda(i + 1)));
        for (const double x : bounds) {
            Index below = 0;
            for (Index i = 0; i < size; ++i) below += band.lambda(i) < x;
            // The rows that fill the last block have the eigenvalue 1.
            const Index filling = x > 1.0 ? (size + width - 1) / width * width - size : 0;
            CHECK_EQ(band.function.countBelow(x), below + filling);
        }
    }
}

TEST("the largest eigenvalue is estimated from below") {
    for (const auto& [size, width] : orders()) {
        Band band(randomBand(size, width, 31), width);
        const double found = band.function.largest(), exact = band.lambda(size - 1);
        CHECK_FOR(check::show(found / exact), found <= exact * (1.0 + 1e-12) && found >= 0.5 * exact);
    }
}

TEST("dropped eigenvalues count as zero, up to the number that drop takes") {
    const Index size = 45, width = 8;
    for (const Index count : {1, 2, 3, 5, 8}) {
        std::vector<double> sigma(static_cast<std::size_t>(size));
        for (Index i = 0; i < size; ++i)
            sigma[static_cast<std::size_t>(i)] =
                i < size - count ? 1.0 / (1.0 + 0.1 * static_cast<double>(i)) : 1e-5 / static_cast<double>(i);
        Band band(plantedBand(size, width, sigma, 3), width);
        const std::string label = std::to_string(count) + " dropped";
        CHECK_EQ(band.function.countBelow(1e-8), count);
        CHECK_FOR(label, band.function.drop(count, 1e-8));
        const RationalPower r = schattor::fitPower(-0.5, 1e-3, 1e-8);
        band.function.evaluate(r, nullptr);
        // X through an orthogonal factor has no part in the dropped directions, and the others are untouched.
        const Matrix wanted = band.expected(r, count) * band.b;
        const double error = (band.multiplied(1.0) - wanted).norm() / wanted.norm();
        CHECK_FOR(label + ": " + check::show(error), error <= 1e-9);
    }
}

TEST("drop takes eigenvalues that are exactly zero, and refuses more than mostDropped or all") {
    const Index size = 21, width = 4;
    std::vector<double> sigma(static_cast<std::size_t>(size), 1.0);
    std::fill(sigma.end() - 4, sigma.end(), 0.0);
    Band band(plantedBand(size, width, sigma, 9), width);
    CHECK(band.function.drop(4, 1e-8));
    CHECK(!band.function.drop(BandFunction::mostDropped + 1, 1e-8));
    Band small(randomBand(3, 4, 1), 4);
    CHECK(!small.function.drop(3, 2.0));
}

TEST("a new band forgets what was dropped") {
    Band band(randomBand(12, 4, 2), 4);
    CHECK(band.function.drop(2, 0.5 * (band.lambda(1) + band.lambda(2))));
    band.function.setBand([&](Index i, Index j) { return band.b(i, j); });
    const RationalPower r = schattor::fitPower(0.5, 1e-4, 1e-6);
    band.function.evaluate(r, nullptr);
    CHECK_NEAR(band.function.traceOfFunction(), band.expected(r).trace(), 1e-9);
}

// The error is claimed for a grid of 1501 points; between them a smooth function of bounded degree is hardly
// larger. For a positive power the claim reaches below the interval, where only the interval's choice can
// make it small: a fit that is right on the interval may miss what was wanted there.
TEST("the error that a fit claims is the error on a finer grid") {
    for (const double power : {-0.5, -0.45, -0.25, -0.05, 0.05, 0.25, 0.5, 0.9, 1.0})
        for (const double low : {1e-1, 1e-3, 1e-6, 1e-8, 1e-12, 1e-15})
            for (const double wanted : {1e-3, 1e-6, 1e-9}) {
                const RationalPower r = schattor::fitPower(power, low, wanted);
                double found = 0.0, below = 0.0;
                const int points = 20011;
                const double from = power < 0.0 ? low : 1e-7 * low;
                for (int i = 0; i < points; ++i) {
                    const double x = from * std::pow(1.0 / from, static_cast<double>(i) / (points - 1));
                    const double error = std::sqrt(x) * std::abs(r(x) - std::pow(x, power));
                    found = std::max(found, error);
                    if (x < low) below = std::max(below, error);
                }
                const std::string label = "power " + check::show(power) + ", low " + check::show(low) +
                                          ": claimed " + check::show(r.error) + ", found " +
                                          check::show(found);
                CHECK_FOR(label, found <= 1.25 * r.error + 1e-14);
                CHECK_FOR(label,
                          r.error <= wanted || r.count == RationalPower::mostPoles || below > 0.8 * wanted);
                for (int j = 0; j < r.count; ++j) CHECK_FOR(label, r.pole[static_cast<std::size_t>(j)] > 0.0);
            }
}

TEST("fits serve the interval and the tolerance that were asked for, or better") {
    RationalFits fits;
    for (const double low : {0.05, 1e-2, 3.3e-7})
        for (const double wanted : {1e-4, 4e-7}) {
            const RationalPower r = fits.get(-0.5, low, wanted);
            CHECK(r.low <= low * (1.0 + 1e-12));
            CHECK(r.error <= wanted);
        }
}

TEST("fits are the same for every thread, also when more are wanted than remembered") {
    const auto ask = [](RationalFits& fits) {
        std::vector<double> found;
        for (int round = 0; round < 2; ++round)
            for (int i = 0; i < 40; ++i) {  // more than are kept
                const RationalPower r = fits.get(-0.5 + 0.02 * i, 1e-3, 1e-4);
                found.push_back(r(0.3));
                found.push_back(r.error);
                found.push_back(r.power);
            }
        return found;
    };
    RationalFits alone, shared;
    const std::vector<double> expected = ask(alone);
    std::vector<std::vector<double>> found(4);
    std::vector<std::thread> threads;
    for (std::vector<double>& own : found) threads.emplace_back([&] { own = ask(shared); });
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<double>& own : found) CHECK(own == expected);
}
