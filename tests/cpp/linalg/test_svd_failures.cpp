// LAPACK is made to fail: this program brings its own gesdd and gesvd, which either fail on request
// or pass the call on. What is left is the public behaviour of the SVD, the oracle and the step.
#include "svd_checks.h"

#if defined(__linux__) && defined(SCHATTOR_HAVE_OPENBLAS)

#include <dlfcn.h>

#include "geometry/schatten.h"
#include "plans.h"

namespace {

struct Failing {
    bool gesdd = false, gesvd = false;
};
Failing failing;

// The routine of this name in the BLAS itself.
template <class F>
F* original(const char* name) {
    void* found = dlsym(RTLD_NEXT, name);
    if (found == nullptr) throw std::runtime_error(std::string("not found in the BLAS: ") + name);
    return reinterpret_cast<F*>(found);
}

}  // namespace

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define F77(name) JOIN(SCHATTOR_F77_PREFIX, name, _)

namespace {

void spoil(int m, int n, double* s, int& info) {
    std::fill_n(s, std::min(m, n), std::numeric_limits<double>::quiet_NaN());
    info = 1;
}

}  // namespace

extern "C" void F77(dgesdd)(const char* job, const int* m, const int* n, double* a, const int* lda, double* s,
                            double* u, const int* ldu, double* vt, const int* ldvt, double* work,
                            const int* lwork, int* iwork, int* info, std::size_t length) {
    static const auto next = original<decltype(F77(dgesdd))>(TEXT(F77(dgesdd)));
    next(job, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info, length);
    if (failing.gesdd) spoil(*m, *n, s, *info);
}
extern "C" void F77(dgesvd)(const char* jobu, const char* jobvt, const int* m, const int* n, double* a,
                            const int* lda, double* s, double* u, const int* ldu, double* vt, const int* ldvt,
                            double* work, const int* lwork, int* info, std::size_t length1,
                            std::size_t length2) {
    static const auto next = original<decltype(F77(dgesvd))>(TEXT(F77(dgesvd)));
    next(jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, info, length1, length2);
    if (failing.gesvd) spoil(*m, *n, s, *info);
}

using schattor::Arena;
using schattor::OracleResult;
using schattor::Schatten;
using schattor::Shape;
using schattor::Svd;
using support::measure;
using support::planted;
using support::SvdErrors;

namespace {

// Which routines fail, and how many rungs that costs.
struct Scenario {
    const char* name;
    Failing failing;
    int fallbacks;
};
const Scenario scenarios[] = {
    {"nothing fails", {}, 0},
    {"gesdd fails", {true, false}, 1},
    {"all of LAPACK fails", {true, true}, 2},
};

template <class T>
std::string label(const Scenario& scenario, Shape s) {
    return std::string(scenario.name) + ", " + support::nameOf<T> + ", " + support::text(s);
}

// Runs f(scenario) for each one, with the routines failing.
template <class F>
void forEachScenario(F f) {
    for (const Scenario& scenario : scenarios) {
        failing = scenario.failing;
        f(scenario);
        failing = {};
    }
}

}  // namespace

TEST("thinSvd survives failing routines and counts the fallbacks") {
    support::forBothDtypes([]<class T>(T) {
        for (const Shape s : support::svdShapes()) {
            const auto spectrum = support::spectra(s.smaller(), 1e-3)[1];
            const std::vector<T> a = planted<T>(s, spectrum.sigma, 1);
            forEachScenario([&](const Scenario& scenario) {
                Arena arena;
                const Svd svd = schattor::thinSvd(s, a.data(), arena);
                const SvdErrors errors = measure(s, a, svd, spectrum.sigma);
                CHECK_FOR(label<T>(scenario, s) + ": " + errors.text(), errors.below(support::svdConstant));
                CHECK_FOR(label<T>(scenario, s), svd.fallbacks == scenario.fallbacks);
            });
        }
    });
}

