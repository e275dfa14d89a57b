// The plan without Python: its arena, its modes, and the overlap of gradients with weights.
#include "plan/plan.h"

#include "base/kernels.h"
#include "plans.h"

using namespace schattor;  // NOLINT
using plans::Problem;

namespace {

template <class T>
std::string label(const std::string& part, Shape s) {
    return part + ", " + support::nameOf<T> + ", " + support::text(s);
}

// A plan in which every geometry meets every shape, in a group of its own kind of coupling.
template <class T>
std::unique_ptr<Problem<T>> mixedProblem(std::optional<double> outer, Rule rule) {
    auto problem = std::make_unique<Problem<T>>();
    const std::size_t group = problem->group(outer, rule);
    std::size_t i = 0;
    for (const auto& geometry : plans::geometries())
        for (const Shape s : {Shape{7, 5}, Shape{1, 4}, Shape{4, 9}}) {
            const auto parts = plans::pipeline(plans::combination(7 * i, *geometry.part, rule));
            problem->add(s, parts, group, 1.0 + static_cast<double>(i % 3));
            ++i;
        }
    problem->finish();
    return problem;
}

const std::optional<double> outers[] = {std::nullopt, 1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()};

bool same(const BlockReport& a, const BlockReport& b) {
    return a.present == b.present && a.dualNorm == b.dualNorm && a.stepSize == b.stepSize &&
           a.updateRms == b.updateRms && a.residual == b.residual && a.backend == b.backend &&
           a.fallbacks == b.fallbacks;
}

// Weights, states and reports agree but for the rounding of sums in another order. Entries are below 10, and
// a few roundings of them meet in each result; where the denominator of a second moment is small they weigh
// up to 100.
template <class T>
void compareSteps(Problem<T>& a, Problem<T>& b, double eps, const std::string& name) {
    const auto largest = [](const std::vector<T>& x, const std::vector<T>& y) {
        double result = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i)
            result = std::max(result, std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
        return result;
    };
    CHECK_FOR(name, largest(a.weights[0], b.weights[0]) <= 100 * eps);
    CHECK_FOR(name, largest(a.targets[0], b.targets[0]) <= 100 * eps);
    const auto x = a.snapshot(), y = b.snapshot();
    CHECK_FOR(name, x.counts == y.counts);
    for (std::size_t j = 0; j < x.states.size(); ++j)
        CHECK_FOR(name, largest(x.states[j], y.states[j]) <= 100 * eps);
    const BlockReport &r = a.plan.blocks[0]->report, &s = b.plan.blocks[0]->report;
    const auto close = [&](double u, double v) { return std::abs(u - v) <= 100 * eps * std::abs(v); };
    CHECK_FOR(name, close(r.dualNorm, s.dualNorm) && close(r.stepSize, s.stepSize));
    CHECK_FOR(name, close(r.updateRms, s.updateRms) && r.backend == s.backend && r.present && s.present);
}

}  // namespace

TEST("every geometry gives back what it takes of the arena") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& [name, geometry] : plans::geometries())
            for (const Shape s : plans::oddShapes())
                for (const int scale :
                     {0, std::numeric_limits<T>::max_exponent - 3, std::numeric_limits<T>::min_exponent}) {
                    std::vector<T> g = support::gaussian<T>(s.size(), 1);
                    for (T& x : g) x = std::ldexp(x, scale);
                    g.push_back(T(0));  // empty matrices need an address, too
                    std::vector<T> d(g.size());
                    Arena arena;
                    const OracleContext context{{}, &arena, true};
                    geometry->ball(context, s, g.data(), d.data());
                    CHECK_FOR(label<T>(name, s), arena.used() == 0);
                    geometry->norm(context, s, g.data());
                    geometry->dualNorm(context, s, g.data());
                    CHECK_FOR(label<T>(name, s), arena.used() == 0);
                }
    });
}

TEST("no pipeline takes more of the arena than its block declares") {
    support::forBothDtypes([]<class T>(T) {
        std::size_t i = 0;
        // One block per plan: a larger block beside it would lend it its space.
        for (const auto& [name, geometry] : plans::geometries())
            for (const Shape s : plans::oddShapes())
                for (const Rule rule : {Rule::ball, Rule::regularization})
                    for (const std::optional<double> outer :
                         {std::optional<double>(), std::optional<double>(3.0)}) {
                        Problem<T> problem;
                        problem.add(s, plans::pipeline(plans::combination(i++, *geometry, rule)),
                                    problem.group(outer, rule));
                        problem.finish();
                        for (int step = 0; step < 2; ++step)
                            CHECK_FOR(label<T>(name, s), !problem.run(Mode::step));
                    }
        CHECK(i >= plans::combinations());
    });
}

