#include "linalg/newton_schulz.h"

#include "plans.h"

using namespace schattor;  // NOLINT

// Inside a Schatten geometry the scratch of the SVD, which is larger, would hide a shortage.
TEST("an iteration takes no more of the arena than newtonSchulzScratch, and gives it back") {
    support::forBothDtypes([]<class T>(T) {
        for (const CoefficientSet& set : coefficientSets())
            for (const Shape s : plans::oddShapes()) {
                if (s.size() == 0) continue;  // the geometry sends zero and empty matrices elsewhere
                const std::vector<T> g = support::gaussian<T>(s.size(), 1);
                std::vector<T> x(g.size());
                Arena arena(newtonSchulzScratch<T>(s));
                newtonSchulz(s, g.data(), makeIteration(set.name, 0), x.data(), arena);
                CHECK_FOR(std::string(set.name) + ", " + support::text(s), arena.used() == 0);
            }
    });
}
