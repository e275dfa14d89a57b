// Parts inside parts: each has a context of its own, whatever its depth.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "estimator/recursive.h"
#include "frame/eigenbasis.h"
#include "frame/random_range.h"
#include "geometry/switched.h"
#include "plans.h"
#include "precond/distance_estimate.h"
#include "precond/grafted.h"
#include "precond/kronecker_factors.h"
#include "precond/tangent_projection.h"
#include "scaling/switched_scaling.h"
#include "update/extrapolated.h"
#include "update/hyperball.h"
#include "update/schedule_free.h"
#include "update/weight_normalized.h"

using namespace schattor;  // NOLINT
using plans::Problem;

namespace {

// Notes in its own state what its context says: an array of the shape in which it works, and numbers.
class Probe final : public Preconditioner {
public:
    explicit Probe(std::string called) : called_(std::move(called)) {}
    std::vector<StateSlot> state(Shape s) const override {
        return {{called_, s, 3.0}, {called_ + "_sum", s}};
    }
    std::vector<ScalarSlot> scalars() const override {
        return {{called_ + "_salt"}, {called_ + "_size"}, {called_ + "_count", 5.0}};
    }
    void observe(const Context<float>& c, const float* g, const float*) const override { note(c, g); }
    void observe(const Context<double>& c, const double* g, const double*) const override { note(c, g); }
    void apply(const Context<float>& c, const float* m, float* out) const override {
        std::copy(m, m + c.size(), out);
    }
    void apply(const Context<double>& c, const double* m, double* out) const override {
        std::copy(m, m + c.size(), out);
    }
    bool ownElementwise() const override { return true; }

private:
    template <class T>
    void note(const Context<T>& c, const T* g) const {
        for (Index i = 0; i < c.size(); ++i) {
            c.state[0][i] += T(1);
            c.state[1][i] += g[i];
        }
        if (c.isPiece) return;  // several of them share the numbers
        c.scalars[0] = static_cast<double>(c.salt >> 16);
        c.scalars[1] = static_cast<double>(c.size());
        c.scalars[2] += 1.0;
    }
    std::string called_;
};

// Two metrics one after the other, entry by entry.
class Both final : public Preconditioner {
public:
    Both(std::shared_ptr<const Preconditioner> first, std::shared_ptr<const Preconditioner> second)
        : first_(std::move(first)), second_(std::move(second)) {}
    std::vector<Child> children(Shape s) const override {
        return {{first_.get(), s, "first_"}, {second_.get(), s, "second_"}};
    }
    void observe(const Context<float>& c, const float* g, const float* m) const override { note(c, g, m); }
    void observe(const Context<double>& c, const double* g, const double* m) const override { note(c, g, m); }
    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }
    bool ownElementwise() const override { return true; }

private:
    template <class T>
    void note(const Context<T>& c, const T* g, const T* m) const {
        first_->observe(c.child(0), g, m);
        second_->observe(c.child(1), g, m);
    }
    template <class T>
    void run(const Context<T>& c, const T* m, T* out) const {
        const ArenaFrame frame(*c.arena);
        T* between = c.arena->template take<T>(static_cast<std::size_t>(c.size()));
        first_->apply(c.child(0), m, between);
        second_->apply(c.child(1), between, out);
    }
    std::shared_ptr<const Preconditioner> first_, second_;
};

// Halves its number in each step.
class Halving final : public Scaling {
public:
    std::vector<ScalarSlot> scalars() const override { return {{"halves", 1.0}}; }
    double factor(std::span<const double>, const OracleResult&, const Coupling&) const override {
        return 0.0;
    }
    double factorOf(const Context<float>& c, const OracleResult& o, const Coupling& k) const override {
        return run(c, o, k);
    }
    double factorOf(const Context<double>& c, const OracleResult& o, const Coupling& k) const override {
        return run(c, o, k);
    }
    Rule rule() const override { return Rule::ball; }

private:
    template <class T>
    double run(const Context<T>& c, const OracleResult& oracle, const Coupling& k) const {
        c.scalars[0] *= 0.5;
        return oracle.ballScale * k.ball * c.scalars[0];
    }
};

std::shared_ptr<const Preconditioner> probe(const char* called) { return std::make_shared<Probe>(called); }

