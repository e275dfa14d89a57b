#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/named.h"
#include "precond/diagonal.h"
#include "precond/distance_estimate.h"
#include "precond/equilibration.h"
#include "precond/grafted.h"
#include "precond/intrinsic_stiefel.h"
#include "precond/kronecker_factors.h"
#include "precond/leverage_equilibration.h"
#include "precond/ratio_of_moments.h"
#include "precond/signs.h"
#include "precond/spectral_map.h"
#include "precond/tangent_dual.h"
#include "precond/tangent_projection.h"

namespace py = pybind11;

namespace schattor {

void bindPreconditioner(py::module_& m) {
    py::class_<Preconditioner, std::shared_ptr<Preconditioner>>(m, "Preconditioner");
    py::class_<Moment, std::shared_ptr<Moment>>(m, "Moment");
    py::class_<Squares, Moment, std::shared_ptr<Squares>>(m, "Squares").def(py::init<Value>());
    py::class_<SumOfSquares, Moment, std::shared_ptr<SumOfSquares>>(m, "SumOfSquares")
        .def(py::init<double>());
    py::class_<Largest, Moment, std::shared_ptr<Largest>>(m, "Largest")
        .def(py::init<std::shared_ptr<Moment>>());
    py::class_<CentredSquares, Moment, std::shared_ptr<CentredSquares>>(m, "CentredSquares")
        .def(py::init<Value>());
    py::class_<Deviations, Moment, std::shared_ptr<Deviations>>(m, "Deviations")
        .def(py::init<Value, Value>());
    py::class_<SpectralMap, Preconditioner, std::shared_ptr<SpectralMap>>(m, "SpectralMap")
        .def(py::init([](const std::string& kind, double power) {
            using Kind = SpectralMap::Kind;
            return std::make_shared<SpectralMap>(
                named<Kind>("kind", kind,
                            {{"power", Kind::power}, {"largest", Kind::largest}, {"rank", Kind::rank}}),
                power);
        }));
    py::class_<Division, std::shared_ptr<Division>>(m, "Division");
    py::class_<Plain, Division, std::shared_ptr<Plain>>(m, "Plain").def(py::init<Value>());
    py::class_<Debiased, Division, std::shared_ptr<Debiased>>(m, "Debiased")
        .def(py::init<Value, Value, Value>());
    py::class_<DebiasedOutside, Division, std::shared_ptr<DebiasedOutside>>(m, "DebiasedOutside")
        .def(py::init<Value, Value, Value>());
    py::class_<Rectified, Division, std::shared_ptr<Rectified>>(m, "Rectified")
        .def(py::init<Value, Value, Value, double>());
    py::class_<Diagonal, Preconditioner, std::shared_ptr<Diagonal>>(m, "Diagonal")
        .def(py::init<std::shared_ptr<Moment>, std::shared_ptr<Division>>());
    py::class_<DistanceEstimate, Preconditioner, std::shared_ptr<DistanceEstimate>>(m, "DistanceEstimate")
        .def(py::init([](double beta1, double beta2, double beta3, double eps, double start,
                         double coefficient, double growth, bool debias, bool warmup, Index every) {
            return std::make_shared<DistanceEstimate>(DistanceEstimate::Options{
                beta1, beta2, beta3, eps, start, coefficient, growth, debias, warmup, every});
        }));
    py::class_<RatioOfMoments, Preconditioner, std::shared_ptr<RatioOfMoments>>(m, "RatioOfMoments")
        .def(py::init<Value, Value>());

    py::class_<Identity, Preconditioner, std::shared_ptr<Identity>>(m, "Identity").def(py::init<>());
    py::class_<Grafted, Preconditioner, std::shared_ptr<Grafted>>(m, "Grafted")
        .def(py::init<std::shared_ptr<Preconditioner>, std::shared_ptr<Preconditioner>, std::int64_t>());
    py::class_<KroneckerRoots, Preconditioner, std::shared_ptr<KroneckerRoots>>(m, "KroneckerRoots")
        .def(py::init([](Value beta, Value eps, std::int64_t start, std::int64_t frequency,
                         std::optional<Index> largest) {
            return std::make_shared<KroneckerRoots>(beta, eps, Refresh{start, frequency}, largest);
        }));
    py::class_<KroneckerInverses, Preconditioner, std::shared_ptr<KroneckerInverses>>(m, "KroneckerInverses")
        .def(py::init([](Value beta, Value damping, std::int64_t frequency, std::optional<Index> largest) {
            return std::make_shared<KroneckerInverses>(beta, damping, Refresh{1, frequency}, largest);
        }));
    py::class_<Equilibration, Preconditioner, std::shared_ptr<Equilibration>>(m, "Equilibration")
        .def(py::init([](Value choice, const std::vector<std::string>& names, double eps) {
            using Sides = Equilibration::Sides;
            std::vector<Sides> sides;
            for (const std::string& name : names)
                sides.push_back(named<Sides>(
                    "lines", name,
                    {{"rows", Sides::rows}, {"columns", Sides::columns}, {"both", Sides::both}}));
            return std::make_shared<Equilibration>(choice, sides, eps);
        }));
    using Polar = std::shared_ptr<Geometry>;
    py::class_<LeverageEquilibration, Preconditioner, std::shared_ptr<LeverageEquilibration>>(
        m, "LeverageEquilibration")
        .def(py::init<Polar, int, double>());
    py::class_<TangentDual, Preconditioner, std::shared_ptr<TangentDual>>(m, "TangentDual")
        .def(py::init<Polar, int, double, double>());
    py::class_<IntrinsicStiefel, Preconditioner, std::shared_ptr<IntrinsicStiefel>>(m, "IntrinsicStiefel")
        .def(py::init<Polar>());
    py::class_<Signs, Preconditioner, std::shared_ptr<Signs>>(m, "Signs").def(py::init<>());
    py::class_<TangentProjection, Preconditioner, std::shared_ptr<TangentProjection>>(m, "TangentProjection")
        .def(py::init([](Value choice, const std::vector<bool>& columns) {
            std::vector<Lines> lines;
            for (const bool each : columns) lines.push_back(linesOf(each));
            return std::make_shared<TangentProjection>(choice, lines);
        }));
}

}  // namespace schattor
