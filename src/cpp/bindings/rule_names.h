#pragma once

#include <string>

#include "bindings/named.h"
#include "coupler/mixed_norm.h"

namespace schattor {

inline Rule ruleOf(const std::string& name) {
    return named<Rule>("rule", name, {{"ball", Rule::ball}, {"regularization", Rule::regularization}});
}

}  // namespace schattor
