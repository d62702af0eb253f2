// Draft: a view guessed from a file's columns, for `asof init --from FILE`, with the reason for every guess.
#pragma once

#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/store/offline_store.h"

namespace asof::cli {

struct Draft {
  std::string name;                  // of the view, from the file's
  std::string yaml;                  // features/<name>.yaml
  std::vector<std::string> reasons;  // "key customer_id: …"
};

// `path` as it shall stand in the definition. Errors: kInvalid where no column can be a key or a time, with the columns.
Result<Draft> draft_view(const std::string& file_name, const std::string& path,
                         const store::SourceInspection& inspection);

}  // namespace asof::cli
