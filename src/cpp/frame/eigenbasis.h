#pragma once

#include "frame/frame.h"
#include "linalg/sides.h"

namespace schattor {

/// How a basis follows its matrix S: eigenvectors, or SOAP's step towards them, the QR factorisation of S Q
/// with the columns of Q by falling q'Sq.
enum class Following { eigenvectors, powerStep };

/// Coordinates along the eigenvectors of averages of G G' and G'G: X -> Ql' X Qr, on one side or on both. The
/// first bases are eigenvectors by falling eigenvalue; in steps that are multiples of `frequency` they are
/// brought up to date. A vector keeps its coordinates.
class EigenbasisFrame : public Frame {
public:
    std::vector<StateSlot> state(Shape) const override;
    void enter(const Context<float>& c, const float* x, float* in) const override { turn(c, 'T', x, in); }
    void enter(const Context<double>& c, const double* x, double* in) const override { turn(c, 'T', x, in); }
    void leave(const Context<float>& c, const float* in, float* x) const override { turn(c, 'N', in, x); }
    void leave(const Context<double>& c, const double* in, double* x) const override { turn(c, 'N', in, x); }
    /// Squares of the rotated gradient, and the entries of the averages, are at most ||G||_F^2.
    double ownLargestMagnitude(Shape, Dtype) const override;

protected:
    EigenbasisFrame(bool left, bool right, Value beta, std::int64_t frequency, Following following)
        : left_(left), right_(right), beta_(beta), frequency_(frequency), following_(following) {}

    /// Averages, and bases where they are the first ones or due.
    template <class T>
    void advance(const Context<T>&, const T* g, bool first) const;

private:
    bool has(Side side, Shape shape) const {
        return (side == Side::left ? left_ : right_) && !shape.isVector();
    }
    template <class T>
    T* average(Side side, const Context<T>& c) const {
        return c.state[side == Side::right && left_ ? 2 : 0];
    }
    template <class T>
    T* basis(Side side, const Context<T>& c) const {
        return c.state[side == Side::right && left_ ? 3 : 1];
    }
    template <class T>
    void turn(const Context<T>&, char transposed, const T* x, T* out) const;

    bool left_, right_;
    Value beta_;
    std::int64_t frequency_;
    Following following_;
};

/// The step uses what its own gradient has changed.
class Eigenbasis final : public EigenbasisFrame {
public:
    Eigenbasis(bool left, bool right, Value beta, std::int64_t frequency, Following following)
        : EigenbasisFrame(left, right, beta, frequency, following) {}
    void observe(const Context<float>& c, const float* g) const override { advance(c, g, c.count == 0); }
    void observe(const Context<double>& c, const double* g) const override { advance(c, g, c.count == 0); }
};

/// SOAP's order: the first gradient only makes the bases, and each later one changes them after its step.
class LaggedEigenbasis final : public EigenbasisFrame {
public:
    LaggedEigenbasis(bool left, bool right, Value beta, std::int64_t frequency, Following following)
        : EigenbasisFrame(left, right, beta, frequency, following) {}
    std::vector<ScalarSlot> scalars() const override { return {{"has_bases"}}; }
    bool withholds(std::span<const double> scalars) const override { return scalars[0] == 0.0; }
    void observe(const Context<float>& c, const float* g) const override { begin(c, g); }
    void observe(const Context<double>& c, const double* g) const override { begin(c, g); }
    void conclude(const Context<float>& c, const float* g) const override { advance(c, g, false); }
    void conclude(const Context<double>& c, const double* g) const override { advance(c, g, false); }

private:
    template <class T>
    void begin(const Context<T>& c, const T* g) const {
        if (!withholds(c.scalars)) return;
        advance(c, g, true);
        c.scalars[0] = 1.0;
    }
};

}  // namespace schattor
