// The JSON Schema of asof.yaml and of definition files, for editors.
#pragma once

#include <string>

namespace asof::model {

// A JSON Schema (2020-12) document; `definitions` covers features/*.yaml, `project` asof.yaml.
std::string definitions_json_schema();
std::string project_json_schema();

}  // namespace asof::model