TEST("update returns new minus old, leaves the weights and advances the state as step does") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& outer : outers)
            for (const Rule rule : {Rule::ball, Rule::regularization}) {
                const auto stepped = mixedProblem<T>(outer, rule);
                const auto updated = mixedProblem<T>(outer, rule);
                for (int i = 0; i < 3; ++i) {
                    const auto before = updated->snapshot();
                    CHECK(!stepped->run(Mode::step));
                    CHECK(!updated->run(Mode::update));
                    CHECK(updated->weights == before.weights);
                    for (std::size_t b = 0; b < updated->weights.size(); ++b) {
                        for (std::size_t j = 0; j < updated->weights[b].size(); ++j)
                            CHECK_EQ(updated->targets[b][j], stepped->weights[b][j] - before.weights[b][j]);
                        CHECK(same(updated->plan.blocks[b]->report, stepped->plan.blocks[b]->report));
                    }
                    updated->weights = stepped->weights;  // same addresses, new values
                    CHECK(updated->snapshot() == stepped->snapshot());
                    stepped->refresh();
                    updated->refresh();
                }
            }
    });
}

TEST("peek returns what update would, and advances nothing") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& outer : outers)
            for (const Rule rule : {Rule::ball, Rule::regularization}) {
                const auto peeked = mixedProblem<T>(outer, rule);
                const auto plain = mixedProblem<T>(outer, rule);
                for (int i = 0; i < 3; ++i) {
                    const auto before = peeked->snapshot();
                    std::vector<BlockReport> reports;
                    for (const auto& block : peeked->plan.blocks) reports.push_back(block->report);
                    CHECK(!peeked->run(Mode::peek));
                    const auto displacement = peeked->targets;
                    CHECK(peeked->snapshot() == before);
                    for (std::size_t b = 0; b < reports.size(); ++b)
                        CHECK(same(peeked->plan.blocks[b]->report, reports[b]));
                    CHECK(!peeked->run(Mode::peek));
                    CHECK(peeked->targets == displacement);  // and again the same
                    CHECK(!peeked->run(Mode::update));
                    CHECK(!plain->run(Mode::update));
                    CHECK(peeked->targets == displacement);
                    CHECK(peeked->snapshot() == plain->snapshot());
                    peeked->refresh();
                    plain->refresh();
                }
            }
    });
}

TEST("a block without gradient is left out of everything, the coupling included") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& outer : outers)
            for (const Mode mode : {Mode::step, Mode::update, Mode::peek}) {
                // `with` has one block more than `without`, the second one; its gradient is missing.
                Problem<T> with, without;
                const auto parts =
                    plans::pipeline(plans::combination(1, *plans::geometries()[9].part, Rule::ball));
                for (Problem<T>* problem : {&with, &without}) {
                    const std::size_t group = problem->group(outer, Rule::ball);
                    problem->add({4, 3}, parts, group, 2.0);
                    if (problem == &with) problem->add({6, 6}, parts, group, 0.1);
                    problem->add({5, 5}, parts, group, 1.0);
                    problem->add({2, 6}, parts, group, 0.5);
                    problem->finish();
                }
                const std::size_t counterpart[] = {0, 2, 3};
                for (std::size_t b = 0; b < 3; ++b) {
                    with.weights[counterpart[b]] = without.weights[b];
                    with.gradients[counterpart[b]] = without.gradients[b];
                }
                const auto before = with.snapshot();
                with.present[1] = false;
                CHECK(!with.run(mode));
                CHECK(!without.run(mode));
                for (std::size_t b = 0; b < 3; ++b) {
                    CHECK(with.weights[counterpart[b]] == without.weights[b]);
                    CHECK(with.targets[counterpart[b]] == without.targets[b]);
                }
                CHECK(with.weights[1] == before.weights[1]);
                CHECK(with.targets[1] == std::vector<T>(36, T(99)));  // not even written to
                CHECK_EQ(with.plan.blocks[1]->count, 0);
                CHECK(!with.plan.blocks[1]->report.present);
                CHECK(with.snapshot().states[1] == before.states[1]);
            }
    });
}

