// A program that embeds the feature store: applies definitions, makes a training set, loads the newest values and reads them.
// Its argument is a repository, as `asof init` makes one.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "asof/client/project.h"

// [embed]
template <typename T>
T must(asof::Result<T> result) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "error: %s\n", result.error().text().c_str());
  std::exit(1);
}

int main(int argc, char** argv) {
  asof::client::Project project = must(asof::client::Project::open(argc > 1 ? argv[1] : "."));

  // features/*.yaml becomes the registry's newest revision.
  const asof::registry::Applied applied = must(project.apply());
  std::printf("revision %lld\n", static_cast<long long>(applied.revision));

  // Labels, each joined with what was known at its own time.
  asof::training::TrainingSpec spec;
  spec.labels = "data/labels.parquet";
  spec.service = "recommender";
  spec.output = "train.parquet";
  const asof::training::TrainingReport report = must(project.train(spec));
  std::printf("%llu training rows, %zu features\n", static_cast<unsigned long long>(report.rows),
              report.columns.size());

  // The newest row of each user, online.
  for (const asof::store::Run& run : must(project.materialize())) {
    std::printf("%s: %lld rows written\n", run.view.c_str(),
                static_cast<long long>(run.rows_written));
  }

  // What a model would be given: one row an entity, one cell a feature.
  const asof::client::FeatureRows found =
      must(project.read("recommender", asof::serve::EntityRows{{"8a2f"}, {"nobody"}}));
  for (const asof::client::FeatureRow& row : found.rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      std::printf("%s=%s (%s) ", found.names[i].c_str(), to_string(row.cells[i].value).c_str(),
                  std::string(to_string(row.cells[i].status)).c_str());
    }
    std::printf("\n");
  }
  return 0;
}
// [embed]
