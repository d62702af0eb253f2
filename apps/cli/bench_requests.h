// Bench requests: what `asof bench` asks a server for, and what the server says to it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "apps/load/http.h"
#include "asof/base/result.h"
#include "asof/client/entity_sample.h"

namespace asof::cli {

// Where the requests go, and which features they ask for.
struct BenchTarget {
  load::Address address;
  std::string token;       // "" = none
  std::string path;        // "/v1/services/recommender/features"
  std::string body_begin;  // of a body, as far as the entities: "{"
  size_t features = 0;     // of an entity
  bool status = false;     // whether statuses are asked for

  std::string url() const;
};

// Sets path and body_begin.
void ask_for(BenchTarget& target, const client::ReadRequest& request);

// Every key of the sample once, in whole requests of so many entities; the last one is filled up from the sample's beginning.
std::vector<std::string> requests_of(const BenchTarget& target, const client::EntitySample& sample,
                                     size_t entities);

// Sends one request. Errors: the server cannot be reached, or what it says against the request.
Result<void> check_answer(const BenchTarget& target, const std::string& request);

// The share of values that the server finds for the sample's first keys: with keys that it does not know, less is measured than
// is served. Nothing where its answer is not as ours are. Errors as of check_answer().
Result<std::optional<double>> found_share(const BenchTarget& target,
                                          const client::EntitySample& sample);

}  // namespace asof::cli
