#include "noise/second_moment.h"

#include "support.h"

using namespace schattor;  // NOLINT

namespace {

// One size below the BLAS's own blocks, vectors, and sizes off every tile.
const std::vector<Shape> shapes = {{1, 1}, {1, 7}, {7, 1}, {5, 5}, {13, 40}, {40, 13}, {65, 70}, {70, 65}};
constexpr Form forms[] = {Form::full, Form::diagonal, Form::sketch};
constexpr Index rank = 3;

SecondMoment momentOf(Form form, Shape s) {
    return {form, s, form == Form::sketch ? std::min(rank, s.smaller()) : 0};
}

// Entry (i, j) of D, turned so that it is wide.
template <class T>
double entry(Shape s, const T* d, Index i, Index j) {
    return static_cast<double>(s.rows <= s.cols ? d[i * s.cols + j] : d[j * s.cols + i]);
}

// D D' by its definition, in double.
template <class T>
std::vector<double> literal(Shape s, const T* d) {
    const Index k = s.smaller();
    std::vector<double> c(static_cast<std::size_t>(k * k), 0.0);
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j)
            for (Index l = 0; l < s.larger(); ++l)
                c[static_cast<std::size_t>(i * k + j)] += entry(s, d, i, l) * entry(s, d, j, l);
    return c;
}

// What the form keeps of a k x k matrix; entries of the full form that nobody writes are left as `old`.
template <class T>
std::vector<double> kept(const SecondMoment& m, const std::vector<double>& c, const std::vector<T>& test,
                         const std::vector<double>& old) {
    const Index k = m.shape.smaller();
    std::vector<double> result = old;
    for (Index i = 0; i < k; ++i) {
        if (m.form == Form::diagonal)
            result[static_cast<std::size_t>(i)] = c[static_cast<std::size_t>(i * k + i)];
        for (Index j = i; m.form == Form::full && j < k; ++j)
            result[static_cast<std::size_t>(i * k + j)] = c[static_cast<std::size_t>(i * k + j)];
        for (Index r = 0; m.form == Form::sketch && r < m.rank; ++r) {
            double sum = 0.0;
            for (Index l = 0; l < k; ++l)
                sum += c[static_cast<std::size_t>(i * k + l)] *
                       static_cast<double>(test[static_cast<std::size_t>(l * m.rank + r)]);
            result[static_cast<std::size_t>(i * m.rank + r)] = sum;
        }
    }
    return result;
}

template <class T>
struct Case {
    SecondMoment moment;
    std::vector<T> x, y, test, work, difference, sum;

    explicit Case(SecondMoment m)
        : moment(m),
          x(support::gaussian<T>(m.shape.size(), 1)),
          y(support::gaussian<T>(m.shape.size(), 2)),
          test(support::gaussian<T>(m.shape.smaller() * std::max<Index>(m.rank, 1), 3)),
          work(static_cast<std::size_t>(m.workspace())),
          difference(x.size()),
          sum(support::gaussian<T>(m.entries(), 4)) {}
};

// Sums over a side of products of normal numbers, and over another for a sketch.
template <class T>
double tolerance(Shape s) {
    return 8.0 * static_cast<double>(s.larger() * s.smaller()) *
           static_cast<double>(std::numeric_limits<T>::epsilon());
}

template <class T>
void checkAdd(Form form, Shape s, double keep, double weight) {
    Case<T> c(momentOf(form, s));
    const std::vector<double> old(c.sum.begin(), c.sum.end());
    const std::vector<double> fresh = kept(c.moment, literal(s, c.x.data()), c.test, old);
    c.moment.add(keep, weight, c.x.data(), c.test.data(), c.work.data(), c.sum.data());
    for (std::size_t i = 0; i < old.size(); ++i) {
        const Index k = s.smaller(), row = static_cast<Index>(i) / k, col = static_cast<Index>(i) % k;
        if (form == Form::full && row > col) continue;  // the lower triangle is nobody's
        const double expected = keep * old[i] + weight * fresh[i];
        CHECK_FOR(support::text(s) + support::nameOf<T>, std::abs(static_cast<double>(c.sum[i]) - expected) <=
                                                             tolerance<T>(s) * (1.0 + std::abs(expected)));
    }
}

}  // namespace

