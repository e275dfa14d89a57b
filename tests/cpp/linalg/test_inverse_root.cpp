// Eigenvalues and powers of symmetric matrices. This program brings its own syevd, which passes the call on
// or fails on request: then the Jacobi rotations must give the same.
#include "linalg/inverse_root.h"

#include "support.h"

namespace {

using namespace schattor;  // NOLINT

bool syevdFails = false;

}  // namespace

#if defined(__linux__) && defined(SCHATTOR_HAVE_OPENBLAS)

#include <dlfcn.h>

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define SYEVD JOIN(SCHATTOR_F77_PREFIX, dsyevd, _)

extern "C" void SYEVD(const char* job, const char* uplo, const int* n, double* a, const int* lda, double* w,
                      double* work, const int* lwork, int* iwork, const int* liwork, int* info,
                      std::size_t length1, std::size_t length2) {
    static const auto next = reinterpret_cast<decltype(SYEVD)*>(dlsym(RTLD_NEXT, TEXT(SYEVD)));
    next(job, uplo, n, a, lda, w, work, lwork, iwork, liwork, info, length1, length2);
    if (!syevdFails) return;
    std::fill_n(a, *n * *n, std::numeric_limits<double>::quiet_NaN());
    *info = 1;
}

constexpr bool canFail = true;

#else

constexpr bool canFail = false;

#endif

namespace {

// Q' diag(lambda) Q with orthonormal rows in Q.
template <class T>
std::vector<T> symmetric(Index k, const std::vector<double>& lambda, unsigned seed) {
    const std::vector<long double> q = support::orthonormal(k, k, seed);
    std::vector<T> a(static_cast<std::size_t>(k * k));
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j) {
            long double sum = 0.0L;
            for (Index l = 0; l < k; ++l)
                sum += q[static_cast<std::size_t>(l * k + i)] * q[static_cast<std::size_t>(l * k + j)] *
                       static_cast<long double>(lambda[static_cast<std::size_t>(l)]);
            a[static_cast<std::size_t>(i * k + j)] = static_cast<T>(sum);
        }
    return a;
}

template <class T>
double furthest(const std::vector<T>& a, const std::vector<T>& b) {
    double most = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i)
        most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return most;
}

std::vector<double> powers(const std::vector<double>& lambda, double exponent) {
    std::vector<double> result;
    for (const double x : lambda) result.push_back(x > 0.0 ? std::pow(x, exponent) : 0.0);
    return result;
}

const std::vector<double> spectrum = {0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0};
constexpr Index k = 7;

// Runs f with and without LAPACK.
template <class F>
void bothWays(F f) {
    for (const bool fails : {false, true}) {
        if (fails && !canFail) continue;
        syevdFails = fails;
        f(std::string(fails ? "by Jacobi" : "by LAPACK"));
        syevdFails = false;
    }
}

}  // namespace

TEST("eigenvalues ascend and the vectors are orthonormal, with and without LAPACK") {
    support::forBothDtypes([]<class T>(T) {
        const std::vector<T> a = symmetric<T>(k, spectrum, 1);
        bothWays([&](const std::string& how) {
            Arena arena;
            const SymmetricEigen e = symmetricEigen(k, a.data(), arena);
            for (Index i = 0; i < k; ++i) {
                const double value = std::ldexp(e.values[i], e.exponent);
                CHECK_FOR(how, std::abs(value - spectrum[static_cast<std::size_t>(i)]) <=
                                   100.0 * machineEpsilon(dtypeOf<T>));
                for (Index j = 0; j < k; ++j) {
                    double dot = 0.0;
                    for (Index l = 0; l < k; ++l) dot += e.vectors[i * k + l] * e.vectors[j * k + l];
                    CHECK_FOR(how, std::abs(dot - (i == j ? 1.0 : 0.0)) <= 1e-14);
                }
            }
        });
    });
}