TEST("a refused step has touched nothing, in every mode and whichever block is at fault") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& outer : outers)
            for (const Mode mode : {Mode::step, Mode::update, Mode::peek}) {
                const auto problem = mixedProblem<T>(outer, Rule::regularization);
                CHECK(!problem->run(Mode::step));
                const auto before = problem->snapshot();
                const std::size_t last = problem->gradients.size() - 1;
                for (const std::size_t at : {std::size_t{0}, last}) {
                    const T kept = problem->gradients[at].back();
                    for (const T bad :
                         {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
                        problem->gradients[at].back() = bad;
                        const Refusal refusal = problem->run(mode);
                        CHECK(refusal.kind == Refusal::Kind::gradientNotFinite);
                        CHECK_EQ(refusal.block, at);
                        CHECK_EQ(refusal.count, 1);
                        CHECK(problem->snapshot() == before);
                        for (const auto& target : problem->targets)
                            CHECK(target == std::vector<T>(target.size(), T(99)));
                    }
                    problem->gradients[at].back() = kept;
                }
            }
    });
}

TEST("coupling scales the direction of each block and changes nothing else") {
    support::forBothDtypes([]<class T>(T) {
        for (const Rule rule : {Rule::ball, Rule::regularization}) {
            Problem<T> coupled, alone;
            std::vector<std::string> names;
            for (Problem<T>* problem : {&coupled, &alone}) {
                const bool isCoupled = problem == &coupled;
                const std::size_t group = problem->group(isCoupled ? std::optional(3.0) : std::nullopt, rule);
                for (const auto& geometry : plans::geometries())
                    for (const auto& estimator : plans::estimators())
                        for (const Shape s : {Shape{3, 5}, Shape{4, 1}}) {
                            plans::Pick pick;
                            pick.geometry = geometry.part;
                            pick.estimator = estimator.part;
                            pick.rule = rule;
                            problem->add(s, plans::pipeline(pick), group);
                            names.push_back(geometry.name + ", " + estimator.name + ", " + support::text(s));
                        }
                problem->finish();
                for (auto& w : problem->weights) std::fill(w.begin(), w.end(), T(0));
            }
            for (int step = 0; step < 2; ++step) {
                CHECK(!coupled.run(Mode::update));
                CHECK(!alone.run(Mode::update));
                for (std::size_t b = 0; b < alone.targets.size(); ++b) {
                    const auto largest = [](const std::vector<T>& x) {
                        return kernels::maxAbs(static_cast<Index>(x.size()), x.data());
                    };
                    const double a = largest(coupled.targets[b]);
                    const double c = largest(alone.targets[b]);
                    CHECK_FOR(names[b], a > 0.0 && c > 0.0);
                    for (std::size_t j = 0; j < alone.targets[b].size();
                         ++j)  // two products, rounded once each
                        CHECK_FOR(names[b], std::abs(static_cast<double>(coupled.targets[b][j]) / a -
                                                     static_cast<double>(alone.targets[b][j]) / c) <=
                                                4.0 * machineEpsilon(dtypeOf<T>));
                }
                coupled.refresh();
                alone.refresh();
            }
        }
    });
}

TEST("a peek with a huge gradient leaves no bound behind that later steps are refused by") {
    Problem<double> problem;
    plans::Pick pick;
    pick.estimator = std::make_shared<Ema>(0.9, EmaInit::zero, false);
    pick.rule = Rule::regularization;
    problem.add({4, 4}, plans::pipeline(pick), problem.group(1.0, Rule::regularization), Value::fromSlot(0));
    problem.finish();
    const auto small = problem.gradients[0];
    problem.slots = {1.0};
    for (double& x : problem.gradients[0]) x = 1e300;
    CHECK(!problem.run(Mode::peek));
    // With this weight steps are 1e20 times as long: a buffer that held 1e300 would have to be refused.
    problem.slots = {1e-10};
    problem.gradients[0] = small;
    CHECK(!problem.run(Mode::step));
    problem.slots = {1.0};
    for (double& x : problem.gradients[0]) x = 1e300;
    CHECK(!problem.run(Mode::step));
    problem.slots = {1e-10};
    problem.gradients[0] = small;
    CHECK(problem.run(Mode::step).kind == Refusal::Kind::estimateTooLarge);  // as here, after a real step
}

