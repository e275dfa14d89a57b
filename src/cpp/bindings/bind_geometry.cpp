#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"
#include "geometry/line_norm.h"
#include "geometry/lp.h"
#include "geometry/routes.h"
#include "geometry/schatten.h"
#include "geometry/switched.h"
#include "linalg/blas_threads.h"

namespace py = pybind11;

namespace schattor {
namespace {

std::shared_ptr<Schatten> makeSchatten(Value p, const std::optional<std::string>& route,
                                       const std::optional<Iteration>& iteration, std::optional<double> rcond,
                                       std::optional<double> rtol) {
    const Route* row = route ? findRoute(*route) : nullptr;
    if (route && row == nullptr) throw std::invalid_argument("there is no backend '" + *route + "'");
    return std::make_shared<Schatten>(p, Schatten::Options{row, iteration, rcond, rtol});
}

/// Outside of steps: no schedules, an arena for this one call.
class Call {
public:
    explicit Call(Shape shape) : arena_(likelyScratch(shape)) {}
    OracleContext context(bool measure = false) { return {{}, &arena_, measure, false, &team_}; }

private:
    Arena arena_;
    Team team_{defaultThreads()};
};

template <class T>
OracleResult oracle(const Geometry& geometry, const Array<T>& array, Index rows, Index cols, bool regularized,
                    bool measure, Array<T> out) {
    const Shape shape{rows, cols};
    const T* g = input(array);
    T* d = output(out);
    geometry.check(shape);
    requireFinite(shape.size(), g);
    OracleResult r;
    {
        const py::gil_scoped_release nogil;
        Call call(shape);
        r = geometry.ball(call.context(measure), shape, g, d);
        const double factor = regularized ? r.regularizedScale : r.ballScale;
        if (factor != 1.0 && r.backend != Backend::none && std::isfinite(factor))
            kernels::scale(shape.size(), factor, d, d);
    }
    return r;
}

template <class T, bool dual>
Scaled norm(const Geometry& geometry, const Array<T>& array, Index rows, Index cols) {
    const Shape shape{rows, cols};
    const T* x = input(array);
    geometry.check(shape);
    requireFinite(shape.size(), x);
    const py::gil_scoped_release nogil;
    Call call(shape);
    return dual ? geometry.dualNorm(call.context(), shape, x) : geometry.norm(call.context(), shape, x);
}

template <class T, class Class>
void defineCalls(Class& c) {
    c.def("oracle", &oracle<T>, py::arg("g").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("regularized"), py::arg("measure"), py::arg("out").noconvert());
    c.def("norm", &norm<T, false>, py::arg("x").noconvert(), py::arg("rows"), py::arg("cols"));
    c.def("dual_norm", &norm<T, true>, py::arg("g").noconvert(), py::arg("rows"), py::arg("cols"));
}

std::map<std::string_view, RouteCost> costModel() {
    std::map<std::string_view, RouteCost> costs;
    for (const Route& route : routes())
        if (const auto cost = costOf(route)) costs[route.name] = *cost;
    return costs;
}

void setCostModel(const std::map<std::string, RouteCost>& costs) {
    for (const auto& [name, cost] : costs) {
        const Route* route = findRoute(name);
        if (route == nullptr || !route->cost)
            throw std::invalid_argument("there is no backend '" + name + "' that auto chooses by its cost");
    }
    for (const auto& [name, cost] : costs) setCost(*findRoute(name), cost);
}

void bindRoutes(py::module_& m) {
    py::class_<RouteCost>(m, "RouteCost")
        .def(py::init<double, double, double, double>(), py::arg("fixed"), py::arg("square"), py::arg("cube"),
             py::arg("product"))
        .def_readonly("fixed", &RouteCost::fixed)
        .def_readonly("square", &RouteCost::square)
        .def_readonly("cube", &RouteCost::cube)
        .def_readonly("product", &RouteCost::product);
    m.def("cost_model", &costModel);
    m.def("set_cost_model", &setCostModel, py::arg("costs"));
    py::class_<Route>(m, "Route")
        .def_readonly("name", &Route::name)
        .def_readonly("description", &Route::description)
        .def_readonly("general", &Route::general)
        .def_readonly("polar", &Route::polar);
    m.def("routes", [] {
        py::list rows;
        for (const Route& route : routes()) rows.append(py::cast(&route, py::return_value_policy::reference));
        return rows;
    });
}

}  // namespace

void bindGeometry(py::module_& m) {
    bindRoutes(m);
    py::class_<Geometry, std::shared_ptr<Geometry>> geometry(m, "Geometry");
    bindFacts(geometry);
    defineCalls<float>(geometry);
    defineCalls<double>(geometry);
    py::class_<Schatten, Geometry, std::shared_ptr<Schatten>>(m, "Schatten")
        .def(py::init(&makeSchatten), py::arg("p"), py::arg("route"), py::arg("iteration"), py::arg("rcond"),
             py::arg("rtol"));
    py::class_<Lp, Geometry, std::shared_ptr<Lp>>(m, "Lp").def(py::init<Value>(), py::arg("p"));
    py::class_<LineNorm, Geometry, std::shared_ptr<LineNorm>>(m, "LineNorm")
        .def(py::init([](bool columns) { return std::make_shared<LineNorm>(linesOf(columns)); }),
             py::arg("columns"));
    py::class_<Switched, Geometry, std::shared_ptr<Switched>>(m, "Switched")
        .def(py::init<Value, std::vector<std::shared_ptr<const Geometry>>>(), py::arg("choice"),
             py::arg("geometries"));
}

}  // namespace schattor
