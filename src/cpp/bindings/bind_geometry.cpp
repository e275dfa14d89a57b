#include <pybind11/stl.h>

#include "base/blas_threads.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/info_row.h"
#include "bindings/named.h"
#include "geometry/choose_routes.h"
#include "geometry/line_norm.h"
#include "geometry/lp.h"
#include "geometry/schatten.h"
#include "geometry/switched.h"

namespace py = pybind11;

namespace schattor {
namespace {

Schatten::Route routeOf(const std::string& name) {
    if (name == "svd") return Schatten::Route::svd;
    if (name == "gram") return Schatten::Route::gram;
    if (name == "band") return Schatten::Route::band;
    if (name == "chebyshev") return Schatten::Route::chebyshev;
    if (name == "qdwh") return Schatten::Route::qdwh;
    return name == "newton_schulz" ? Schatten::Route::newtonSchulz : Schatten::Route::automatic;
}

std::shared_ptr<Schatten> makeSchatten(Value p, const std::string& route, const std::string& coefficients,
                                       int steps, double rcond, double rtol, double floor) {
    std::optional<Iteration> iteration;
    if (route == "newton_schulz") {
        iteration = makeIteration(coefficients, steps, rtol);
        iteration->floor = floor;
    }
    return std::make_shared<Schatten>(p, routeOf(route), iteration, rcond, rtol);
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
py::tuple oracle(const Geometry& geometry, const Array<T>& array, Index rows, Index cols, bool regularized,
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
    return infoRow(r);
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

using Cost = std::tuple<double, double, double, double>;

std::vector<Cost> costModelRows() {
    std::vector<Cost> rows;
    for (const RouteCost& c : costModel()) rows.emplace_back(c.fixed, c.square, c.cube, c.product);
    return rows;
}

void applyCostModel(const std::vector<Cost>& rows) {
    CostModel model;
    if (rows.size() != model.size()) throw std::invalid_argument("a cost model has one row for each backend");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& [fixed, square, cube, product] = rows[i];
        model[i] = {fixed, square, cube, product};
    }
    setCostModel(model);
}

}  // namespace

void bindGeometry(py::module_& m) {
    m.def("cost_model", &costModelRows);
    m.def("set_cost_model", &applyCostModel, py::arg("rows"));
    py::class_<Scaled>(m, "Scaled")
        .def(py::init<>())
        .def("in_float32", [](const Scaled& x) { return x.in(Dtype::float32); })
        .def("in_float64", [](const Scaled& x) { return x.in(Dtype::float64); });

    py::class_<Geometry, std::shared_ptr<Geometry>> geometry(m, "Geometry");
    bindFacts(geometry);
    defineCalls<float>(geometry);
    defineCalls<double>(geometry);
    py::class_<Schatten, Geometry, std::shared_ptr<Schatten>>(m, "Schatten").def(py::init(&makeSchatten));
    py::class_<Lp, Geometry, std::shared_ptr<Lp>>(m, "Lp").def(py::init<Value>());
    py::class_<LineNorm, Geometry, std::shared_ptr<LineNorm>>(m, "LineNorm").def(py::init([](bool columns) {
        return std::make_shared<LineNorm>(linesOf(columns));
    }));
    py::class_<Switched, Geometry, std::shared_ptr<Switched>>(m, "Switched")
        .def(py::init<Value, std::vector<std::shared_ptr<const Geometry>>>());
}

}  // namespace schattor
