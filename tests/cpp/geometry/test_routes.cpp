// Every route of the Schatten oracle at sizes where it does its own work, alone and with a team. The suite in
// Python shows how accurate they are; this is where the sanitizers see their scratch, their edges and their
// threads.
#include "plans.h"

using namespace schattor;  // NOLINT

namespace {

struct Case {
    std::string name;
    double p;
    Schatten::Options options;
};

std::vector<Case> cases() {
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<Case> result;
    for (const double p : {1.0, 1.5, 4.0, infinity})
        for (const double rtol : {0.0, 1e-3}) {
            const std::optional<double> accuracy = rtol > 0.0 ? std::optional(rtol) : std::nullopt;
            result.push_back({"automatic", p, {.rtol = accuracy}});
            for (const Route& route : routes()) {
                if (route.polar && p != infinity) continue;
                Schatten::Options options{.route = &route, .rtol = accuracy};
                if (route.name == "newton_schulz") options.iteration = makeIteration("adaptive", {}, 1e-3);
                result.push_back({std::string(route.name), p, options});
            }
        }
    return result;
}

// A direction D of norm at most 1 (+ 1e-5, which the routes state for float32) that attains the dual norm to
// the requested accuracy: Lemma 1 leaves nothing else.
template <class T>
void attainsDualNorm(const Case& c, Shape s, const Team* team) {
    const Schatten geometry(c.p, c.options);
    const double rtol = c.options.iteration ? c.options.iteration->rtol : c.options.rtol.value_or(0.0);
    const std::vector<T> g = support::gaussian<T>(s.size(), 7);
    std::vector<T> d(g.size());
    Arena arena;
    OracleContext context{{}, &arena, true};
    context.team = team;
    const OracleResult result = geometry.ball(context, s, g.data(), d.data());
    const std::string label = c.name + ", p = " + check::show(c.p) + ", rtol = " + check::show(rtol) + ", " +
                              support::nameOf<T> + ", " + support::text(s);
    CHECK_FOR(label, arena.used() == 0);
    const std::vector<T>& direction = result.inputIsDirection ? g : d;
    double product = 0.0;
    for (std::size_t i = 0; i < g.size(); ++i)
        product += static_cast<double>(g[i]) * static_cast<double>(direction[i]);
    const double tolerance = std::max(rtol, 1e-5);
    const Schatten exact(c.p, {.route = findRoute("svd")});
    Arena other;
    context.arena = &other;
    const double length = std::abs(result.ballScale) * exact.norm(context, s, direction.data()).full();
    const double dual = exact.dualNorm(context, s, g.data()).full();
    CHECK_FOR(label + ", length " + check::show(length), length <= 1.0 + 1e-5);
    CHECK_FOR(label + ", attained " + check::show(-product * result.ballScale / dual),
              std::abs(product * result.ballScale + dual) <= tolerance * dual);
}

}  // namespace

TEST("every route attains the dual norm within the ball, alone and with a team") {
    const Team team(3);
    for (const Case& c : cases())
        for (const Shape s : {Shape{33, 150}, Shape{150, 33}, Shape{131, 140}})
            for (const Team* chosen : {static_cast<const Team*>(nullptr), &team}) {
                attainsDualNorm<float>(c, s, chosen);
                attainsDualNorm<double>(c, s, chosen);
            }
}
