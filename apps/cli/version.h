// The version of this program.
#pragma once

#include <string_view>

namespace asof::cli {

std::string_view program_version();

}  // namespace asof::cli
