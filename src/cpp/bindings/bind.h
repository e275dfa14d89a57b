#pragma once

#include <pybind11/pybind11.h>

namespace schattor {

// One function per concept; module.cpp calls them in this order: a class comes before those that take it.
void bindResults(pybind11::module_&);
void bindLinalg(pybind11::module_&);
void bindTransform(pybind11::module_&);
void bindEstimatorParts(pybind11::module_&);
void bindGeometry(pybind11::module_&);
void bindPartial(pybind11::module_&);
void bindPreconditioner(pybind11::module_&);
void bindFrame(pybind11::module_&);
void bindAdjustment(pybind11::module_&);
void bindScaling(pybind11::module_&);
void bindUpdate(pybind11::module_&);
void bindCoupler(pybind11::module_&);
void bindEstimator(pybind11::module_&);
void bindBatch(pybind11::module_&);
void bindPythonParts(pybind11::module_&);
void bindPlan(pybind11::module_&);
void bindNoise(pybind11::module_&);

}  // namespace schattor