TEST("a ball step does not depend on the gradients' scale, even where their norms exceed the dtype") {
    support::forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        for (const auto& outer : outers) {
            Problem<T> plain, large, small;
            for (Problem<T>* problem : {&plain, &large, &small}) {
                const std::size_t group = problem->group(outer, Rule::ball);
                for (const auto& geometry : plans::geometries())
                    for (const Shape s : {Shape{6, 4}, Shape{5, 1}, Shape{3, 8}}) {
                        plans::Pick pick;
                        pick.geometry = geometry.part;
                        problem->add(s, plans::pipeline(pick), group, 0.5);
                    }
                problem->finish();
                for (auto& g : problem->gradients)
                    for (T& x : g) x /= T(8);  // all entries below one
            }
            for (auto& g : large.gradients)
                for (T& x : g) x = std::ldexp(x, Limits::max_exponent);
            for (auto& g : small.gradients)
                for (T& x : g) x = std::ldexp(x, Limits::min_exponent + Limits::digits);
            CHECK(!plain.run(Mode::update));
            CHECK(!large.run(Mode::update));
            CHECK(!small.run(Mode::update));
            for (std::size_t b = 0; b < plain.targets.size(); ++b)
                for (std::size_t j = 0; j < plain.targets[b].size(); ++j) {
                    // lr 0.1 times weight 2; the displacement is a difference of weights of a few units.
                    const T bound = T(8) * Limits::epsilon();
                    const std::string name = plans::geometries()[b / 3].name + ", " + support::nameOf<T> +
                                             ", r = " + (outer ? check::show(*outer) : "none");
                    CHECK_FOR(name, std::abs(large.targets[b][j] - plain.targets[b][j]) <= bound);
                    CHECK_FOR(name, std::abs(small.targets[b][j] - plain.targets[b][j]) <= bound);
                }
        }
    });
}

TEST("scheduled values reach every part: slots instead of constants give the same bits") {
    support::forBothDtypes([]<class T>(T) {
        Problem<T> constant, scheduled;
        for (Problem<T>* problem : {&constant, &scheduled}) {
            const bool slot = problem == &scheduled;
            const auto value = [slot](std::size_t i, double x) {
                return slot ? Value::fromSlot(i) : Value(x);
            };
            const std::size_t group = problem->group(3.0, Rule::ball, value(0, 0.125));
            for (const Shape s : {Shape{4, 6}, Shape{5, 3}}) {
                Pipeline parts;
                parts.transforms.push_back(std::make_shared<L2Decay>(value(1, 0.01)));
                parts.estimator = std::make_shared<Ema>(value(2, 0.9), EmaInit::debiased, true);
                parts.preconditioner = plans::adam(value(3, 0.99), value(4, 1e-6));
                parts.geometry = std::make_shared<Schatten>(value(5, 4.0));
                parts.scaling = std::make_shared<NormScaling>(Rule::ball, 1.0);
                parts.update = std::make_shared<Additive>(Decay::decoupled, value(6, 0.05));
                problem->add(s, parts, group, value(7, 1.5));
            }
            problem->finish();
        }
        scheduled.slots = {0.125, 0.01, 0.9, 0.99, 1e-6, 4.0, 0.05, 1.5};
        for (int i = 0; i < 3; ++i) {
            CHECK(!constant.run(Mode::step));
            CHECK(!scheduled.run(Mode::step));
            CHECK(constant.snapshot() == scheduled.snapshot());
        }
        scheduled.slots[5] = 3.0;  // and a change of the schedule is seen
        CHECK(!constant.run(Mode::step));
        CHECK(!scheduled.run(Mode::step));
        CHECK(constant.weights != scheduled.weights);
    });
}

namespace {

// Blocks of these sizes (n x 1) side by side in one buffer, `gap` numbers apart.
class Neighbours {
public:
    Neighbours(const std::vector<Index>& sizes, Index gap) : plan_(true), buffer_(1000) {
        Group group;
        plan_.addGroup(std::move(group));
        double* at = buffer_.data() + 100;
        for (const Index n : sizes) {
            begins_.push_back(at);
            ends_.push_back(at + n);
            plan_.addBlock(makeBlock("", {n, 1}, Dtype::float64, at, plans::pipeline({})), 0, 1.0);
            at += n + gap;
        }
        plan_.finish();
    }
    double* begin(std::size_t block) const { return begins_[block]; }
    double* end(std::size_t block) const { return ends_[block]; }

