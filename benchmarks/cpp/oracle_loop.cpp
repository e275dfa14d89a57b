// One side of a benchmark: a plain loop of oracle calls, or of LAPACK's SVD alone, over matrices from
// a file. The harness (benchmarks/harness.py) starts it and sends commands on standard input:
//
//     check             two entries of the first direction (0 for gesdd), to compare with the other sides
//     B C               B batches of C calls each; answers, for each batch, the nanoseconds per call on
//                       the wall clock and of processor time
//
// Usage: oracle_loop {gesdd|oracle} {float32|float64} ROWS COLS P FILE
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "geometry/schatten.h"
#include "linalg/blas_threads.h"

// The core itself uses gesdd in double only; here each dtype has its own.
#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define F77(name) JOIN(SCHATTOR_F77_PREFIX, name, _)
#define DECLARE_GESDD(T, name)                                                                             \
    extern "C" void F77(name)(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*, \
                              const int*, T*, const int*, int*, int*, std::size_t);
DECLARE_GESDD(float, sgesdd)
DECLARE_GESDD(double, dgesdd)

namespace {

using namespace schattor;  // NOLINT

[[noreturn]] void fail(const std::string& message) {
    std::cerr << "oracle_loop: " << message << '\n';
    std::exit(2);
}

template <class T>
std::vector<T> readAll(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) fail(std::string("cannot read ") + path);
    std::vector<T> values(static_cast<std::size_t>(file.tellg()) / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(T)));
    return values;
}

// The library's ball oracle, with its arena made beforehand as the plan does.
template <class T>
class Oracle {
public:
    Oracle(Shape shape, double p)
        : shape_(shape),
          geometry_(p, {.route = schattor::findRoute("svd")}),
          arena_(likelyScratch(shape)),
          direction_(static_cast<std::size_t>(shape.size())) {}

    void operator()(const T* g) {
        const OracleResult result = geometry_.ball({{}, &arena_}, shape_, g, direction_.data());
        if (result.fallbacks != 0) fail("the SVD fell back");
    }
    const T* result() const { return direction_.data(); }

private:
    Shape shape_;
    Schatten geometry_;
    Arena arena_;
    std::vector<T> direction_;
};

// LAPACK's gesdd with vectors and the workspace that it asks for; it destroys its input, hence the copy.
// LAPACK sees the transpose of the row-major matrix.
template <class T>
class Gesdd {
public:
    Gesdd(Shape shape, double)
        : m_(static_cast<int>(shape.cols)),
          n_(static_cast<int>(shape.rows)),
          k_(std::min(m_, n_)),
          copy_(static_cast<std::size_t>(shape.size())),
          sigma_(static_cast<std::size_t>(k_)),
          left_(static_cast<std::size_t>(m_ * k_)),
          right_(static_cast<std::size_t>(k_ * n_)),
          work_(1),
          iwork_(static_cast<std::size_t>(8 * k_)) {
        run(-1);
        work_.resize(static_cast<std::size_t>(work_[0]));
    }

    void operator()(const T* g) {
        std::memcpy(copy_.data(), g, copy_.size() * sizeof(T));
        run(static_cast<int>(work_.size()));
    }
    const T* result() const { return nullptr; }

private:
    void run(int workspace) {
        int info = 0;
        const auto call = [&](auto gesdd) {
            gesdd("S", &m_, &n_, copy_.data(), &m_, sigma_.data(), left_.data(), &m_, right_.data(), &k_,
                  work_.data(), &workspace, iwork_.data(), &info, std::size_t{1});
        };
        if constexpr (std::is_same_v<T, float>)
            call(&F77(sgesdd));
        else
            call(&F77(dgesdd));
        if (info != 0) fail("gesdd did not converge");
    }

    int m_, n_, k_;
    std::vector<T> copy_, sigma_, left_, right_, work_;
    std::vector<int> iwork_;
};

template <class T, template <class> class Side>
int serve(Shape shape, double p, const char* path) {
    const std::vector<T> data = readAll<T>(path);
    const auto size = static_cast<std::size_t>(shape.size());
    const std::size_t count = size == 0 ? 0 : data.size() / size;
    if (count == 0) fail("the file holds no matrix of this shape");
    Side<T> side(shape, p);
    const SingleThreadedBlas single;
    std::size_t next = 0;
    for (std::string command; std::cin >> command;) {
        if (command == "check") {
            side(data.data());
            const T* d = side.result();
            std::printf("%.17g %.17g\n", d ? static_cast<double>(d[0]) : 0.0,
                        d ? static_cast<double>(d[size - 1]) : 0.0);
        } else {
            long calls = 0;
            std::cin >> calls;
            for (long batch = std::stol(command); batch > 0; --batch) {
                using Clock = std::chrono::steady_clock;
                const std::clock_t cpuBegin = std::clock();
                const auto begin = Clock::now();
                for (long i = 0; i < calls; ++i) {
                    side(data.data() + next * size);
                    next = next + 1 == count ? 0 : next + 1;
                }
                const std::chrono::duration<double, std::nano> wall = Clock::now() - begin;
                const double cpu = static_cast<double>(std::clock() - cpuBegin) * (1e9 / CLOCKS_PER_SEC);
                std::printf("%.1f %.1f ", wall.count() / static_cast<double>(calls),
                            cpu / static_cast<double>(calls));
            }
            std::printf("\n");
        }
        std::fflush(stdout);
    }
    return 0;
}

template <class T>
int serveNamed(const std::string& what, Shape shape, double p, const char* path) {
    if (what == "oracle") return serve<T, Oracle>(shape, p, path);
    if (what == "gesdd") return serve<T, Gesdd>(shape, p, path);
    fail("unknown side " + what);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) fail("usage: oracle_loop {gesdd|oracle} {float32|float64} ROWS COLS P FILE");
    const Shape shape{std::stol(argv[3]), std::stol(argv[4])};
    const double p = std::stod(argv[5]);
    const std::string dtype = argv[2];
    if (dtype == "float32") return serveNamed<float>(argv[1], shape, p, argv[6]);
    if (dtype == "float64") return serveNamed<double>(argv[1], shape, p, argv[6]);
    fail("unknown dtype " + dtype);
}
