#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

#include "linalg/line_lengths.h"

namespace schattor {

/// Looks a name up in a table of (name, value) pairs.
template <class E>
E named(const char* what, const std::string& name, std::initializer_list<std::pair<const char*, E>> table) {
    std::string known;
    for (const auto& [key, value] : table) {
        if (name == key) return value;
        known += std::string(known.empty() ? "" : ", ") + "'" + key + "'";
    }
    throw std::invalid_argument(std::string(what) + " must be one of " + known + ", got '" + name + "'");
}

/// Lines as Python says them.
inline Lines linesOf(bool columns) { return columns ? Lines::columns : Lines::rows; }

}  // namespace schattor
