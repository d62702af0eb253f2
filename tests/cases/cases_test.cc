// Every case on every path: one gtest a pair, named Cases/<path>.<case>.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "asof/base/log.h"
#include "tests/cases/path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {
namespace {

class CaseTest : public testing::Test {
 public:
  CaseTest(const CasePath& path, const Case& a_case) : path_(path), case_(a_case) {}
  void TestBody() override { run_case(path_, case_); }

 private:
  CasePath path_;
  Case case_;
};

std::vector<std::string> case_files(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".case") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

// Errors go to stderr: with a case that cannot be read, no test is to be trusted.
bool register_cases(const std::vector<CasePath>& paths) {
  for (const std::string& file : case_files("tests/cases")) {
    auto a_case = read_case(file);
    if (!a_case) {
      std::fprintf(stderr, "%s\n", a_case.error().text().c_str());
      return false;
    }
    for (const CasePath& path : paths) {
      // Not to be run is decided here, so that only what means something is listed.
      if (path.refuses(*a_case)) continue;
      testing::RegisterTest(("Cases/" + path.name).c_str(), a_case->name.c_str(), nullptr, nullptr,
                            file.c_str(), 1,
                            [path, a_case = *a_case] { return new CaseTest(path, a_case); });
    }
  }
  return true;
}

}  // namespace
}  // namespace asof::cases

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  asof::set_log_level(asof::LogLevel::kError);
  if (!asof::cases::register_cases(asof::cases::all_paths())) return 1;
  return RUN_ALL_TESTS();
}
