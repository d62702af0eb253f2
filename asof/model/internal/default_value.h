// A feature's default, from YAML by the feature's type.
#pragma once

#include "asof/base/result.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/types/data_type.h"
#include "asof/types/value.h"

namespace asof::model {

// A text's quotes count: "5" is no int64 and 5 no string. Bytes are base64, decimals a number or a text, times and dates
// ISO, a list a list. Errors: kInvalid, saying what was met and wanted, without a place.
Result<Value> default_value_of(const YamlNode& node, const DataType& type);

}  // namespace asof::model
