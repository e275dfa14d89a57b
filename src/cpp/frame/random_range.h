#pragma once

#include "frame/frame.h"

namespace schattor {

/// The span of randomly chosen columns of the estimate, on its smaller side (arXiv 2509.11983): with X the
/// estimate, turned so that it is wide, and Q an orthonormal basis of `rank` of its columns, the inside is Q'
/// X and what leaves is Q D. The columns of the next step are drawn at the end of a step, those of the first
/// step in it, from the seed, the block and its count.
class RandomRange final : public Frame {
public:
    RandomRange(Index rank, std::uint64_t seed) : rank_(rank), seed_(seed) {}

    std::vector<StateSlot> state(Shape s) const override { return {{"columns", {1, kept(s)}, -1.0}}; }
    Shape inner(Shape s) const override {
        return s.rows <= s.cols ? Shape{kept(s), s.cols} : Shape{s.rows, kept(s)};
    }
    Index held(Shape s) const override { return s.smaller() * kept(s); }

    /// Sums over a side of the block must fit.
    double ownLargestMagnitude(Shape s, Dtype dtype) const override {
        return largestFinite(dtype) / (8.0 * static_cast<double>(s.larger()));
    }

    void enter(const Context<float>& c, const float* x, float* inside) const override { in(c, x, inside); }
    void enter(const Context<double>& c, const double* x, double* inside) const override { in(c, x, inside); }
    void leave(const Context<float>& c, const float* inside, float* out) const override {
        exit(c, inside, out);
    }
    void leave(const Context<double>& c, const double* inside, double* out) const override {
        exit(c, inside, out);
    }
    void conclude(const Context<float>& c, const float*) const override { draw(c, c.count + 1); }
    void conclude(const Context<double>& c, const double*) const override { draw(c, c.count + 1); }

private:
    Index kept(Shape s) const { return rank_ < s.smaller() ? rank_ : s.smaller(); }
    template <class T>
    void draw(const Context<T>&, std::int64_t count) const;
    template <class T>
    void in(const Context<T>&, const T* x, T* inside) const;
    template <class T>
    void exit(const Context<T>&, const T* inside, T* out) const;

    Index rank_;
    std::uint64_t seed_;
};

}  // namespace schattor
