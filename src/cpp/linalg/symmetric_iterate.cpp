#include "linalg/symmetric_iterate.h"

#include <algorithm>
#include <utility>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/symmetric_product.h"

namespace schattor {

template <class T>
SymmetricIterate<T>::SymmetricIterate(Shape shape, T* x, Arena& arena)
    : shape_(shape),
      k_(shape.smaller()),
      result_(x),
      x_(x),
      next_(arena.take<T>(static_cast<std::size_t>(shape.size()))),
      gram_(arena.take<T>(static_cast<std::size_t>(k_ * k_))),
      polynomial_(arena.take<T>(static_cast<std::size_t>(k_ * k_))) {
    if (defers(shape)) product_ = arena.take<T>(static_cast<std::size_t>(k_ * k_));
    formGram();
}

template <class T>
void SymmetricIterate<T>::formGram() {
    symmetric::gram(shape_, x_, gram_);
    complete_ = squared_ = false;
}

template <class T>
void SymmetricIterate<T>::completeGram() {
    if (!complete_) symmetric::mirror(k_, gram_);
    complete_ = true;
}

template <class T>
const T* SymmetricIterate<T>::square() {
    completeGram();
    if (!squared_) symmetric::product(k_, T(1), gram_, gram_, T(0), polynomial_);
    squared_ = true;
    return polynomial_;
}

// polynomial_ = a I + b A + c A^2
template <class T>
void SymmetricIterate<T>::formPolynomial(const Triple& triple) {
    const auto [a, b, c] = triple;
    if (c != 0.0)
        square();
    else
        std::fill(polynomial_, polynomial_ + k_ * k_, T(0));
    symmetric::addPolynomial(k_, static_cast<T>(a), static_cast<T>(b), static_cast<T>(c), gram_, polynomial_);
    squared_ = false;
}

template <class T>
void SymmetricIterate<T>::step(const Triple& triple, bool deferred) {
    formPolynomial(triple);
    if (!deferred) {
        const T* factor = polynomial_;
        if (pending_) {
            symmetric::product(k_, T(1), product_, polynomial_, T(0), gram_);
            symmetric::mirror(k_, gram_);
            factor = gram_;
        }
        symmetric::apply(shape_, factor, x_, next_);
        std::swap(x_, next_);
        pending_ = false;
        formGram();
        return;
    }
    completeGram();
    symmetric::product(k_, T(1), gram_, polynomial_, T(0), next_);
    symmetric::mirror(k_, next_);
    symmetric::product(k_, T(1), next_, polynomial_, T(0), gram_);
    if (pending_) {
        symmetric::product(k_, T(1), product_, polynomial_, T(0), next_);
        symmetric::mirror(k_, next_);
        std::copy(next_, next_ + k_ * k_, product_);
    } else {
        std::swap(product_, polynomial_);
    }
    pending_ = true;
    complete_ = squared_ = false;
}

template <class T>
void SymmetricIterate<T>::applyDeferred() {
    symmetric::apply(shape_, product_, x_, next_);
    std::swap(x_, next_);
    pending_ = false;
}

template <class T>
const T* SymmetricIterate<T>::cholesky(T shift) {
    std::copy(gram_, gram_ + k_ * k_, next_);
    for (Index i = 0; i < k_; ++i) next_[i * k_ + i] -= shift;
    return blas::potrf<T>('L', k_, next_, k_) == 0 ? next_ : nullptr;
}

template <class T>
void SymmetricIterate<T>::multiply(const T* x, T* y) {
    completeGram();
    for (Index j = 0; j < k_; ++j) y[j] = static_cast<T>(kernels::dot(k_, gram_ + j * k_, x));
}

template <class T>
void SymmetricIterate<T>::finish() {
    if (x_ != result_) std::copy(x_, x_ + shape_.size(), result_);
}

template class SymmetricIterate<float>;
template class SymmetricIterate<double>;

}  // namespace schattor