TEST("the inverse root has the powers of the eigenvalues") {
    support::forBothDtypes([]<class T>(T) {
        const std::vector<T> a = symmetric<T>(k, spectrum, 2);
        bothWays([&](const std::string& how) {
            for (const double exponent : {0.25, 0.5, 1.0})
                for (const double eps : {0.0, 0.5}) {
                    Arena arena;
                    std::vector<T> root(a.size());
                    inverseRoot(k, a.data(), 2.0, eps, exponent, root.data(), arena);
                    std::vector<double> shifted = spectrum;
                    for (double& x : shifted) x = 2.0 * x + eps;
                    const std::vector<T> wanted = symmetric<T>(k, powers(shifted, -exponent), 2);
                    CHECK_FOR(how, furthest(root, wanted) <= 500.0 * machineEpsilon(dtypeOf<T>));
                }
        });
    });
}

TEST("a singular matrix has a pseudo-inverse at eps = 0, and eps itself below otherwise") {
    support::forBothDtypes([]<class T>(T) {
        const std::vector<double> lambda = {0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0};
        const std::vector<T> a = symmetric<T>(k, lambda, 3);
        bothWays([&](const std::string& how) {
            Arena arena;
            std::vector<T> root(a.size());
            inverseRoot(k, a.data(), 1.0, 0.0, 0.5, root.data(), arena);
            CHECK_FOR(how, furthest(root, symmetric<T>(k, powers(lambda, -0.5), 3)) <=
                               500.0 * machineEpsilon(dtypeOf<T>));
            inverseRoot(k, a.data(), 1.0, 0.01, 0.5, root.data(), arena);
            std::vector<double> shifted = lambda;
            for (double& x : shifted) x += 0.01;
            // Rounding of A moves the smallest eigenvalues, and so these powers, by eps / 0.01.
            CHECK_FOR(how, furthest(root, symmetric<T>(k, powers(shifted, -0.5), 3)) <=
                               2e4 * machineEpsilon(dtypeOf<T>));
        });
    });
}

TEST("eigenvalues below the rounding errors count as that large, so that a tiny eps does not decide") {
    const std::vector<double> lambda = {0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0};
    const std::vector<float> a = symmetric<float>(k, lambda, 4);
    Arena arena;
    std::vector<float> root(a.size());
    inverseRoot(k, a.data(), 1.0, 1e-30, 0.5, root.data(), arena);
    const double noise = 7.0 * 4.0 * machineEpsilon(Dtype::float32);
    for (const float x : root) CHECK(std::abs(static_cast<double>(x)) <= 1.01 / std::sqrt(noise));
}

TEST("zero, and matrices near the ends of the range") {
    support::forBothDtypes([]<class T>(T) {
        bothWays([&](const std::string& how) {
            Arena arena;
            const std::vector<T> zero(static_cast<std::size_t>(k * k));
            std::vector<T> root(zero.size(), T(1));
            inverseRoot(k, zero.data(), 1.0, 0.0, 0.25, root.data(), arena);
            CHECK_FOR(how, root == zero);
            inverseRoot(k, zero.data(), 1.0, 16.0, 0.25, root.data(), arena);
            for (Index i = 0; i < k * k; ++i)
                CHECK_FOR(how, std::abs(root[static_cast<std::size_t>(i)] -
                                        (i % (k + 1) == 0 ? T(0.5) : T(0))) <= T(1e-6));
            // A power of two, to the fourth root, comes out exactly.
            const std::vector<T> a = symmetric<T>(k, spectrum, 5);
            inverseRoot(k, a.data(), 1.0, 0.0, 0.25, root.data(), arena);
            for (const int e : {-120, 100}) {
                std::vector<T> scaled(a), other(a.size());
                for (T& x : scaled) x = std::ldexp(x, e);
                inverseRoot(k, scaled.data(), 1.0, 0.0, 0.25, other.data(), arena);
                for (T& x : other) x = std::ldexp(x, e / 4);
                CHECK_FOR(how, other == root);
            }
        });
    });
}
