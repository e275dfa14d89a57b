#include "plan/batch.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "base/kernels.h"
#include "base/pool.h"
#include "linalg/blas_threads.h"

namespace schattor {

template <class T>
Index batchedBall(const Geometry& geometry, Shape shape, std::span<OracleResult> results, const T* g, T* d,
                  std::optional<int> limit, bool measure) {
    const auto count = static_cast<Index>(results.size());
    const int threads = limit.value_or(defaultThreads());
    // Threads inside a matrix, at three quarters of full efficiency, beat idle threads beside it.
    const bool few = static_cast<double>(count) < 0.75 * threads && shape.smaller() >= threadedBlasFrom;
    const double cost = 2000.0 + static_cast<double>(shape.size()) * static_cast<double>(shape.smaller());
    const bool small = static_cast<double>(count) * cost < Pool::worthwhile;
    const SingleThreadedBlas single(!few);
    const int workers = few || small ? 1 : static_cast<int>(std::min<Index>(threads, count));
    std::vector<Arena> arenas(static_cast<std::size_t>(std::max(1, workers)));
    for (Arena& arena : arenas) arena.reserve(likelyScratch(shape));
    const Team team(threads);
    std::atomic<Index> notFinite = 0;
    Pool::run(workers, count, [&](int worker, Index i) {
        const Index size = shape.size();
        const T* const matrix = g + i * size;
        if (const Index found = kernels::countNonFinite(size, matrix)) {
            notFinite += found;
            return;
        }
        OracleResult& r = results[static_cast<std::size_t>(i)];
        r = geometry.ball(
            {{}, &arenas[static_cast<std::size_t>(worker)], measure, false, few ? &team : nullptr}, shape,
            matrix, d + i * size);
        if (r.ballScale != 1.0 && r.backend != Backend::none && std::isfinite(r.ballScale))
            kernels::scale(size, r.ballScale, d + i * size, d + i * size);
    });
    return notFinite;
}

template Index batchedBall<float>(const Geometry&, Shape, std::span<OracleResult>, const float*, float*,
                                  std::optional<int>, bool);
template Index batchedBall<double>(const Geometry&, Shape, std::span<OracleResult>, const double*, double*,
                                   std::optional<int>, bool);

}  // namespace schattor
