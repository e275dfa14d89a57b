#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>

#include "bindings/arrays.h"
#include "bindings/backend_names.h"
#include "bindings/bind.h"
#include "plan/plan.h"

namespace py = pybind11;

namespace schattor {
namespace {

std::string shapeText(const py::array& a) { return py::str(py::tuple(a.attr("shape"))); }

/// Copies an array of any strides and alignment into contiguous memory.
void copyStrided(const py::array& from, std::byte* to) {
    const auto item = static_cast<std::size_t>(from.itemsize());
    const auto dims = static_cast<std::size_t>(from.ndim());
    std::vector<py::ssize_t> index(dims, 0);
    const auto* at = static_cast<const std::byte*>(from.data());
    for (py::ssize_t left = from.size(); left > 0; --left) {
        std::memcpy(to, at, item);
        to += item;
        for (std::size_t d = dims; d-- > 0;) {
            at += from.strides(static_cast<py::ssize_t>(d));
            if (++index[d] < from.shape(static_cast<py::ssize_t>(d))) break;
            at -= index[d] * from.strides(static_cast<py::ssize_t>(d));
            index[d] = 0;
        }
    }
}

/// The plan as Python sees it: it keeps the parameter arrays alive and turns gradients into pointers.
class PyPlan {
public:
    PyPlan(bool deterministic, int threads) : plan(deterministic, threads) {}

    std::size_t addGroup(Value lr, std::optional<double> outer) {
        Group group;
        group.lr = lr;
        if (outer) group.coupler.emplace(*outer);
        return plan.addGroup(std::move(group));
    }

    void addBlock(const std::string& name, py::array weights, Index rows, Index cols, const py::tuple& parts,
                  std::size_t group, Value weight) {
        Pipeline pipeline;
        for (const auto& transform : parts[0].cast<std::vector<std::shared_ptr<Transform>>>())
            pipeline.transforms.push_back(transform);
        pipeline.estimator = parts[1].cast<std::shared_ptr<Estimator>>();
        if (!parts[2].is_none()) pipeline.preconditioner = parts[2].cast<std::shared_ptr<Preconditioner>>();
        pipeline.geometry = parts[3].cast<std::shared_ptr<Geometry>>();
        pipeline.scaling = parts[4].cast<std::shared_ptr<Scaling>>();
        pipeline.update = parts[5].cast<std::shared_ptr<Update>>();
        if (!parts[6].is_none()) pipeline.output = parts[6].cast<std::shared_ptr<Estimator>>();
        const Dtype dtype = weights.itemsize() == 4 ? Dtype::float32 : Dtype::float64;
        plan.addBlock(makeBlock(name, {rows, cols}, dtype, weights.mutable_data(), std::move(pipeline)),
                      group, weight);
        weights_.push_back(std::move(weights));
    }

    void finish() {
        plan.finish();
        io_.resize(plan.blocks.size());
        staged_.resize(plan.blocks.size());
    }

    /// None, or what was refused: (kind, block, count, largest, limit). `targets` is None for a step.
    py::object run(const std::string& mode, const py::list& gradients, const std::vector<double>& slots,
                   const py::object& targets) {
        for (std::size_t i = 0; i < io_.size(); ++i) {
            io_[i].gradient = pointer(i, gradients[i]);
            io_[i].target = mode == "step" ? weights_[i].mutable_data()
                                           : targets[py::int_(i)].cast<py::array>().mutable_data();
        }
        const Mode kind = mode == "step" ? Mode::step : mode == "update" ? Mode::update : Mode::peek;
        Refusal refusal;
        {
            const py::gil_scoped_release nogil;
            refusal = plan.run(kind, io_, slots);
        }
        if (!refusal) return py::none();
        static constexpr const char* kinds[] = {"none", "gradient", "weights", "magnitude", "estimate"};
        return py::make_tuple(kinds[static_cast<int>(refusal.kind)], refusal.block, refusal.count,
                              refusal.largest, refusal.limit);
    }

