#pragma once

#include "base/context.h"
#include "base/kernels.h"
#include "linalg/norms.h"

namespace schattor {

/// Remembers weights before a step, to tell how far it has moved them.
template <class T>
class Displacement {
public:
    Displacement(const Context<T>& c, const T* w)
        : frame_(*c.arena),
          size_(c.size()),
          before_(c.arena->template take<T>(static_cast<std::size_t>(size_))) {
        std::copy(w, w + size_, before_);
    }
    /// Frobenius norm of the difference. Once.
    double norm(const T* w) {
        kernels::combine(size_, 1.0, w, -1.0, before_, before_);
        return frobeniusNorm(size_, before_).full();
    }

private:
    ArenaFrame frame_;
    Index size_;
    T* before_;
};

}  // namespace schattor
