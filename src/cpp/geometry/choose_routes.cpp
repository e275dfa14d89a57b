#include "geometry/choose_routes.h"

#include <algorithm>
#include <limits>
#include <mutex>

#include "geometry/ball_problem.h"

namespace schattor {
namespace {

// The medians of three runs of st.calibrate() on one core of an AMD EPYC (Zen 3), but for the cubic term of
// the band route, which those sizes do not show: from 192 x 384 to 1024 x 1024. Only ratios matter.
constexpr CostModel compiled = {{
    {9e3, 155.0, 0.26, 0.66},
    {6e3, 80.0, 0.17, 0.14},
    {13e3, 55.0, 0.08, 0.2},
    {67e3, 17.0, 0.18, 0.027},
    {16e3, 20.0, 0.15, 0.085},
}};

// Facts of the machine, like the number of BLAS threads; the one other piece of process-wide state.
std::mutex guard;
CostModel current = compiled;

// Below this the polar iteration's rounding errors, eps kappa, are too near to what is asked for.
constexpr double polarAccuracy = 1e-3;

double costOf(const CostModel& model, CostedRoute route, Shape shape) {
    return model[static_cast<std::size_t>(route)].at(shape);
}

}  // namespace

double RouteCost::at(Shape shape) const {
    const auto k = static_cast<double>(shape.smaller()), n = static_cast<double>(shape.larger());
    return fixed + k * k * (square + cube * k + product * (n - k));
}

const CostModel& compiledCostModel() { return compiled; }

CostModel costModel() {
    const std::scoped_lock lock(guard);
    return current;
}

void setCostModel(const CostModel& model) {
    const std::scoped_lock lock(guard);
    current = model;
}

Routes chooseRoutes(Shape shape, Dtype dtype, const Exponents& e, double rtol) {
    const CostModel model = costModel();
    const auto cost = [&](CostedRoute route) { return costOf(model, route, shape); };
    const double svd = cost(CostedRoute::svd), gram = cost(CostedRoute::gram);
    if (dtype == Dtype::float64 && rtol == 0.0)
        // Squaring in double loses half of the digits: only for matrices as well conditioned as very wide
        // ones are.
        return {.gram = shape.larger() >= 4 * shape.smaller() && shape.smaller() >= 8 && gram < svd};
    Routes routes;
    routes.gram = dtype == Dtype::float32 && gram < svd;
    const double band = bandServes(e) ? cost(CostedRoute::band) : std::numeric_limits<double>::infinity();
    routes.band = band < svd && (!routes.gram || band < gram);
    const double polar = cost(CostedRoute::polar);
    const double others = std::min({svd, gram, band});
    routes.polar =
        e.q == 1.0 && rtol >= polarAccuracy && shape.larger() >= 2 * shape.smaller() && polar < others;
    // In double it takes about twice as long.
    const double chebyshev =
        cost(CostedRoute::chebyshev) * (dtype == Dtype::float32 && rtol > 0.0 ? 1.0 : 2.0);
    routes.chebyshev = chebyshevServes(shape, e) && chebyshev < others &&
                       (rtol > 0.0 || shape.larger() >= 3 * shape.smaller());
    return routes;
}

}  // namespace schattor
