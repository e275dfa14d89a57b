#include "bindings/bind.h"
#include "linalg/blas_threads.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
    m.attr("version") = SCHATTOR_VERSION;
    m.attr("blas_built_with") = SCHATTOR_BLAS_NAME;
    m.def("blas_threads", &schattor::blasThreads);
    m.def("blas_description", &schattor::blasDescription);
    schattor::bindResults(m);
    schattor::bindLinalg(m);
    schattor::bindTransform(m);
    schattor::bindEstimatorParts(m);
    schattor::bindGeometry(m);
    schattor::bindPartial(m);
    schattor::bindPreconditioner(m);
    schattor::bindFrame(m);
    schattor::bindAdjustment(m);
    schattor::bindScaling(m);
    schattor::bindUpdate(m);
    schattor::bindCoupler(m);
    schattor::bindEstimator(m);
    schattor::bindBatch(m);
    schattor::bindPythonParts(m);
    schattor::bindPlan(m);
    schattor::bindNoise(m);
}