// Three deep, with state at every leaf. Grafted takes the whole block, Both also a piece of it.
template <class Composite>
std::shared_ptr<const Preconditioner> nested() {
    const auto make = [](auto first, auto second) -> std::shared_ptr<const Preconditioner> {
        if constexpr (std::is_same_v<Composite, Grafted>)
            return std::make_shared<Grafted>(first, second, 1);
        else
            return std::make_shared<Both>(first, second);
    };
    return make(probe("d"), make(make(probe("a"), probe("b")), probe("c")));
}

const Block::State& entry(const std::vector<Block::State>& all, const std::string& name) {
    for (const auto& state : all)
        if (state.name == name) return state;
    throw std::runtime_error("no state " + name);
}

template <class T>
std::vector<double> values(const Block::State& state) {
    if (state.isScalar) return {*static_cast<const double*>(state.data)};
    const T* data = static_cast<const T*>(state.data);
    return {data, data + state.shape.size()};
}

bool refused(const Pipeline& pipeline, Shape shape, const std::string& text) {
    try {
        pipeline.check(shape);
    } catch (const std::invalid_argument& error) {
        if (std::string(error.what()).find(text) != std::string::npos) return true;
        check::fail(__FILE__, __LINE__, error.what());
    }
    return false;
}

}  // namespace

TEST("each part of a tree has its own arrays, numbers and salt, in blocks and in pieces") {
    support::forBothDtypes([]<class T>(T) {
        for (const bool pieces : {false, true}) {
            Problem<T> problem;
            plans::Pick pick;
            pick.rule = Rule::regularization;
            Pipeline parts = plans::pipeline(pick);
            parts.preconditioner = pieces ? nested<Both>() : nested<Grafted>();
            problem.add({5, 1000}, parts, problem.group(std::nullopt, pick.rule));
            problem.finish();
            CHECK_EQ(problem.plan.divided(0), pieces);
            std::vector<T> sum(problem.gradients[0].size());
            for (int step = 0; step < 3; ++step) {
                problem.refresh();
                for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += problem.gradients[0][i];
                CHECK(!problem.run(Mode::step));
            }
            const auto states = problem.plan.blocks[0]->state();
            CHECK_EQ(states.size(), std::size_t{4 * 5});
            std::set<double> salts;
            // Of Grafted the second part is the one whose length counts.
            for (const char* leaf : pieces ? std::array{"first_d", "second_first_first_a",
                                                        "second_first_second_b", "second_second_c"}
                                           : std::array{"d", "graft_a", "graft_graft_b", "graft_graft_c"})
                entry(states, leaf);
            for (const auto& state : states) {
                if (!state.name.ends_with("_sum")) continue;
                const std::string leaf = state.name.substr(0, state.name.size() - 4);
                CHECK_FOR(leaf, values<T>(state) == std::vector<double>(sum.begin(), sum.end()));
                for (const double x : values<T>(entry(states, leaf))) CHECK_FOR(leaf, x == 6.0);
                CHECK_FOR(leaf, values<T>(entry(states, leaf + "_size"))[0] == (pieces ? 0.0 : 5000.0));
                CHECK_FOR(leaf, values<T>(entry(states, leaf + "_count"))[0] == (pieces ? 5.0 : 8.0));
                salts.insert(values<T>(entry(states, leaf + "_salt"))[0]);
            }
            CHECK_EQ(salts.size(), std::size_t{pieces ? 1u : 4u});
        }
    });
}

TEST("a tree is put back by peek, starts anew with a turn, and bounds what was loaded") {
    Problem<double> problem;
    Pipeline parts = plans::pipeline({});
    parts.preconditioner = nested<Grafted>();
    problem.add({4, 6}, parts, problem.group(std::nullopt, Rule::ball));
    problem.plan.blocks[0]->takesTurns = true;
    problem.finish();
    const auto kept = [&] {
        std::vector<std::vector<double>> result;
        for (const auto& state : problem.plan.blocks[0]->state()) result.push_back(values<double>(state));
        return result;
    };
    const auto fresh = kept();
    problem.run(Mode::step);
    const auto after = kept();
    problem.refresh();
    problem.run(Mode::peek);
    CHECK(kept() == after);
    CHECK(after != fresh);
    problem.plan.blocks[0]->beginTurn(2.0);
    auto begun = kept();
    begun.back() = fresh.back();  // the number of the turn
    CHECK(begun == fresh);
}

