#include "linalg/band_reduction.h"

#include <algorithm>

namespace schattor {
namespace {

using reflectors::widest;

constexpr Index square(Index n) { return n * n; }

bool isTall(Index rows, Index cols) { return 2 * rows >= 3 * cols; }

struct Sizes {
    Index x, core, panel, triangle;
};

Sizes sizes(Index rows, Index cols) {
    return {rows * cols, isTall(rows, cols) ? square(cols) : 0, rows * reflectors::widest,
            square(reflectors::widest)};
}

}  // namespace

template <class T>
BandReduction<T>::BandReduction(Index rows, Index cols, Index width, Arena& arena)
    : rows_(rows), cols_(cols), width_(width), triangularFirst_(isTall(rows, cols)) {
    const Sizes s = sizes(rows, cols);
    const auto take = [&](Index n) { return arena.take<T>(static_cast<std::size_t>(n)); };
    x_ = take(s.x);
    core_ = triangularFirst_ ? take(s.core) : x_;
    coreRows_ = triangularFirst_ ? cols : rows;
    coreLd_ = coreRows_;
    panel_ = take(s.panel);
    v_ = take(s.panel);
    t_ = take(s.triangle);
    work_ = take(s.panel);
    firstTau_ = take(cols);
    leftTau_ = take(cols);
    rightTau_ = take(cols);
}

template <class T>
typename BandReduction<T>::Block BandReduction<T>::block(Index rows, Index width, Index ldv, T* tau) {
    return {rows, width, v_, ldv, t_, tau};
}

// Reflector c from the left has its 1 in row c.
template <class T>
typename BandReduction<T>::Block BandReduction<T>::leftBlock(Index begin, Index width) {
    return block(coreRows_ - begin, std::min(width, cols_ - begin), coreRows_, leftTau_ + begin);
}

// Reflector c from the right has its 1 in column c + width_; those beyond the last column do nothing.
template <class T>
typename BandReduction<T>::Block BandReduction<T>::rightBlock(Index begin, Index width) {
    const Index rows = std::max<Index>(0, cols_ - begin - width_);
    return block(rows, std::min(width, rows), cols_, rightTau_ + begin);
}

// X = Q R by blocks; the core becomes R.
template <class T>
void BandReduction<T>::triangularize(const Team* team) {
    for (Index begin = 0; begin < cols_; begin += widest) {
        const Block b = block(rows_ - begin, std::min(widest, cols_ - begin), rows_, firstTau_ + begin);
        T* corner = x_ + begin * (rows_ + 1);
        reflectors::factor(corner, rows_, b);
        reflectors::applyLeft(b, true, cols_ - begin - b.width, corner + b.width * rows_, rows_, work_, team);
    }
    for (Index j = 0; j < cols_; ++j) {
        std::copy(x_ + j * rows_, x_ + j * rows_ + j + 1, core_ + j * cols_);
        std::fill(core_ + j * cols_ + j + 1, core_ + (j + 1) * cols_, T(0));
    }
}

// The rows of the core from `begin` on, right of the diagonal block, as the columns of a panel.
template <class T>
void BandReduction<T>::copyRows(Index begin, const Block& right) {
    const T* row = core_ + begin + (begin + width_) * coreLd_;
    for (Index i = 0; i < right.rows; ++i)
        for (Index c = 0; c < right.width; ++c) panel_[c * cols_ + i] = row[i * coreLd_ + c];
}

template <class T>
void BandReduction<T>::writeRows(Index begin, const Block& right) {
    T* row = core_ + begin + (begin + width_) * coreLd_;
    for (Index i = 0; i < right.rows; ++i)
        for (Index c = 0; c < right.width; ++c) row[i * coreLd_ + c] = panel_[c * cols_ + i];
}

// Panel after panel: reflectors from the left clear the columns below the diagonal block, reflectors from the
// right the rows beyond the block next to it.
template <class T>
void BandReduction<T>::reduceCore(const Team* team) {
    for (Index begin = 0; begin < cols_; begin += width_) {
        const Block left = leftBlock(begin, width_);
        T* corner = core_ + begin * (coreLd_ + 1);
        reflectors::factor(corner, coreLd_, left);
        const Index beside = cols_ - begin - left.width;
        reflectors::applyLeft(left, true, beside, corner + left.width * coreLd_, coreLd_, work_, team);
        if (beside <= 0) return;
        // All rows of the panel, also where fewer columns than rows are left.
        Block right = block(beside, width_, cols_, rightTau_ + begin);
        copyRows(begin, right);
        reflectors::factor(panel_, cols_, right);
        writeRows(begin, right);
        reflectors::applyRight(right, false, left.rows - width_, corner + width_ * (coreLd_ + 1), coreLd_,
                               work_, team);
    }
}

template <class T>
void BandReduction<T>::reduce(const Team* team) {
    if (triangularFirst_) triangularize(team);
    reduceCore(team);
}

// The reflectors come back in the widest blocks, whatever the width of the band: they are stored as one
// sequence.
template <class T>
void BandReduction<T>::restore(T* c, Index ldc, const Team* team) {
    for (Index j = 0; j < cols_; ++j) std::fill(c + j * ldc + cols_, c + j * ldc + rows_, T(0));
    const Index last = (cols_ - 1) / widest * widest;
    for (Index begin = last; begin >= 0; begin -= widest) {
        const Block right = rightBlock(begin, widest);
        if (right.width == 0) continue;
        copyRows(begin, right);
        reflectors::unpack(panel_, cols_, right);
        reflectors::applyRight(right, true, cols_, c + (begin + width_) * ldc, ldc, work_, team);
    }
    for (Index begin = last; begin >= 0; begin -= widest) {
        const Block left = leftBlock(begin, widest);
        reflectors::unpack(core_ + begin * (coreLd_ + 1), coreLd_, left);
        reflectors::applyLeft(left, false, cols_, c + begin, ldc, work_, team);
    }
    if (!triangularFirst_) return;
    for (Index begin = last; begin >= 0; begin -= widest) {
        const Block b = block(rows_ - begin, std::min(widest, cols_ - begin), rows_, firstTau_ + begin);
        reflectors::unpack(x_ + begin * (rows_ + 1), rows_, b);
        reflectors::applyLeft(b, false, cols_, c + begin, ldc, work_, team);
    }
}

template class BandReduction<float>;
template class BandReduction<double>;

}  // namespace schattor
