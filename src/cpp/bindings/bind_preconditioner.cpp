#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
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
    py::class_<Preconditioner, std::shared_ptr<Preconditioner>> preconditioner(m, "Preconditioner");
    bindFacts(preconditioner);
    py::class_<Moment, std::shared_ptr<Moment>> moment(m, "Moment");
    bindFacts(moment);
    py::class_<Squares, Moment, std::shared_ptr<Squares>>(m, "Squares")
        .def(py::init<Value>(), py::arg("beta"));
    py::class_<SumOfSquares, Moment, std::shared_ptr<SumOfSquares>>(m, "SumOfSquares")
        .def(py::init<double>(), py::arg("initial"));
    py::class_<Largest, Moment, std::shared_ptr<Largest>>(m, "Largest")
        .def(py::init<std::shared_ptr<Moment>>(), py::arg("inner"));
    py::class_<CentredSquares, Moment, std::shared_ptr<CentredSquares>>(m, "CentredSquares")
        .def(py::init<Value>(), py::arg("beta"));
    py::class_<Deviations, Moment, std::shared_ptr<Deviations>>(m, "Deviations")
        .def(py::init<Value, Value>(), py::arg("beta"), py::arg("eps"));
    py::class_<SpectralMap, Preconditioner, std::shared_ptr<SpectralMap>>(m, "SpectralMap")
        .def(py::init([](const std::string& kind, double power) {
                 using Kind = SpectralMap::Kind;
                 return std::make_shared<SpectralMap>(
                     named<Kind>("kind", kind,
                                 {{"power", Kind::power}, {"largest", Kind::largest}, {"rank", Kind::rank}}),
                     power);
             }),
             py::arg("kind"), py::arg("power"));
    py::class_<Division, std::shared_ptr<Division>>(m, "Division");
    py::class_<Plain, Division, std::shared_ptr<Plain>>(m, "Plain").def(py::init<Value>(), py::arg("eps"));
    py::class_<Debiased, Division, std::shared_ptr<Debiased>>(m, "Debiased")
        .def(py::init<Value, Value, Value>(), py::arg("beta"), py::arg("eps"), py::arg("mean_beta"));
    py::class_<DebiasedOutside, Division, std::shared_ptr<DebiasedOutside>>(m, "DebiasedOutside")
        .def(py::init<Value, Value, Value>(), py::arg("beta"), py::arg("eps"), py::arg("mean_beta"));
    py::class_<Rectified, Division, std::shared_ptr<Rectified>>(m, "Rectified")
        .def(py::init<Value, Value, Value, double>(), py::arg("beta"), py::arg("eps"), py::arg("mean_beta"),
             py::arg("early"));
    py::class_<Diagonal, Preconditioner, std::shared_ptr<Diagonal>>(m, "Diagonal")
        .def(py::init<std::shared_ptr<Moment>, std::shared_ptr<Division>>(), py::arg("moment"),
             py::arg("division"));
    py::class_<DistanceEstimate, Preconditioner, std::shared_ptr<DistanceEstimate>>(m, "DistanceEstimate")
        .def(py::init([](double beta1, double beta2, double beta3, double eps, double start,
                         double coefficient, double growth, bool debias, bool warmup, Index every) {
                 return std::make_shared<DistanceEstimate>(DistanceEstimate::Options{
                     beta1, beta2, beta3, eps, start, coefficient, growth, debias, warmup, every});
             }),
             py::arg("beta1"), py::arg("beta2"), py::arg("beta3"), py::arg("eps"), py::arg("start"),
             py::arg("coefficient"), py::arg("growth"), py::arg("debias"), py::arg("warmup"),
             py::arg("every"));
    py::class_<RatioOfMoments, Preconditioner, std::shared_ptr<RatioOfMoments>>(m, "RatioOfMoments")
        .def(py::init<Value, Value>(), py::arg("beta"), py::arg("eps"));

    py::class_<Identity, Preconditioner, std::shared_ptr<Identity>>(m, "Identity").def(py::init<>());
    py::class_<Grafted, Preconditioner, std::shared_ptr<Grafted>>(m, "Grafted")
        .def(py::init<std::shared_ptr<Preconditioner>, std::shared_ptr<Preconditioner>, std::int64_t>(),
             py::arg("direction"), py::arg("length"), py::arg("start"));
    py::class_<KroneckerRoots, Preconditioner, std::shared_ptr<KroneckerRoots>>(m, "KroneckerRoots")
        .def(py::init([](Value beta, Value eps, std::int64_t start, std::int64_t frequency,
                         std::optional<Index> largest) {
                 return std::make_shared<KroneckerRoots>(beta, eps, Refresh{start, frequency}, largest);
             }),
             py::arg("beta"), py::arg("eps"), py::arg("start"), py::arg("frequency"), py::arg("largest"));
    py::class_<KroneckerInverses, Preconditioner, std::shared_ptr<KroneckerInverses>>(m, "KroneckerInverses")
        .def(py::init([](Value beta, Value damping, std::int64_t frequency, std::optional<Index> largest) {
                 return std::make_shared<KroneckerInverses>(beta, damping, Refresh{1, frequency}, largest);
             }),
             py::arg("beta"), py::arg("damping"), py::arg("frequency"), py::arg("largest"));
    py::class_<Equilibration, Preconditioner, std::shared_ptr<Equilibration>>(m, "Equilibration")
        .def(py::init([](Value choice, const std::vector<std::string>& names, double eps) {
                 using Sides = Equilibration::Sides;
                 std::vector<Sides> sides;
                 for (const std::string& name : names)
                     sides.push_back(named<Sides>(
                         "lines", name,
                         {{"rows", Sides::rows}, {"columns", Sides::columns}, {"both", Sides::both}}));
                 return std::make_shared<Equilibration>(choice, sides, eps);
             }),
             py::arg("choice"), py::arg("lines"), py::arg("eps"));
    using Polar = std::shared_ptr<Geometry>;
    py::class_<LeverageEquilibration, Preconditioner, std::shared_ptr<LeverageEquilibration>>(
        m, "LeverageEquilibration")
        .def(py::init<Polar, int, double>(), py::arg("polar"), py::arg("passes"), py::arg("beta"));
    py::class_<TangentDual, Preconditioner, std::shared_ptr<TangentDual>>(m, "TangentDual")
        .def(py::init<Polar, int, double, double>(), py::arg("polar"), py::arg("steps"), py::arg("step_size"),
             py::arg("tolerance"));
    py::class_<IntrinsicStiefel, Preconditioner, std::shared_ptr<IntrinsicStiefel>>(m, "IntrinsicStiefel")
        .def(py::init<Polar>(), py::arg("polar"));
    py::class_<Signs, Preconditioner, std::shared_ptr<Signs>>(m, "Signs").def(py::init<>());
    py::class_<TangentProjection, Preconditioner, std::shared_ptr<TangentProjection>>(m, "TangentProjection")
        .def(py::init([](Value choice, const std::vector<bool>& columns) {
                 std::vector<Lines> lines;
                 for (const bool each : columns) lines.push_back(linesOf(each));
                 return std::make_shared<TangentProjection>(choice, lines);
             }),
             py::arg("choice"), py::arg("columns"));
}

}  // namespace schattor
