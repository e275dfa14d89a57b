// Plans for tests: every built-in part by name, and a plan with its own weights and gradients.
#pragma once

#include <limits>
#include <memory>
#include <optional>

#include "estimator/ema.h"
#include "estimator/heavy_ball.h"
#include "estimator/no_momentum.h"
#include "geometry/ky_fan.h"
#include "geometry/lp.h"
#include "geometry/schatten.h"
#include "plan/plan.h"
#include "precond/diagonal.h"
#include "support.h"
#include "transform/l2_decay.h"
#include "update/additive.h"

namespace plans {

using namespace schattor;  // NOLINT: a header of tests

template <class P>
struct Named {
    std::string name;
    std::shared_ptr<const P> part;
};

inline const std::vector<Named<Estimator>>& estimators() {
    static const std::vector<Named<Estimator>> all = [] {
        std::vector<Named<Estimator>> result;
        for (const bool nesterov : {false, true}) {
            const std::string suffix = nesterov ? ", Nesterov" : "";
            result.push_back({"EMA first" + suffix, std::make_shared<Ema>(0.9, EmaInit::first, nesterov)});
            result.push_back({"EMA zero" + suffix, std::make_shared<Ema>(0.9, EmaInit::zero, nesterov)});
            result.push_back(
                {"EMA debiased" + suffix, std::make_shared<Ema>(0.9, EmaInit::debiased, nesterov)});
            result.push_back({"heavy ball first" + suffix,
                              std::make_shared<HeavyBall>(0.9, 0.1, HeavyBallInit::first, nesterov)});
            result.push_back({"heavy ball zero" + suffix,
                              std::make_shared<HeavyBall>(0.9, 0.1, HeavyBallInit::zero, nesterov)});
        }
        result.push_back({"no momentum", std::make_shared<NoMomentum>()});
        return result;
    }();
    return all;
}

inline const std::vector<Named<Geometry>>& geometries() {
    static const std::vector<Named<Geometry>> all = [] {
        const double infinity = std::numeric_limits<double>::infinity();
        std::vector<Named<Geometry>> result;
        for (const double p : {1.0, 1.5, 2.0, 4.0, infinity}) {
            const std::string name = "p = " + check::show(p);
            result.push_back({"Schatten " + name, std::make_shared<Schatten>(p)});
            result.push_back({"Schatten by svd, " + name,
                              std::make_shared<Schatten>(p, Schatten::Options{.route = findRoute("svd")})});
            result.push_back({"Lp " + name, std::make_shared<Lp>(p)});
        }
        for (const CoefficientSet& set : coefficientSets())
            result.push_back({"Newton-Schulz " + std::string(set.name),
                              std::make_shared<Schatten>(
                                  infinity, Schatten::Options{.route = findRoute("newton_schulz"),
                                                              .iteration = makeIteration(set.name)})});
        result.push_back({"KyFan by svd", std::make_shared<KyFan>(2, KyFan::Route::svd, std::nullopt, 0)});
        result.push_back(
            {"KyFan by subspace", std::make_shared<KyFan>(2, KyFan::Route::subspace, std::nullopt, 0)});
        return result;
    }();
    return all;
}

inline const std::vector<Named<Update>>& updates() {
    static const std::vector<Named<Update>> all = {
        {"no decay", std::make_shared<Additive>(Decay::none, 0.0)},
        {"decoupled decay", std::make_shared<Additive>(Decay::decoupled, 0.1)},
        {"independent decay", std::make_shared<Additive>(Decay::independent, 0.01)},
        {"cautious decay", std::make_shared<Additive>(Decay::cautious, 0.1)},
    };
    return all;
}

// What fills the slots of a pipeline; the defaults are the plainest parts.
struct Pick {
    std::shared_ptr<const Estimator> estimator = std::make_shared<NoMomentum>();
    std::shared_ptr<const Geometry> geometry = std::make_shared<Lp>(2.0);
    std::shared_ptr<const Update> update = std::make_shared<Additive>(Decay::none, 0.0);
    bool l2Decay = false;
    bool secondMoment = false;
    Rule rule = Rule::ball;
};

inline std::shared_ptr<const Preconditioner> adam(Value beta, Value eps) {
    return std::make_shared<Diagonal>(std::make_shared<Squares>(beta),
                                      std::make_shared<Debiased>(beta, eps, 0.0));
}

inline Pipeline pipeline(const Pick& pick) {
    Pipeline result;
    if (pick.l2Decay) result.transforms.push_back(std::make_shared<L2Decay>(0.01));
    result.estimator = pick.estimator;
    if (pick.secondMoment) result.preconditioner = adam(0.99, 1e-8);
    result.geometry = pick.geometry;
    result.scaling = std::make_shared<NormScaling>(pick.rule, 0.75);
    result.update = pick.update;
    return result;
}

// The i-th of all combinations of estimator, update, transform and preconditioner.
inline Pick combination(std::size_t i, const Geometry& geometry, Rule rule) {
    Pick pick;
    pick.estimator = estimators()[i % estimators().size()].part;
    i /= estimators().size();
    pick.update = updates()[i % updates().size()].part;
    i /= updates().size();
    pick.l2Decay = i % 2 == 1;
    pick.secondMoment = i / 2 % 2 == 1;
    pick.geometry =
        std::shared_ptr<const Geometry>(std::shared_ptr<void>(), &geometry);  // lives in geometries()
    pick.rule = rule;
    return pick;
}

inline std::size_t combinations() { return estimators().size() * updates().size() * 4; }

// A plan with weights, gradients and targets of its own.
template <class T>
class Problem {
public:
    explicit Problem(bool deterministic = true, int threads = 1) : plan(deterministic, threads) {}

