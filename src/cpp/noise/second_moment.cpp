#include "noise/second_moment.h"

#include "base/kernels.h"
#include "linalg/blas.h"

namespace schattor {
namespace {

// The BLAS sees the transposes of row-major arrays: a tall D as it would see a wide one's turned form.
template <class T>
void addFull(Shape s, double keep, double weight, const T* d, T* sum) {
    const bool wide = s.rows <= s.cols;
    const Index k = s.smaller();
    blas::syrk<T>('L', wide ? 'T' : 'N', k, s.larger(), static_cast<T>(weight), d, s.cols,
                  static_cast<T>(keep), sum, k);
}

template <class T>
void addDiagonal(Shape s, double keep, double weight, const T* d, T* sum) {
    if (s.rows <= s.cols) {
        for (Index i = 0; i < s.rows; ++i) {
            const double squares = kernels::sumOfSquares(s.cols, d + i * s.cols);
            sum[i] = static_cast<T>(keep * static_cast<double>(sum[i]) + weight * squares);
        }
        return;
    }
    kernels::scale(s.cols, keep, sum, sum);
    for (Index i = 0; i < s.rows; ++i) kernels::averageSquares(s.cols, 1.0, weight, d + i * s.cols, sum);
}

// P = D' Omega, then D P.
template <class T>
void addSketch(Shape s, Index rank, double keep, double weight, const T* d, const T* test, T* work, T* sum) {
    const bool wide = s.rows <= s.cols;
    const Index k = s.smaller(), n = s.larger();
    blas::gemm<T>('N', wide ? 'T' : 'N', rank, n, k, T(1), test, rank, d, s.cols, T(0), work, rank);
    blas::gemm<T>('N', wide ? 'N' : 'T', rank, k, n, static_cast<T>(weight), work, rank, d, s.cols,
                  static_cast<T>(keep), sum, rank);
}

}  // namespace

Index SecondMoment::entries() const {
    const Index k = shape.smaller();
    return form == Form::full ? k * k : form == Form::diagonal ? k : k * rank;
}

template <class T>
void SecondMoment::add(double keep, double weight, const T* d, const T* test, T* work, T* sum) const {
    switch (form) {
        case Form::full:
            return addFull(shape, keep, weight, d, sum);
        case Form::diagonal:
            return addDiagonal(shape, keep, weight, d, sum);
        case Form::sketch:
            return addSketch(shape, rank, keep, weight, d, test, work, sum);
    }
}

template <class T>
void addDeviations(const SecondMoment& moment, Index count, const T* x, Rows<const double> centres,
                   double weight, const double* test, Rows<double> sums, Rows<double> traces, Arena& arena) {
    const ArenaFrame frame(arena);
    const Index n = moment.shape.size();
    double* d = arena.take<double>(static_cast<std::size_t>(n));
    double* work = arena.take<double>(static_cast<std::size_t>(moment.workspace()));
    for (Index j = 0; j < count; ++j) {
        const double* centre = centres[j];
        for (Index i = 0; i < n; ++i) d[i] = static_cast<double>(x[j * n + i]) - centre[i];
        moment.add(1.0, weight, d, test, work, sums[j]);
        *traces[j] += weight * kernels::sumOfSquares(n, d);
    }
}

template <class T>
double addDifference(const SecondMoment& moment, double keep, double weight, const T* x, const T* y,
                     const T* test, T* difference, T* work, T* sum) {
    const Index n = moment.shape.size();
    kernels::combine(n, 1.0, x, -1.0, y, difference);
    moment.add(keep, weight, difference, test, work, sum);
    return kernels::sumOfSquares(n, difference);
}

#define SCHATTOR_INSTANTIATE(T)                                                                             \
    template void SecondMoment::add<T>(double, double, const T*, const T*, T*, T*) const;                   \
    template void addDeviations<T>(const SecondMoment&, Index, const T*, Rows<const double>, double,        \
                                   const double*, Rows<double>, Rows<double>, Arena&);                      \
    template double addDifference<T>(const SecondMoment&, double, double, const T*, const T*, const T*, T*, \
                                     T*, T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)
#undef SCHATTOR_INSTANTIATE

}  // namespace schattor