    py::list report() const {
        py::list rows;
        for (const auto& block : plan.blocks) {
            const BlockReport& r = block->report;
            if (r.present)
                rows.append(py::make_tuple(block->name, r.dualNorm, r.stepSize, r.updateRms,
                                           backendName(r.backend), r.residual, r.fallbacks));
        }
        return rows;
    }

    static py::dict state(py::object self, std::size_t i) {
        Block& block = *self.cast<PyPlan&>().plan.blocks.at(i);
        py::dict result;
        for (const Block::State& s : block.state()) {
            const std::vector<py::ssize_t> shape = {s.shape.rows, s.shape.cols};
            const py::dtype dtype =
                block.dtype == Dtype::float32 ? py::dtype::of<float>() : py::dtype::of<double>();
            result[py::str(s.name)] = py::array(dtype, shape, s.data, self);
        }
        return result;
    }

    Plan plan;

private:
    const void* pointer(std::size_t i, const py::handle& gradient) {
        if (gradient.is_none()) return nullptr;
        const std::string& name = plan.blocks[i]->name;
        const py::array& w = weights_[i];
        // NumPy's arithmetic turns 0-D arrays into scalars.
        const bool scalar =
            w.ndim() == 0 && py::isinstance(gradient, py::module_::import("numpy").attr("generic"));
        if (!scalar && !py::isinstance<py::array>(gradient))
            throw py::type_error("gradient of block '" + name + "' must be a NumPy array or None, got " +
                                 std::string(py::str(py::type::of(gradient).attr("__name__"))));
        const auto g = scalar ? py::array::ensure(gradient) : py::reinterpret_borrow<py::array>(gradient);
        if (!g.dtype().equal(w.dtype()))
            throw py::type_error("gradient of block '" + name + "' must have the parameter's dtype " +
                                 std::string(py::str(w.dtype())) + ", got " +
                                 std::string(py::str(g.dtype())));
        if (g.ndim() != w.ndim() || !std::equal(g.shape(), g.shape() + g.ndim(), w.shape()))
            throw py::value_error("gradient of block '" + name + "' must have the parameter's shape " +
                                  shapeText(w) + ", got " + shapeText(g));
        static const std::byte empty{};
        if (g.size() == 0) return &empty;
        if (isPlain(g) && !scalar) {
            const auto* begin = static_cast<const std::byte*>(g.data());
            if (!plan.mustCopy(i, begin, begin + g.nbytes())) return begin;
        }
        staged_[i].resize(static_cast<std::size_t>(g.nbytes()));
        copyStrided(g, staged_[i].data());
        return staged_[i].data();
    }

    std::vector<py::array> weights_;
    std::vector<BlockIo> io_;
    std::vector<std::vector<std::byte>> staged_;  ///< copies of gradients that cannot be read in place
};

}  // namespace

void bindPlan(py::module_& m) {
    py::class_<PyPlan>(m, "Plan")
        .def(py::init<bool, int>())
        .def("add_group", &PyPlan::addGroup)
        .def("add_block", &PyPlan::addBlock)
        .def("finish", &PyPlan::finish)
        .def("run", &PyPlan::run)
        .def("skip", [](PyPlan& p) { p.plan.skip(); })
        .def("report", &PyPlan::report)
        .def("state", &PyPlan::state)
        .def("count", [](const PyPlan& p, std::size_t i) { return p.plan.blocks.at(i)->count; })
        .def("state_written",
             [](PyPlan& p, std::size_t i, std::int64_t count) {
                 p.plan.blocks.at(i)->count = count;
                 p.plan.blocks.at(i)->stateWritten();
             })
        .def_property_readonly("report_step", [](const PyPlan& p) { return p.plan.reportStep; })
        .def_property(
            "step", [](const PyPlan& p) { return p.plan.step; },
            [](PyPlan& p, std::int64_t s) { p.plan.step = s; })
        .def_property(
            "skipped_steps", [](const PyPlan& p) { return p.plan.skippedSteps; },
            [](PyPlan& p, std::int64_t s) { p.plan.skippedSteps = s; });
}

}  // namespace schattor
