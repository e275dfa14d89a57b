#include "linalg/qdwh.h"

#include "plans.h"

using namespace schattor;  // NOLINT

TEST("QDWH gives back what it takes of the arena") {
    support::forBothDtypes([]<class T>(T) {
        for (const Shape s : plans::oddShapes()) {
            if (s.size() == 0) continue;
            const std::vector<T> g = support::gaussian<T>(s.size(), 1);
            std::vector<T> x(g.size());
            Arena arena;
            const QdwhResult result = polarQdwh(s, g.data(), x.data(), arena);
            CHECK_FOR(support::text(s), result.succeeded && arena.used() == 0);
        }
    });
}

TEST("QDWH leaves a matrix that may be rank-deficient alone") {
    support::forBothDtypes([]<class T>(T) {
        const double eps = machineEpsilon(dtypeOf<T>);
        for (const Shape s : {Shape{6, 6}, Shape{20, 7}, Shape{7, 20}})
            for (const double smallest : {0.0, eps, 2.0 * eps}) {
                std::vector<double> sigma(static_cast<std::size_t>(s.smaller()), 1.0);
                sigma.back() = smallest;
                const std::vector<T> g = support::planted<T>(s, sigma, 3);
                std::vector<T> x(g.size(), T(5));
                Arena arena;
                const QdwhResult result = polarQdwh(s, g.data(), x.data(), arena);
                CHECK_FOR(support::text(s), !result.succeeded && x.front() == T(5) && x.back() == T(5));
            }
    });
}
