// For the tests of this folder: YAML in, errors as text out.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"

namespace asof::model {

inline ReadDefinitions read_text(std::string_view yaml) {
  return read_definitions({{"features/a.yaml", std::string(yaml)}});
}

inline std::vector<std::string> texts_of(const std::vector<Error>& errors) {
  std::vector<std::string> out;
  for (const Error& error : errors) out.push_back(error.text());
  return out;
}

// What `asof validate` shows: the mistakes of form, then those of meaning.
inline std::vector<std::string> mistakes_in(const std::vector<DefinitionFile>& files) {
  ReadDefinitions read = read_definitions(files);
  std::vector<std::string> out = texts_of(read.errors);
  for (std::string& text : texts_of(validate(read.definitions, read.locations)))
    out.push_back(std::move(text));
  return out;
}

inline std::vector<std::string> mistakes_in(std::string_view yaml) {
  return mistakes_in(std::vector<DefinitionFile>{{"features/a.yaml", std::string(yaml)}});
}

}  // namespace asof::model