    std::size_t group(std::optional<double> outer, Rule rule, Value lr = 0.1) {
        Group g;
        g.lr = lr;
        g.rule = rule;
        if (outer) g.coupler.emplace(*outer);
        return plan.addGroup(std::move(g));
    }

    void add(Shape shape, Pipeline parts, std::size_t group, Value weight = 1.0) {
        const auto seed = static_cast<unsigned>(weights.size());
        weights.push_back(support::gaussian<T>(shape.size(), 1000 + seed));
        gradients.push_back(support::gaussian<T>(shape.size(), 2000 + seed));
        targets.push_back(std::vector<T>(weights.back().size(), T(99)));
        plan.addBlock(makeBlock("block " + std::to_string(seed), shape, dtypeOf<T>, weights.back().data(),
                                std::move(parts)),
                      group, weight);
    }

    void finish() {
        plan.finish();
        io.resize(plan.blocks.size());
        present.assign(plan.blocks.size(), true);
    }

    Refusal run(Mode mode) {
        static const T empty{};
        for (std::size_t i = 0; i < io.size(); ++i) {
            const T* g = gradients[i].empty() ? &empty : gradients[i].data();
            io[i].gradient = present[i] ? g : nullptr;
            io[i].target = mode == Mode::step ? weights[i].data() : targets[i].data();
        }
        return plan.run(mode, io, slots);
    }

    // Other gradients than before.
    void refresh() {
        ++seed_;
        for (std::size_t i = 0; i < gradients.size(); ++i)
            gradients[i] = support::gaussian<T>(static_cast<Index>(gradients[i].size()),
                                                3000 + 101 * seed_ + static_cast<unsigned>(i));
    }

    // All that a step may change, as values: weights, state arrays, counts and step numbers.
    struct Snapshot {
        std::vector<std::vector<T>> weights, states;
        std::vector<std::int64_t> counts;
        bool operator==(const Snapshot&) const = default;
    };
    Snapshot snapshot() {
        Snapshot result{weights, {}, {plan.step, plan.skippedSteps, plan.reportStep}};
        for (auto& block : plan.blocks) {
            result.counts.push_back(block->count);
            for (const Block::State& s : block->state()) {
                const T* data = static_cast<const T*>(s.data);
                result.states.emplace_back(data, data + s.shape.size());
            }
        }
        return result;
    }

    Plan plan;
    std::vector<std::vector<T>> weights, gradients, targets;
    std::vector<BlockIo> io;
    std::vector<bool> present;
    std::vector<double> slots;

private:
    unsigned seed_ = 0;
};

// Shapes that try a part: scalars, vectors both ways, tall, wide, square, empty.
inline const std::vector<Shape>& oddShapes() {
    static const std::vector<Shape> shapes = {{1, 1},   {1, 17},  {17, 1},  {97, 3}, {3, 97},
                                              {16, 16}, {13, 29}, {29, 13}, {0, 5},  {5, 0}};
    return shapes;
}

}  // namespace plans
