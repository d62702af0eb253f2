// Feature requests: the JSON bodies of the feature routes, read by simdjson without building a document.
//
// Strict: an unknown or repeated field is an error with the nearest name, and a key's JSON type must be its declared one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/target.h"
#include "asof/base/result.h"
#include "asof/serve/entities.h"

namespace asof::server {

enum class Dialect {
  kService,   // {"entities": …}
  kFeatures,  // the same with "features"
  kFeast,     // Feast's, or join keys at the top level
};

// What a body asks for, before its entities are read: their types are known only when the features are.
struct FeatureRequest {
  std::string_view features;  // the raw JSON of the array; "" = none given
  std::string_view
      entities;  // the raw JSON; "" = none given (or, in Feast's dialect, keys at the top level)
  std::optional<std::string> service;  // Feast's feature_service
  bool full_feature_names = false;
};

// Threads: one at a time; one an event loop. A body is followed by kBodyPadding readable bytes.
class FeatureRequestParser {
 public:
  FeatureRequestParser();
  ~FeatureRequestParser();

  // Begins with a request; what follows is about this body. The views in the answer are into it. Errors of all: kInvalid, with
  // the field, or for what is no JSON with the place.
  Result<FeatureRequest> open(std::string_view body, Dialect dialect);

  // The references of `features`.
  Result<std::vector<std::string>> read_features(std::string_view raw);

  // Rows ([{"user_id": …}, …]) or columns ({"user_id": […]}). `order` receives which of `columns` the request brought first,
  // second, …; columns that a plan does not ask for are unknown. Errors: kOutOfRange beyond `limit`, too.
  Result<void> read_entities(std::string_view raw, const Schema& columns, size_t limit,
                             serve::Entities& out, std::vector<size_t>* order);

  // The one entity whose keys stand at the top level of the body, in Feast's dialect.
  Result<void> read_top_level(const Schema& columns, serve::Entities& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The one entity of a URL's query: every column of the plan, as text. Parameters named in `options` are passed over.
Result<void> read_query_entity(const std::vector<QueryParameter>& query, const Schema& columns,
                               const std::vector<std::string>& options, serve::Entities& out);

}  // namespace asof::server
