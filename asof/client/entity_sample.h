// Entity samples: join keys to ask a server for, from what the project holds or from a file of the caller's.
//
// Beside Project, as it needs several of its parts; `asof bench` measures with these keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/client/project.h"
#include "asof/serve/entities.h"
#include "asof/types/schema.h"

namespace asof::client {

struct EntitySample {
  Schema columns;              // the join keys that the request must bring, in order
  serve::EntityRows entities;  // the values of `columns`
  std::string origin;          // where they are from: "view user_segment, online"
  uint64_t keys = 0;           // among how many they were chosen; of a file, how many it has
};

// At most `count` distinct keys of what the request's views hold: online, or in their sources where the online store lives in
// another process's memory. The keys whose hash with `seed` is smallest, so that the same data and seed give the same sample in
// the same order, whatever the store, and neighbours in the store are none in the sample. Keys of several entities (a user and an
// item that no view has together) are combined at random.
// Errors: as Project::prepare_read; kNotFound where no view has a row, naming the views.
// Cost: a scan of one view's keys for each set of join keys.
Result<EntitySample> sample_entities(Project& project, const ReadRequest& request, size_t count,
                                     uint64_t seed);

// The first `count` rows of a Parquet, CSV or JSON file, a glob or a SELECT that have all the keys; further columns are passed
// over, and repetitions stay. Errors: kNotFound for a key column that is missing, or where no row has all keys; those of
// OfflineStore::open_labels.
Result<EntitySample> read_entities(Project& project, const ReadRequest& request,
                                   const std::string& rows, size_t count);

}  // namespace asof::client
