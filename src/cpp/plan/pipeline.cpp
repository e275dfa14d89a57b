#include "plan/pipeline.h"

#include <stdexcept>

namespace schattor {

std::vector<Child> Pipeline::parts(Shape shape) const {
    std::vector<Child> result(ofAdjustments());
    const Shape inside = inner(shape);
    // The frame turns the block into other coordinates, and nothing else.
    const Inputs hidden = frame ? Inputs::except({}) : Inputs();
    result[ofEstimator] = {estimator.get(), shape};
    result[ofFrame] = {frame.get(), shape};
    result[ofPreconditioner] = {preconditioner.get(), inside, "", 1.0, hidden};
    result[ofGeometry] = {geometry.get(), inside, "", 1.0, hidden};
    result[ofScaling] = {scaling.get(), shape};
    result[ofOutput] = {output.get(), shape, "output_"};
    result[ofUpdate] = {update.get(), shape};
    for (std::size_t i = 0; i < transforms.size(); ++i)
        result[ofTransforms + i] = {transforms[i].get(), shape};
    for (const auto& adjustment : adjustments) result.push_back({adjustment.get(), shape});
    return result;
}

std::optional<Pipeline::Slot> Pipeline::sharingSlot() const {
    if (estimator->sums() > 0) return ofEstimator;
    if (preconditioner && preconditioner->sums() > 0) return ofPreconditioner;
    return std::nullopt;
}

const Sharing* Pipeline::sharing() const {
    const std::optional<Slot> slot = sharingSlot();
    if (!slot) return nullptr;
    return *slot == ofEstimator ? static_cast<const Sharing*>(estimator.get()) : preconditioner.get();
}

namespace {

[[noreturn]] void refuse(const std::string& text) { throw std::invalid_argument(text); }

void checkSharing(const Pipeline& parts, Shape shape) {
    const Sharing* const sharing = parts.sharing();
    if (sharing == nullptr) return;
    const std::string needs = sharing->name() + ", which needs sums over the blocks";
    if (sharing == parts.estimator.get() && parts.preconditioner && parts.preconditioner->sums() > 0)
        refuse(parts.preconditioner->name() + " cannot stand beside " + needs + " too");
    for (const auto& transform : parts.transforms)  // they run twice
        if (transform->keepsState(shape))
            refuse(transform->name() + " keeps state and cannot stand before " + needs);
    if (parts.update->pullsBack())  // measured before that
        refuse(parts.update->name() + " moves parameters of the weights and cannot follow " + needs);
}

}  // namespace

void Pipeline::check(Shape shape) const {
    for (const Child& child : parts(shape)) {
        if (child.part == nullptr) continue;
        child.part->check(child.shape);
        child.part->checkChildren(child.shape);
        const bool inside = child.part == preconditioner.get() || child.part == geometry.get();
        if (frame && inside) checkHeld(*frame, child);
    }
    if (output) {
        if (output->sums() > 0 || !output->isLinear())
            refuse(output->name() + " cannot be the momentum of directions, which must be linear in them");
    }
    checkSharing(*this, shape);
}

Inputs Pipeline::reads() const {
    Inputs result;
    for (const Child& child : parts({2, 2}))
        if (child.part != nullptr) result = result | child.part->reads();
    return result;
}

bool Pipeline::divisible(Shape shape) const {
    if (output || frame || !adjustments.empty() || sharing() != nullptr) return false;
    for (const auto& transform : transforms)
        if (!transform->elementwise()) return false;
    if (preconditioner && !preconditioner->elementwise()) return false;
    const std::optional<double> r = geometry->pieceExponent(shape);
    return r && MixedNorm(*r).separates(scaling->rule()) && estimator->elementwise() &&
           scaling->elementwise() && update->elementwise();
}

}  // namespace schattor
