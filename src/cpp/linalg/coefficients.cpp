#include "linalg/coefficients.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace schattor {
namespace {

// Divides a step by the safety factor of Polar Express: p(x / f), which keeps rounding errors above
// one inside the interval that the next step was made for.
constexpr Triple safer(double f, double a, double b, double c) {
    return {a / f, b / (f * f * f), c / (f * f * f * f * f)};
}

constexpr Triple cubic[] = {{1.5, -0.5, 0.0}};
constexpr Triple quintic[] = {{15.0 / 8, -10.0 / 8, 3.0 / 8}};
constexpr Triple simple[] = {{2.0, -1.5, 0.5}};
constexpr Triple muon[] = {{3.4445, -4.7750, 2.0315}};
constexpr Triple polarExpress[] = {safer(1.01, 8.28721201814563, -23.595886519098837, 17.300387312530933),
                                   safer(1.01, 4.107059111542203, -2.9478499167379106, 0.5448431082926601),
                                   safer(1.01, 3.9486908534822946, -2.908902115962949, 0.5518191394370137),
                                   safer(1.01, 3.3184196573706015, -2.488488024314874, 0.51004894012372),
                                   safer(1.01, 2.300652019954817, -1.6689039845747493, 0.4188073119525673),
                                   safer(1.01, 1.891301407787398, -1.2679958271945868, 0.37680408948524835),
                                   safer(1.01, 1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
                                   {1.875, -1.25, 0.375}};
constexpr Triple polarExpressRaw[] = {{8.28721201814563, -23.595886519098837, 17.300387312530933},
                                      {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
                                      {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
                                      {3.3184196573706015, -2.488488024314874, 0.51004894012372},
                                      {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
                                      {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
                                      {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
                                      {1.875, -1.25, 0.375}};
constexpr Triple polarExpressDion[] = {{8.156554524902461, -22.48329292557795, 15.878769915207462},
                                       {4.042929935166739, -2.808917465908714, 0.5000178451051316},
                                       {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
                                       {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
                                       {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}};
constexpr Triple youJiacheng5[] = {{4.0848, -6.8946, 2.9270},
                                   {3.9505, -6.3029, 2.6377},
                                   {3.7418, -5.5913, 2.3037},
                                   {2.8769, -3.1427, 1.2046},
                                   {2.8366, -3.0525, 1.2012}};
constexpr Triple youJiacheng6[] = {
    {3955.0 / 1024, -8306.0 / 1024, 5008.0 / 1024}, {3735.0 / 1024, -6681.0 / 1024, 3463.0 / 1024},
    {3799.0 / 1024, -6499.0 / 1024, 3211.0 / 1024}, {4019.0 / 1024, -6385.0 / 1024, 2906.0 / 1024},
    {2677.0 / 1024, -3029.0 / 1024, 1162.0 / 1024}, {2172.0 / 1024, -1833.0 / 1024, 682.0 / 1024}};
constexpr Triple deepseek[] = {{3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
                               {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
                               {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
                               {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
                               {2.0, -1.5, 0.5},          {2.0, -1.5, 0.5}};
constexpr Triple cans[] = {{8.4703, -25.1081, 18.6293},
                           {4.1828, -3.1087, 0.5806},
                           {3.9619, -2.9541, 0.5630},
                           {3.2866, -2.4647, 0.5074},
                           {2.2737, -1.6447, 0.4162}};
constexpr Triple cubic5[] = {{3.3656576, -3.3420992, 0.0},
                             {2.5744352, -1.4957376, 0.0},
                             {2.5368962, -1.4312570, 0.0},
                             {2.4418906, -1.2764040, 0.0},
                             {2.2230472, -0.9630650, 0.0}};

// name, steps, default steps, repeats last, convergent, norm factor, source
constexpr CoefficientSet table[] = {
    {"cubic", cubic, 20, true, true, 1.0, "Newton-Schulz of degree 3; Higham, Functions of Matrices, 8.3"},
    {"quintic", quintic, 15, true, true, 1.0,
     "Newton-Schulz of degree 5 (Pade family); Higham, Functions of Matrices, 8.3"},
    {"simple_quintic", simple, 12, true, false, 1.0, "KellerJordan/modded-nanogpt, track 3 baseline"},
    {"muon", muon, 5, true, false, 1.0, "KellerJordan/Muon, muon.py"},
    {"polar_express", polarExpress, 10, true, true, 1.01,
     "Amsel et al., arXiv 2505.16932, with its safety factor 1.01"},
    {"polar_express_raw", polarExpressRaw, 10, true, true, 1.0,
     "Amsel et al., arXiv 2505.16932, l = 1e-3, without safety factor"},
    {"polar_express_dion", polarExpressDion, 5, false, false, 1.02,
     "microsoft/dion, dion/newton_schulz_triton.py (safety factor 1.02)"},
    {"you_jiacheng_5", youJiacheng5, 5, false, false, 1.0,
     "YouJiacheng, in microsoft/dion and google-deepmind/optax"},
    {"you_jiacheng_6", youJiacheng6, 6, false, false, 1.0, "YouJiacheng, in modula-systems/modula"},
    {"deepseek_v4", deepseek, 10, true, false, 1.0,
     "DeepSeek-V4 report: eight Muon steps, then two of (2, -1.5, 0.5)"},
    {"cans", cans, 5, true, false, 1.0,
     "Grishina et al., arXiv 2506.10935, in NVIDIA-NeMo/Emerging-Optimizers"},
    {"cubic_5", cubic5, 5, false, false, 1.0, "arXiv 2606.00371"},
};

}  // namespace

std::span<const CoefficientSet> coefficientSets() { return table; }

const CoefficientSet& coefficientSet(std::string_view name) {
    std::string known;
    for (const CoefficientSet& set : table) {
        if (set.name == name) return set;
        known += (known.empty() ? "" : ", ") + std::string(set.name);
    }
    throw std::invalid_argument("unknown coefficient set '" + std::string(name) + "'; known are " + known +
                                ", and adaptive");
}

Triple rescaled(const Triple& triple, double factor) {
    const double square = factor * factor;
    return {triple[0] / factor, triple[1] / (factor * square), triple[2] / (factor * square * square)};
}

namespace {

// The odd quintic and the E with p(x_i) = 1 - (-1)^i E at four points.
MinimaxStep interpolate(std::array<double, 4> x) {
    // Rows (x, x^3, x^5, (-1)^i | 1), by elimination with partial pivoting.
    double rows[4][5];
    for (int i = 0; i < 4; ++i) {
        const double t = x[static_cast<std::size_t>(i)], t3 = t * t * t;
        const double row[] = {t, t3, t3 * t * t, i % 2 == 0 ? 1.0 : -1.0, 1.0};
        std::copy(row, row + 5, rows[i]);
    }
    for (int column = 0; column < 4; ++column) {
        int pivot = column;
        for (int i = column + 1; i < 4; ++i)
            if (std::abs(rows[i][column]) > std::abs(rows[pivot][column])) pivot = i;
        std::swap_ranges(rows[column], rows[column] + 5, rows[pivot]);
        for (int i = 0; i < 4; ++i) {
            if (i == column) continue;
            const double factor = rows[i][column] / rows[column][column];
            for (int j = column; j < 5; ++j) rows[i][j] -= factor * rows[column][j];
        }
    }
    double solution[4];
    for (int i = 0; i < 4; ++i) solution[i] = rows[i][4] / rows[i][i];
    return {{solution[0], solution[1], solution[2]}, solution[3]};
}

}  // namespace

MinimaxStep minimaxQuintic(double lower, double upper) {
    const double l = lower / upper;
    constexpr double narrow = 0.98;  // beyond it the four points are too close for the elimination
    if (l >= narrow) {
        const double half = (1.0 - l) / (1.0 + l);
        return {rescaled(quintic[0], (lower + upper) / 2), 2.5 * half * half * half * (1.0 + half)};
    }
    // Remez exchange: the inner points move to the extrema of the last polynomial.
    std::array<double, 4> x = {l, (3 * l + 1) / 4, (l + 3) / 4, 1.0};
    MinimaxStep step = interpolate(x);
    for (int sweep = 0; sweep < 30; ++sweep) {
        const std::array<double, 4> before = x;
        const auto [a, b, c] = step.triple;
        const double root = std::sqrt(9 * b * b - 20 * a * c);
        x[1] = std::sqrt((-3 * b - root) / (10 * c));
        x[2] = std::sqrt((-3 * b + root) / (10 * c));
        step = interpolate(x);
        // The deviation hardly changes near the optimum, and is close to one for small l: watch the points.
        const double moved = std::abs(x[1] - before[1]) + std::abs(x[2] - before[2]);
        if (moved <= 1e-12) break;
    }
    return {rescaled(step.triple, upper), step.error};
}

}  // namespace schattor
