// Definitions as canonical JSON: what the registry stores, what content hashes are taken of, what
// HTTP and --json show.
//
// Canonical: keys in sorted order, properties at their default left out, no blanks, UTF-8, numbers
// without exponent.
#pragma once

#include <string>
#include <string_view>

#include "asof/base/result.h"
#include "asof/model/definitions.h"

namespace asof::model {

std::string to_json(const Entity& entity);
std::string to_json(const Source& source);
std::string to_json(const FeatureView& view);
std::string to_json(const FeatureService& service);
// {"entities":[…],"services":[…],"sources":[…],"views":[…]}, each sorted by name.
std::string to_json(const Definitions& definitions);

// Errors: kCorrupt for text that to_json cannot have written.
Result<Definitions> definitions_from_json(std::string_view json);

// content_hash() of an object's canonical JSON.
template <typename Object>
std::string hash_of(const Object& object);

}  // namespace asof::model
