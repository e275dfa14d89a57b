#pragma once

#include "base/team.h"

/// Householder reflectors in blocks, column-major: Q = I - V T V' with V unit lower trapezoidal and T upper
/// triangular (Schreiber and Van Loan 1989).
namespace schattor::reflectors {

/// The widest block of reflectors.
inline constexpr Index widest = 32;

/// One block of reflectors as products use it: V is rows x width with its unit diagonal and the zeros above
/// it written out; T is width x width with leading dimension `widest`.
template <class T>
struct Block {
    Index rows = 0;
    Index width = 0;
    T* v = nullptr;
    Index ldv = 0;
    T* t = nullptr;
    T* tau = nullptr;
};

/// QR factorisation of the panel p (rows x width), whose entries are at most about one, as LAPACK's geqrf
/// leaves it, R in the upper triangle and the reflectors below it; also fills the block's V and T.
template <class T>
void factor(T* p, Index ldp, const Block<T>& block);

/// Writes out V and T of a factored panel from its reflectors and tau.
template <class T>
void unpack(const T* p, Index ldp, const Block<T>& block);

/// C = Q C, or Q' C; C has block.rows rows. `work` holds width * cols numbers.
template <class T>
void applyLeft(const Block<T>& block, bool transposed, Index cols, T* c, Index ldc, T* work,
               const Team* team);

/// C = C Q, or C Q'; C has block.rows columns. `work` holds rows * width numbers.
template <class T>
void applyRight(const Block<T>& block, bool transposed, Index rows, T* c, Index ldc, T* work,
                const Team* team);

}  // namespace schattor::reflectors
