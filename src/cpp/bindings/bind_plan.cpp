#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <exception>
#include <map>
#include <optional>
#include <utility>

#include "bindings/bind.h"
#include "bindings/named.h"
#include "bindings/step_inputs.h"
#include "plan/plan.h"

namespace py = pybind11;

namespace schattor {
namespace {

/// The plan as Python sees it, with the inputs of its steps.
class PyPlan {
public:
    PyPlan(bool deterministic, std::optional<int> threads) : plan(deterministic, threads.value_or(0)) {}

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
        inputs_.addBlock(std::move(weights));
    }

    /// Block i reads the weights of block j; all directions of its group then come before the first move.
    void pair(std::size_t i, std::size_t j) {
        plan.blocks.at(i)->partner = plan.blocks.at(j).get();
        plan.groups[plan.blocks[i]->group].barrier = true;
        plan.groups[plan.blocks[j]->group].barrier = true;
    }

    /// None, or what was refused. `targets` is None for a step. Raises what a part in Python has raised.
    std::optional<Refusal> run(const std::string& mode, const py::list& gradients,
                               const std::vector<double>& slots, const std::optional<py::list>& targets,
                               const std::optional<py::list>& extras,
                               const std::optional<py::list>& point) {
        const Mode kind =
            named<Mode>("mode", mode, {{"step", Mode::step}, {"update", Mode::update}, {"peek", Mode::peek}});
        const std::span<BlockIo> io = inputs_.gather(plan, gradients, targets, extras, point);
        Refusal refusal;
        {
            const py::gil_scoped_release nogil;
            refusal = plan.run(kind, io, slots);
        }
        if (plan.failure->error) std::rethrow_exception(std::exchange(plan.failure->error, nullptr));
        return refusal ? std::optional(refusal) : std::nullopt;
    }

    /// The reports of the blocks that had a gradient, by name.
    std::map<std::string, BlockReport> report() const {
        std::map<std::string, BlockReport> reports;
        for (const auto& block : plan.blocks)
            if (block->report.present) reports[block->name] = block->report;
        return reports;
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

    StepInputs inputs_;
};

void bindRefusal(py::module_& m) {
    py::native_enum<Extra> extra(m, "Extra", "enum.Enum");
    for (const ExtraInput& input : extraInputs()) extra.value(input.name, input.extra);
    extra.finalize();
    using Kind = Refusal::Kind;
    py::native_enum<Kind>(m, "RefusalKind", "enum.Enum")
        .value("none", Kind::none)
        .value("gradient_not_finite", Kind::gradientNotFinite)
        .value("weights_not_finite", Kind::weightsNotFinite)
        .value("gradient_too_large", Kind::gradientTooLarge)
        .value("estimate_too_large", Kind::estimateTooLarge)
        .value("extra_not_finite", Kind::extraNotFinite)
        .value("extra_too_large", Kind::extraTooLarge)
        .value("step_not_finite", Kind::stepNotFinite)
        .finalize();
    py::class_<Refusal>(m, "Refusal")
        .def(py::init([](Kind kind, std::size_t block, Index count, Extra which) {
                 return Refusal{
                     .kind = kind, .block = block, .count = count, .extra = static_cast<std::size_t>(which)};
             }),
             py::arg("kind"), py::arg("block"), py::arg("count"), py::arg("extra"))
        .def_readonly("kind", &Refusal::kind)
        .def_readonly("block", &Refusal::block)
        .def_readonly("count", &Refusal::count)
        .def_readonly("largest", &Refusal::largest)
        .def_readonly("limit", &Refusal::limit)
        .def_property_readonly("extra", [](const Refusal& r) { return static_cast<Extra>(r.extra); });
}

}  // namespace

void bindPlan(py::module_& m) {
    bindRefusal(m);
    py::class_<PyPlan>(m, "Plan")
        .def(py::init<bool, std::optional<int>>(), py::arg("deterministic"), py::arg("threads"))
        .def("add_group", &PyPlan::addGroup, py::arg("lr"), py::arg("outer"), py::arg("turns"))
        .def("add_block", &PyPlan::addBlock, py::arg("name"), py::arg("weights"), py::arg("rows"),
             py::arg("cols"), py::arg("parts"), py::arg("group"), py::arg("weight"))
        .def("pair", &PyPlan::pair, py::arg("block"), py::arg("partner"))
        .def("finish", [](PyPlan& p) { p.plan.finish(); })
        .def("run", &PyPlan::run, py::arg("mode"), py::arg("gradients"), py::arg("slots"), py::arg("targets"),
             py::arg("extras"), py::arg("point"))
        .def("skip", [](PyPlan& p) { p.plan.skip(); })
        .def_property_readonly("failure", [](const PyPlan& p) { return p.plan.failure; })
        .def("report", &PyPlan::report)
        .def("state", &PyPlan::state, py::arg("block"))
        .def(
            "divided", [](const PyPlan& p, std::size_t i) { return p.plan.divided(i); }, py::arg("block"))
        .def(
            "count", [](const PyPlan& p, std::size_t i) { return p.plan.blocks.at(i)->count; },
            py::arg("block"))
        .def(
            "pace", [](const PyPlan& p, std::size_t i) { return p.plan.blocks.at(i)->pace(); },
            py::arg("block"))
        .def(
            "state_written",
            [](PyPlan& p, std::size_t i, std::int64_t count) {
                p.plan.blocks.at(i)->count = count;
                p.plan.blocks.at(i)->stateWritten();
            },
            py::arg("block"), py::arg("count"))
        .def_property_readonly("report_step",
                               [](const PyPlan& p) -> std::optional<std::int64_t> {
                                   if (p.plan.reportStep == 0) return std::nullopt;
                                   return p.plan.reportStep;
                               })
        .def_property(
            "step", [](const PyPlan& p) { return p.plan.step; },
            [](PyPlan& p, std::int64_t s) { p.plan.stateWritten(s); })
        .def_property(
            "skipped_steps", [](const PyPlan& p) { return p.plan.skippedSteps; },
            [](PyPlan& p, std::int64_t s) { p.plan.skippedSteps = s; });
}

}  // namespace schattor