TEST("every form is the weighted sum of second moments, on the side of the smaller dimension") {
    support::forBothDtypes([](auto zero) {
        for (const Form form : forms)
            for (const Shape s : shapes)
                for (const auto& [keep, weight] : {std::pair{1.0, 1.0}, {0.0, 0.5}, {0.9, 0.1}, {1.0, -1.25}})
                    checkAdd<decltype(zero)>(form, s, keep, weight);
    });
}

TEST("a difference is added as the matrix that it is, and its squared length comes back") {
    support::forBothDtypes([](auto zero) {
        using T = decltype(zero);
        for (const Form form : forms)
            for (const Shape s : shapes) {
                Case<T> c(momentOf(form, s)), direct(momentOf(form, s));
                double squares = 0.0;
                for (std::size_t i = 0; i < c.x.size(); ++i) {
                    direct.x[i] = c.x[i] - c.y[i];
                    squares += static_cast<double>(direct.x[i]) * static_cast<double>(direct.x[i]);
                }
                const double found = addDifference(c.moment, 0.75, 0.5, c.x.data(), c.y.data(), c.test.data(),
                                                   c.difference.data(), c.work.data(), c.sum.data());
                direct.moment.add(0.75, 0.5, direct.x.data(), direct.test.data(), direct.work.data(),
                                  direct.sum.data());
                CHECK_FOR(support::text(s), c.sum == direct.sum);
                CHECK_FOR(support::text(s),
                          std::abs(found - squares) <= tolerance<double>(s) * (1.0 + squares));
            }
    });
}

TEST("deviations go to one sum or to one each, from one centre or from one each") {
    support::forBothDtypes([](auto zero) {
        using T = decltype(zero);
        constexpr Index count = 4;
        for (const Form form : forms)
            for (const Shape s : shapes) {
                const SecondMoment m = momentOf(form, s);
                const Index n = s.size(), entries = m.entries();
                const std::vector<T> x = support::gaussian<T>(count * n, 5);
                const std::vector<double> centres = support::gaussian<double>(count * n, 6);
                const std::vector<double> test =
                    support::gaussian<double>(s.smaller() * std::max<Index>(m.rank, 1), 7);
                std::vector<double> one(static_cast<std::size_t>(entries), 0.0), trace(1, 0.0),
                    traces(count, 0.0);
                std::vector<double> each(static_cast<std::size_t>(count * entries), 0.0);
                Arena arena;
                addDeviations<T>(m, count, x.data(), {centres.data(), n}, 2.0, test.data(), {one.data(), 0},
                                 {trace.data(), 0}, arena);
                addDeviations<T>(m, count, x.data(), {centres.data(), n}, 2.0, test.data(),
                                 {each.data(), entries}, {traces.data(), 1}, arena);
                for (Index i = 0; i < entries; ++i) {
                    double sum = 0.0;
                    for (Index j = 0; j < count; ++j) sum += each[static_cast<std::size_t>(j * entries + i)];
                    CHECK_FOR(support::text(s), std::abs(sum - one[static_cast<std::size_t>(i)]) <=
                                                    tolerance<double>(s) * (1.0 + std::abs(sum)));
                }
                CHECK_FOR(support::text(s), std::abs(traces[0] + traces[1] + traces[2] + traces[3] -
                                                     trace[0]) <= tolerance<double>(s) * trace[0]);
                // The last one alone, from the same centre for all.
                std::vector<double> last(static_cast<std::size_t>(entries), 0.0), lastTrace(1, 0.0);
                addDeviations<T>(m, 1, x.data() + (count - 1) * n, {centres.data() + (count - 1) * n, 0}, 2.0,
                                 test.data(), {last.data(), 0}, {lastTrace.data(), 0}, arena);
                CHECK_FOR(support::text(s), std::equal(last.begin(), last.end(), each.end() - entries));
            }
    });
}
