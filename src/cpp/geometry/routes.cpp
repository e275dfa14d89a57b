#include "geometry/routes.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "geometry/band_route.h"
#include "geometry/chebyshev_route.h"
#include "geometry/gram_route.h"
#include "geometry/newton_schulz_route.h"
#include "geometry/qdwh_route.h"
#include "geometry/svd_route.h"

namespace schattor {
namespace {

bool always(Shape, const Exponents&) { return true; }
bool spectral(Shape, const Exponents& e) { return e.q == 1.0; }
bool certain(Shape, Dtype, double) { return true; }

// The costs are the medians of three runs of st.calibrate() on one core of an AMD EPYC (Zen 3), but for the
// cubic term of the band route, which those sizes do not show: from 192 x 384 to 1024 x 1024. Only ratios
// matter.
constexpr std::array table = {
    Route{.name = "chebyshev",
          .description = "a polynomial of the Gram matrix of the smaller side, for p >= 8/7 and "
                         "well-conditioned matrices at least twice as long as wide",
          .serves = chebyshevServes,
          .promises = chebyshevPromises,
          .cost = RouteCost{67e3, 17.0, 0.18, 0.027},
          .inDouble = 2.0,
          .general = false,
          .inFloat = ballByChebyshev<float>,
          .inDoubles = ballByChebyshev<double>},
    Route{.name = "newton_schulz",
          .description = "a polynomial iteration towards the polar factor, for p = inf; "
                         "`NewtonSchulz` says which",
          .serves = spectral,
          .promises = newtonSchulzPromises,
          .cost = RouteCost{16e3, 20.0, 0.15, 0.085},
          .general = false,
          .polar = true,
          .inFloat = ballByNewtonSchulz<float>,
          .inDoubles = ballByNewtonSchulz<double>},
    Route{.name = "qdwh",
          .description = "dynamically weighted Halley iterations towards the polar factor in float64, for "
                         "p = inf",
          .serves = spectral,
          .promises = nullptr,
          .cost = std::nullopt,
          .polar = true,
          .inFloat = ballByQdwh<float>,
          .inDoubles = ballByQdwh<double>},
    Route{.name = "band",
          .description = "reduction to a band matrix and a rational function of it, for p >= 4/3",
          .serves = bandServes,
          .promises = bandPromises,
          .cost = RouteCost{13e3, 55.0, 0.08, 0.2},
          .shares = true,
          .inFloat = ballByBand<float>,
          .inDoubles = ballByBand<double>},
    Route{.name = "gram",
          .description = "the eigendecomposition of the Gram matrix of the smaller side, in float64",
          .serves = always,
          .promises = gramPromises,
          .cost = RouteCost{6e3, 80.0, 0.17, 0.14},
          .inFloat = ballByGram<float>,
          .inDoubles = ballByGram<double>},
    Route{.name = "svd",
          .description = "LAPACK's singular value decomposition, in float64",
          .serves = always,
          .promises = certain,
          .cost = RouteCost{9e3, 155.0, 0.26, 0.66},
          .inFloat = ballBySvd<float>,
          .inDoubles = ballBySvd<double>},
};
static_assert(table.size() <= RouteSet{}.size());

std::size_t placeOf(const Route& route) { return static_cast<std::size_t>(&route - table.data()); }

// Facts of the machine, like the number of BLAS threads; the one other piece of process-wide state.
using Costs = std::array<std::optional<RouteCost>, table.size()>;
std::mutex guard;
Costs current = [] {
    Costs costs;
    std::ranges::transform(table, costs.begin(), &Route::cost);
    return costs;
}();

Costs costs() {
    const std::scoped_lock lock(guard);
    return current;
}

}  // namespace

double RouteCost::at(Shape shape) const {
    const auto k = static_cast<double>(shape.smaller()), n = static_cast<double>(shape.larger());
    return fixed + k * k * (square + cube * k + product * (n - k));
}

std::span<const Route> routes() { return table; }

const Route* findRoute(std::string_view name) {
    const auto* found = std::ranges::find(table, name, &Route::name);
    return found == table.end() ? nullptr : &*found;
}

std::optional<RouteCost> costOf(const Route& route) { return costs()[placeOf(route)]; }

void setCost(const Route& route, const RouteCost& cost) {
    const std::scoped_lock lock(guard);
    current[placeOf(route)] = cost;
}

RouteSet chooseRoutes(Shape shape, Dtype dtype, const Exponents& e, double rtol) {
    const Costs prices = costs();
    const bool single = dtype == Dtype::float32 && rtol > 0.0;
    const auto price = [&](std::size_t i) {
        return prices[i]->at(shape) * (single ? 1.0 : table[i].inDouble);
    };
    RouteSet chosen;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const Route& route = table[i];
        if (route.promises == nullptr || !route.promises(shape, dtype, rtol) || !route.serves(shape, e))
            continue;
        // What it has to beat: those that would be tried after it. One that may decline more often has to
        // beat also what the request rules out.
        const auto rival = [&](std::size_t j) {
            const Route& later = table[j];
            return later.general && later.promises != nullptr && later.serves(shape, e) &&
                   (!route.general || later.promises(shape, dtype, rtol));
        };
        bool cheapest = true;
        for (std::size_t j = i + 1; j < table.size(); ++j)
            cheapest = cheapest && (!rival(j) || price(i) < price(j));
        chosen[i] = cheapest;
    }
    return chosen;
}

RouteSet onlyRoute(const Route& route) {
    RouteSet chosen;
    chosen.set(placeOf(route)).set(table.size() - 1);
    return chosen;
}

}  // namespace schattor