    // A gradient that stands at [from, to) is compared with the definition, for every block.
    void check(const double* from, const double* to, const std::string& what) const {
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            bool expected = false;
            for (std::size_t other = 0; other < begins_.size(); ++other)
                expected = expected || (begins_[other] < to && from < ends_[other] &&
                                        (other != block || from != begins_[block]));
            CHECK_FOR(what + ", block " + std::to_string(block), plan_.mustCopy(block, from, to) == expected);
        }
    }

private:
    Plan plan_;
    std::vector<double> buffer_;
    std::vector<double*> begins_, ends_;
};

}  // namespace

TEST("a gradient that stands in another block's weights is recognised, wherever it begins and ends") {
    for (const Index gap : {Index{0}, Index{1}, Index{7}}) {
        const Neighbours n({5, 1, 8, 3}, gap);
        for (double* from = n.begin(0) - 3; from < n.end(3) + 3; ++from)
            for (Index length = 1; length < 30; ++length)
                n.check(from, from + length,
                        "gap " + std::to_string(gap) + ", offset " + std::to_string(from - n.begin(0)) +
                            ", length " + std::to_string(length));
    }
}

TEST("empty blocks do not shift the numbers of the blocks behind them") {
    for (const std::vector<Index>& sizes :
         {std::vector<Index>{0, 4, 4}, {4, 0, 4}, {4, 4, 0}, {0, 0, 4, 0, 4, 4}}) {
        const Neighbours n(sizes, 0);
        for (std::size_t block = 0; block < sizes.size(); ++block)
            if (sizes[block] > 0)
                n.check(n.begin(block), n.end(block),
                        "gradient on the weights of block " + std::to_string(block));
    }
}

TEST("blocks of one group must follow one rule") {
    Problem<double> problem;
    const std::size_t group = problem.group(2.0, Rule::ball);
    plans::Pick pick;
    problem.add({2, 2}, plans::pipeline(pick), group);
    pick.rule = Rule::regularization;
    CHECK_THROWS_AS(problem.add({2, 2}, plans::pipeline(pick), group), std::invalid_argument);
}

TEST("a block in pieces takes the step of the whole block, at sizes around those of pieces and tiles") {
    // A geometry of the same norm that does not say so is not divided.
    struct Whole final : Geometry {
        explicit Whole(double p) : inner(p) {}
        OracleResult ball(const OracleContext& c, Shape s, const float* g, float* d) const override {
            return inner.ball(c, s, g, d);
        }
        OracleResult ball(const OracleContext& c, Shape s, const double* g, double* d) const override {
            return inner.ball(c, s, g, d);
        }
        Scaled norm(const OracleContext& c, Shape s, const float* x) const override {
            return inner.norm(c, s, x);
        }
        Scaled norm(const OracleContext& c, Shape s, const double* x) const override {
            return inner.norm(c, s, x);
        }
        Scaled dualNorm(const OracleContext& c, Shape s, const float* x) const override {
            return inner.dualNorm(c, s, x);
        }
        Scaled dualNorm(const OracleContext& c, Shape s, const double* x) const override {
            return inner.dualNorm(c, s, x);
        }
        double dualNormBound(Shape s) const override { return inner.dualNormBound(s); }
        Lp inner;
    };
    support::forBothDtypes([]<class T>(T) {
        const double infinity = std::numeric_limits<double>::infinity();
        const double eps = machineEpsilon(dtypeOf<T>);
        std::size_t i = 0;
        for (const Index n : {1, 2047, 2048, 2049, 4096, 65535, 65536, 65537, 70000, 131073})
            for (const double p : {2.0, infinity}) {
                const Rule rule = p == 2.0 ? Rule::regularization : Rule::ball;
                for (int k = 0; k < 6; ++k, i += 5) {
                    const Lp lp(p);
                    const Whole whole(p);
                    Problem<T> pieces(true, 2), reference;
                    for (const auto& [problem, geometry] :
                         {std::pair<Problem<T>*, const Geometry*>{&pieces, &lp}, {&reference, &whole}}) {
                        const plans::Pick pick = plans::combination(i, *geometry, rule);
                        problem->add({1, n}, plans::pipeline(pick), problem->group(std::nullopt, rule));
                        problem->finish();
                    }
                    CHECK(pieces.plan.blocks[0]->pipeline.divisible({1, n}));
                    CHECK(!reference.plan.blocks[0]->pipeline.divisible({1, n}));
                    for (const Mode mode : {Mode::step, Mode::update, Mode::peek, Mode::step}) {
                        CHECK(!pieces.run(mode));
                        CHECK(!reference.run(mode));
                        compareSteps(pieces, reference, eps, label<T>(std::to_string(i), {1, n}));
                        pieces.refresh();
                        reference.refresh();
                    }
                }
            }
        CHECK(i >= plans::combinations());
    });
}

