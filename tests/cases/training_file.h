// A training set as its file has it: labels, features and their `<feature>__status`.
#pragma once

#include <string>

#include "tests/cases/duck.h"
#include "tests/cases/path.h"

namespace asof::cases {

// Errors: kInvalid where a status column is missing. Labels from CSV are left out: their types are
// the reader's.
Result<Answers> read_training_file(Duck& duck, const std::string& path, const TrainStep& step);

}  // namespace asof::cases