TEST("a scaling with state moves inside a switched one") {
    Problem<double> problem;
    Pipeline parts = plans::pipeline({});
    using All = std::vector<std::shared_ptr<const Scaling>>;
    const auto inner =
        std::make_shared<SwitchedScaling>(1.0, All{std::make_shared<Halving>(), std::make_shared<Halving>()});
    parts.scaling =
        std::make_shared<SwitchedScaling>(Value::fromSlot(0), All{inner, std::make_shared<Halving>()});
    problem.add({4, 6}, parts, problem.group(std::nullopt, Rule::ball));
    problem.finish();
    for (const double choice : {0.0, 0.0, 1.0}) {
        problem.slots = {choice};
        CHECK(!problem.run(Mode::step));
    }
    const auto states = problem.plan.blocks[0]->state();
    CHECK(values<double>(entry(states, "scaling0_scaling0_halves"))[0] == 1.0);
    CHECK(values<double>(entry(states, "scaling0_scaling1_halves"))[0] == 0.25);
    CHECK(values<double>(entry(states, "scaling1_halves"))[0] == 0.5);
    CHECK_NEAR(problem.plan.blocks[0]->report.stepSize, 0.1 * 0.5, 1e-12);
}

TEST("updates inside updates keep their own state") {
    Problem<double> problem;
    Pipeline parts = plans::pipeline({});
    const auto ball = std::make_shared<Hyperball>();
    parts.update = std::make_shared<Extrapolated>(std::make_shared<Extrapolated>(ball, 0.5), 0.5);
    problem.add({4, 6}, parts, problem.group(std::nullopt, Rule::ball));
    problem.finish();
    const std::vector<double> before = problem.weights[0];
    double squares = 0.0;
    for (const double w : before) squares += w * w;
    for (int step = 0; step < 3; ++step) CHECK(!problem.run(Mode::step));
    const auto states = problem.plan.blocks[0]->state();
    CHECK_NEAR(values<double>(entry(states, "inner_inner_radius"))[0], std::sqrt(squares), 1e-12);
    CHECK(values<double>(entry(states, "inner_iterate")) != values<double>(entry(states, "iterate")));
}

TEST("facts are folds over the tree") {
    const Shape s{6, 4};
    const auto roots = std::make_shared<KroneckerRoots>(0.9, 1e-8, Refresh{});
    const auto inputs = std::make_shared<KroneckerInverses>(0.9, 1e-3, Refresh{});
    const auto tangent = std::make_shared<TangentProjection>(0.0, std::vector<Lines>{Lines::rows});
    const Grafted deep(std::make_shared<Grafted>(roots, tangent, 1), inputs, 1);
    CHECK(deep.readsWeights());
    CHECK(deep.reads().has(Input::deltas) && !deep.reads().has(Input::perExample));
    CHECK(deep.keepsState(s) && !tangent->keepsState(s));
    CHECK(!deep.elementwise());
    for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
        CHECK(deep.largestMagnitude(s, dtype) == roots->largestMagnitude(s, dtype));
        CHECK(deep.largestSample(s, dtype) == inputs->largestSample(s, dtype));
    }
    const Diagonal largest(std::make_shared<Largest>(std::make_shared<Squares>(0.9)),
                           std::make_shared<Plain>(1e-8));
    CHECK(largest.elementwise());
    CHECK(largest.largestMagnitude(s, Dtype::float32) == Squares(0.9).largestMagnitude(s, Dtype::float32));
    // An average of the lines' gradients, which are sqrt(6) times as large.
    const WeightNormalized normalized(Lines::columns, std::make_shared<NoMomentum>(), roots, 0.0);
    const double wanted = roots->largestMagnitude({4, 1}, Dtype::float32) / std::sqrt(6.0);
    CHECK_NEAR(normalized.largestMagnitude(s, Dtype::float32) / wanted, 1.0, 1e-12);
}