TEST("singular values alone come from the same ladder") {
    support::forBothDtypes([]<class T>(T) {
        const double eps = schattor::machineEpsilon(schattor::dtypeOf<T>);
        for (const Shape s : support::svdShapes()) {
            const auto spectrum = support::spectra(s.smaller(), 1e-3)[1];
            const std::vector<T> a = planted<T>(s, spectrum.sigma, 2);
            const double bound = support::svdConstant * static_cast<double>(s.rows + s.cols) * eps;
            forEachScenario([&](const Scenario& scenario) {
                Arena arena;
                const Svd svd = schattor::singularValues(s, a.data(), arena);
                CHECK_FOR(label<T>(scenario, s), svd.fallbacks == scenario.fallbacks);
                for (std::size_t i = 0; i < spectrum.sigma.size(); ++i)
                    CHECK_FOR(label<T>(scenario, s),
                              std::abs(std::ldexp(static_cast<double>(svd.sigma[i]), svd.exponent) -
                                       spectrum.sigma[i]) <= bound);
            });
        }
    });
}

TEST(
    "the oracle's direction, dual norm and residual are right on every rung, and its fallbacks are "
    "reported") {
    support::forBothDtypes([]<class T>(T) {
        const double eps = schattor::machineEpsilon(schattor::dtypeOf<T>);
        const double infinity = std::numeric_limits<double>::infinity();
        for (const Shape s : {Shape{12, 31}, Shape{31, 12}, Shape{20, 20}})
            for (const double p : {1.0, 1.5, 4.0, infinity}) {
                const auto spectrum = support::spectra(s.smaller(), 1e-2)[0];  // cond = k, gaps everywhere
                const std::vector<T> g = planted<T>(s, spectrum.sigma, 3);
                const Schatten geometry(p, {.route = schattor::findRoute("svd")});
                Arena arena;
                std::vector<T> expected(g.size());
                const OracleResult reference = geometry.ball({{}, &arena}, s, g.data(), expected.data());
                forEachScenario([&](const Scenario& scenario) {
                    std::vector<T> d(g.size());
                    const OracleResult r = geometry.ball({{}, &arena}, s, g.data(), d.data());
                    const std::string name = label<T>(scenario, s) + ", p = " + check::show(p);
                    CHECK_FOR(name, r.fallbacks == scenario.fallbacks);
                    const double unit = static_cast<double>(s.rows + s.cols) * eps;
                    CHECK_FOR(name,
                              std::abs(r.dualNorm.full() / reference.dualNorm.full() - 1.0) <= 4.0 * unit);
                    CHECK_FOR(name, r.residual <= 4.0 * unit);
                    // Singular vectors move by the error over the gap, which is at least 3 / k^2 here.
                    const double gap = 3.0 / static_cast<double>(s.smaller() * s.smaller());
                    double worst = 0.0;
                    for (std::size_t i = 0; i < d.size(); ++i)
                        worst = std::max(worst, std::abs(static_cast<double>(d[i] - expected[i])));
                    CHECK_FOR(name, worst <= 8.0 * unit / gap);
                });
            }
    });
}

TEST("a step on a lower rung completes, moves the weights as usual and reports its fallbacks") {
    support::forBothDtypes([]<class T>(T) {
        const double eps = schattor::machineEpsilon(schattor::dtypeOf<T>);
        const Shape s{10, 6};
        std::vector<T> reference;
        forEachScenario([&](const Scenario& scenario) {
            plans::Problem<T> problem;
            plans::Pick pick;
            pick.geometry =
                std::make_shared<Schatten>(4.0, Schatten::Options{.route = schattor::findRoute("svd")});
            problem.add(s, plans::pipeline(pick), problem.group(std::nullopt, schattor::Rule::ball));
            problem.finish();
            for (int i = 0; i < 3; ++i) CHECK(!problem.run(schattor::Mode::step));
            CHECK_EQ(problem.plan.blocks[0]->report.fallbacks, scenario.fallbacks);
            const std::vector<T>& weights = problem.weights[0];
            if (reference.empty()) reference = weights;
            for (std::size_t i = 0; i < weights.size(); ++i)
                CHECK_FOR(scenario.name,
                          std::abs(static_cast<double>(weights[i] - reference[i])) <= 1e4 * eps);
        });
    });
}

#else

TEST("nothing to show: the BLAS's routines cannot be replaced here") {}

#endif
