// Feature values as JSON text, as interfaces.md spells them: for people and programs that read Redis themselves.
#pragma once

#include <string>

#include "asof/types/data_type.h"
#include "asof/types/value.h"

namespace asof::engines::online::redis {

// Decimals are strings, dates and timestamps ISO 8601, bytes base64; NaN and infinities are null. Text that is no UTF-8 has
// U+FFFD in place of what is wrong.
void append_json(const Value& value, std::string& out);

}  // namespace asof::engines::online::redis