TEST("what a part cannot host is refused in a sentence with both names, at any depth") {
    const Shape s{6, 4};
    const auto estimate = std::make_shared<DistanceEstimate>(
        DistanceEstimate::Options{0.9, 0.999, 0.99, 1e-8, 1e-3, 1.0, 2.0, true, false, 1});
    const auto identity = std::make_shared<Identity>();
    const auto none = std::make_shared<NoMomentum>();
    Pipeline plain = plans::pipeline({});

    Pipeline grafted = plain;
    grafted.preconditioner =
        std::make_shared<Grafted>(identity, std::make_shared<Grafted>(estimate, identity, 1), 1);
    CHECK(refused(grafted, s, "Grafted cannot hold DistanceEstimate, which needs sums"));

    Pipeline framed = plain;
    framed.frame = std::make_shared<RandomRange>(2, 0);
    framed.preconditioner = estimate;
    CHECK(refused(framed, s, "RandomRange cannot hold DistanceEstimate, which needs sums"));
    framed.preconditioner = std::make_shared<TangentProjection>(0.0, std::vector<Lines>{Lines::rows});
    CHECK(refused(framed, s, "RandomRange cannot hold TangentProjection, which reads the weights"));
    framed.preconditioner =
        std::make_shared<Grafted>(identity, std::make_shared<KroneckerInverses>(0.9, 1e-3, Refresh{}), 1);
    CHECK(refused(framed, s, "RandomRange cannot hold Grafted, which reads activations"));

    Pipeline normalized = plain;
    normalized.update =
        std::make_shared<WeightNormalized>(Lines::rows, std::make_shared<Recursive>(0.9), identity, 0.0);
    CHECK(refused(normalized, s, "WeightNormalized cannot hold Recursive, which reads the gradient at the"));
    normalized.update = std::make_shared<WeightNormalized>(
        Lines::rows, std::make_shared<AdaptiveRecursive>(1.0, 1.0), identity, 0.0);
    CHECK(refused(normalized, s, "WeightNormalized cannot hold AdaptiveRecursive, which needs sums"));
    normalized.update = std::make_shared<WeightNormalized>(Lines::rows, none, identity, 0.0);
    normalized.preconditioner = estimate;
    CHECK(refused(normalized, s, "WeightNormalized moves parameters of the weights"));

    Pipeline output = plain;
    output.output = std::make_shared<Recursive>(0.9);
    CHECK(refused(output, s, "Recursive cannot be the momentum of directions"));

    const auto moves = std::make_shared<WeightNormalized>(Lines::rows, none, identity, 0.0);
    CHECK_THROWS_AS(Extrapolated(moves, 0.9), std::invalid_argument);
    CHECK_THROWS_AS(ScheduleFree(moves, 0.9, 0.0, 2.0), std::invalid_argument);
    CHECK_THROWS_AS(ScheduleFree(std::make_shared<Hyperball>(), 0.9, 0.0, 2.0), std::invalid_argument);
    using All = std::vector<std::shared_ptr<const Scaling>>;
    CHECK_THROWS_AS(SwitchedScaling(0.0, All{std::make_shared<NormScaling>(Rule::ball, 1.0),
                                             std::make_shared<NormScaling>(Rule::regularization, 1.0)}),
                    std::invalid_argument);
}

TEST("a geometry inside another one is asked for its shapes") {
    class Square final : public Geometry {
    public:
        OracleResult ball(const OracleContext&, Shape, const float*, float*) const override { return {}; }
        OracleResult ball(const OracleContext&, Shape, const double*, double*) const override { return {}; }
        Scaled norm(const OracleContext&, Shape, const float*) const override { return {}; }
        Scaled norm(const OracleContext&, Shape, const double*) const override { return {}; }
        Scaled dualNorm(const OracleContext&, Shape, const float*) const override { return {}; }
        Scaled dualNorm(const OracleContext&, Shape, const double*) const override { return {}; }
        double dualNormBound(Shape) const override { return 1.0; }
        void ownCheck(Shape s) const override {
            if (s.rows != s.cols) throw std::invalid_argument("not square");
        }
    };
    using All = std::vector<std::shared_ptr<const Geometry>>;
    Pipeline parts = plans::pipeline({});
    parts.geometry = std::make_shared<Switched>(
        0.0,
        All{std::make_shared<Lp>(2.0), std::make_shared<Switched>(0.0, All{std::make_shared<Square>()})});
    parts.check({4, 4});
    CHECK(refused(parts, {4, 5}, "not square"));
}
