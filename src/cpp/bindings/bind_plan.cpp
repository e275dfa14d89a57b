#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <exception>
#include <utility>

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

    std::size_t addGroup(Value lr, std::optional<double> outer,
                         const std::optional<std::pair<Value, Value>>& turns) {
        Group group;
        group.lr = lr;
        if (outer) group.coupler.emplace(*outer);
        if (turns) group.turns = {turns->first, turns->second};
        return plan.addGroup(std::move(group));
    }

    void addBlock(const std::string& name, py::array weights, Index rows, Index cols, const py::dict& parts,
                  std::size_t group, Value weight) {
        Pipeline pipeline;
        take(parts, "transforms", pipeline.transforms);
        take(parts, "estimator", pipeline.estimator);
        take(parts, "frame", pipeline.frame);
        take(parts, "preconditioner", pipeline.preconditioner);
        take(parts, "geometry", pipeline.geometry);
        take(parts, "adjustments", pipeline.adjustments);
        take(parts, "scaling", pipeline.scaling);
        take(parts, "output", pipeline.output);
        pipeline.outputTakesLr = parts["output_takes_lr"].cast<bool>();
        take(parts, "update", pipeline.update);
        const Dtype dtype = weights.itemsize() == 4 ? Dtype::float32 : Dtype::float64;
        auto block = makeBlock(name, {rows, cols}, dtype, weights.mutable_data(), std::move(pipeline));
        block->takesTurns = plan.groups.at(group).turns.has_value();
        plan.addBlock(std::move(block), group, weight);
        weights_.push_back(std::move(weights));
    }

    /// Block i reads the weights of block j; all directions of its group then come before the first move.
    void pair(std::size_t i, std::size_t j) {
        plan.blocks.at(i)->partner = plan.blocks.at(j).get();
        plan.groups[plan.blocks[i]->group].barrier = true;
        plan.groups[plan.blocks[j]->group].barrier = true;
    }

    void finish() {
        plan.finish();
        io_.resize(plan.blocks.size());
        staged_.resize(plan.blocks.size());
    }

    /// None, or what was refused: (kind, block, count, largest, limit, extra). `targets` is None for a step.
    /// Raises what a part in Python has raised.
    py::object run(const std::string& mode, const py::list& gradients, const std::vector<double>& slots,
                   const py::object& targets, const py::object& extras) {
        for (std::size_t i = 0; i < io_.size(); ++i) {
            io_[i].gradient = pointer(i, gradients[i]);
            io_[i].extras = {};
            if (!extras.is_none()) takeExtras(io_[i].extras, extras[py::int_(i)].cast<py::tuple>());
            io_[i].target = mode == "step" ? weights_[i].mutable_data()
                                           : targets[py::int_(i)].cast<py::array>().mutable_data();
        }
        const Mode kind = mode == "step" ? Mode::step : mode == "update" ? Mode::update : Mode::peek;
        Refusal refusal;
        {
            const py::gil_scoped_release nogil;
            refusal = plan.run(kind, io_, slots);
        }
        if (plan.failure->error) std::rethrow_exception(std::exchange(plan.failure->error, nullptr));
        if (!refusal) return py::none();
        static constexpr const char* kinds[] = {"none",     "gradient", "weights",         "magnitude",
                                                "estimate", "extra",    "extra magnitude", "step"};
        return py::make_tuple(kinds[static_cast<int>(refusal.kind)], refusal.block, refusal.count,
                              refusal.largest, refusal.limit, refusal.extra);
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
            const py::dtype dtype = block.dtype == Dtype::float32 && !s.isScalar ? py::dtype::of<float>()
                                                                                 : py::dtype::of<double>();
            result[py::str(s.name)] = py::array(dtype, shape, s.data, self);
        }
        return result;
    }

    Plan plan;

private:
    template <class P>
    static void take(const py::dict& parts, const char* slot, std::shared_ptr<const P>& into) {
        const py::object part = parts[slot];
        if (!part.is_none()) into = part.cast<std::shared_ptr<P>>();
    }
    template <class P>
    static void take(const py::dict& parts, const char* slot, std::vector<std::shared_ptr<const P>>& into) {
        for (const auto& part : parts[slot].cast<std::vector<std::shared_ptr<P>>>()) into.push_back(part);
    }

    /// The Python layer has checked these arrays: dtype, shape, C-contiguous. None where there is none.
    static void takeExtras(Extras<void>& extras, const py::tuple& given) {
        const auto samples = [&](std::size_t i) -> Samples<void> {
            if (given[i].is_none()) return {};
            const auto a = given[i].cast<py::array>();
            return {a.data(), a.shape(0)};
        };
        if (!given[0].is_none()) extras.previous = given[0].cast<py::array>().data();
        extras.activations = samples(1);
        extras.deltas = samples(2);
        extras.perExample = samples(3);
    }

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
        .def("pair", &PyPlan::pair)
        .def("finish", &PyPlan::finish)
        .def("run", &PyPlan::run)
        .def("skip", [](PyPlan& p) { p.plan.skip(); })
        .def_property_readonly("failure", [](const PyPlan& p) { return p.plan.failure; })
        .def("report", &PyPlan::report)
        .def("state", &PyPlan::state)
        .def("divided", [](const PyPlan& p, std::size_t i) { return p.plan.divided(i); })
        .def("count", [](const PyPlan& p, std::size_t i) { return p.plan.blocks.at(i)->count; })
        .def("pace", [](const PyPlan& p, std::size_t i) { return p.plan.blocks.at(i)->pace(); })
        .def("state_written",
             [](PyPlan& p, std::size_t i, std::int64_t count) {
                 p.plan.blocks.at(i)->count = count;
                 p.plan.blocks.at(i)->stateWritten();
             })
        .def_property_readonly("report_step", [](const PyPlan& p) { return p.plan.reportStep; })
        .def_property(
            "step", [](const PyPlan& p) { return p.plan.step; },
            [](PyPlan& p, std::int64_t s) { p.plan.stateWritten(s); })
        .def_property(
            "skipped_steps", [](const PyPlan& p) { return p.plan.skippedSteps; },
            [](PyPlan& p, std::int64_t s) { p.plan.skippedSteps = s; });
}

}  // namespace schattor