TEST("a dead estimate moves nothing, in blocks and in pieces, and the state goes on") {
    support::forBothDtypes([]<class T>(T) {
        const std::shared_ptr<const Geometry> signs =
            std::make_shared<Lp>(std::numeric_limits<double>::infinity());
        for (const std::optional<double> outer : {std::optional<double>(), std::optional<double>(3.0)})
            for (const bool tiles : {false, true}) {
                Problem<T> problem;
                plans::Pick pick;
                pick.geometry = signs;
                pick.estimator = std::make_shared<Ema>(0.5, EmaInit::zero, false);
                Pipeline parts = plans::pipeline(pick);
                if (tiles)  // no one loop
                    parts.transforms = {std::make_shared<L2Decay>(0.0), std::make_shared<L2Decay>(0.0)};
                problem.add({3, 1000}, parts, problem.group(outer, Rule::ball));
                problem.finish();
                CHECK_EQ(problem.plan.divided(0), !outer);
                const auto last = static_cast<int>(-std::numeric_limits<T>::min_exponent);
                CHECK(!problem.run(Mode::step));
                std::fill(problem.gradients[0].begin(), problem.gradients[0].end(), T(0));
                for (int step = 0; step < last - 20; ++step) CHECK(!problem.run(Mode::step));
                CHECK(problem.plan.blocks[0]->report.updateRms > 0.01);
                for (int step = 0; step < 60; ++step) CHECK(!problem.run(Mode::step));
                const std::vector<T> before = problem.weights[0];
                CHECK(!problem.run(Mode::step));
                CHECK(problem.weights[0] == before);
                CHECK(problem.plan.blocks[0]->report.dualNorm == 0.0);
                CHECK(problem.plan.blocks[0]->report.updateRms == 0.0);
            }
    });
}

TEST("a step that breaks off says so, and none follows before a state is loaded") {
    struct Hungry final : Estimator {
        mutable bool full = false;
        const float* estimate(const Context<float>&, const float* g, float*) const override { return g; }
        const double* estimate(const Context<double>& c, const double* g, double*) const override {
            if (!full && c.count == 1) throw std::bad_alloc();
            return g;
        }
    };
    Problem<double> problem;
    plans::Pick pick;
    const auto hungry = std::make_shared<Hungry>();
    pick.estimator = hungry;
    problem.add({3, 3}, plans::pipeline(pick), problem.group(std::nullopt, Rule::ball));
    problem.finish();
    CHECK(!problem.run(Mode::step));
    const std::vector<double> weights = problem.weights[0];
    const auto text = [&](Mode mode) {
        try {
            problem.run(mode);
        } catch (const OutOfMemory& error) {
            return "memory: " + std::string(error.what());
        } catch (const std::exception& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(text(Mode::peek) == "memory: out of memory; the step was taken back");
    CHECK(problem.weights[0] == weights && problem.plan.blocks[0]->count == 1);
    CHECK(text(Mode::step).find("memory: out of memory in the middle of a step") == 0);
    hungry->full = true;
    CHECK(text(Mode::step).find("a step was broken off in the middle") == 0);
    CHECK(text(Mode::peek).find("a step was broken off in the middle") == 0);
    CHECK_EQ(problem.plan.step, std::int64_t{1});
    problem.weights[0] = weights;
    problem.plan.blocks[0]->stateWritten();
    problem.plan.stateWritten(1);
    CHECK(text(Mode::step).empty());
    CHECK_EQ(problem.plan.reportStep, std::int64_t{2});
}
