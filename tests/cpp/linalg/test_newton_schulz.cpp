#include "linalg/newton_schulz.h"

#include "plans.h"

using namespace schattor;  // NOLINT

TEST("an iteration gives back what it takes of the arena") {
    support::forBothDtypes([]<class T>(T) {
        for (const CoefficientSet& set : coefficientSets())
            for (const Shape s : plans::oddShapes()) {
                if (s.size() == 0) continue;  // the geometry sends zero and empty matrices elsewhere
                const std::vector<T> g = support::gaussian<T>(s.size(), 1);
                std::vector<T> x(g.size());
                Arena arena;
                newtonSchulz(s, g.data(), makeIteration(set.name), x.data(), arena);
                CHECK_FOR(std::string(set.name) + ", " + support::text(s), arena.used() == 0);
            }
        for (const Shape s : plans::oddShapes()) {
            if (s.size() == 0) continue;
            const std::vector<T> g = support::gaussian<T>(s.size(), 1);
            std::vector<T> x(g.size());
            Arena arena;
            newtonSchulz(s, g.data(), makeIteration("adaptive", {}, 1e-3), x.data(), arena);
            CHECK_FOR("adaptive, " + support::text(s), arena.used() == 0);
        }
    });
}

// The equations of the best approximation: deviations of equal size and alternating sign at four points, of
// which the inner two are extrema.
TEST("a minimax quintic deviates from one equally often in both directions") {
    for (const double upper : {1.0, 2.0, 0.3})
        for (const double ratio : {1e-14, 1e-8, 1e-3, 0.1, 0.5, 0.9, 0.97, 0.99, 1.0}) {
            const MinimaxStep step = minimaxQuintic(ratio * upper, upper);
            const auto [a, b, c] = step.triple;
            double least = 2.0, most = 0.0;
            for (int i = 0; i <= 20000; ++i) {
                const double x = upper * (ratio + (1.0 - ratio) * i / 20000.0);
                const double value = x * (a + x * x * (b + x * x * c));
                least = std::min(least, value);
                most = std::max(most, value);
            }
            const std::string label = std::to_string(ratio);
            CHECK_FOR(label, least >= 1.0 - step.error - 1e-10 && most <= 1.0 + step.error + 1e-10);
            if (ratio < 0.98)
                CHECK_FOR(label, least <= 1.0 - 0.999 * step.error && most >= 1.0 + 0.999 * step.error);
        }
}
