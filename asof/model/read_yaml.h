// Reads definition files: YAML text to Definitions, remembering where everything stood.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"

namespace asof::model {

// A definition file: its path as messages shall show it (relative to the repository), and its text.
struct DefinitionFile {
  std::string path;
  std::string text;
};

// Where an object, or a property of it, is written: keys as "view user_segment", "view
// user_segment.features.clicks", "service recommender.features[1]", values as
// "features/user.yaml:12".
using Locations = std::map<std::string, std::string>;

struct ReadDefinitions {
  Definitions definitions;  // sorted by name; what could be read of it where there are errors
  Locations locations;
  std::vector<Error> errors;  // every mistake of form: unknown key with its nearest name, wrong
                              // type, a name twice, …
};

// Reads all files. Mistakes of form are collected, never thrown: a file that is no YAML at all is
// one error with its line.
ReadDefinitions read_definitions(const std::vector<DefinitionFile>& files);

}  // namespace asof::model
