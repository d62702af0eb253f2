// init: a small repository that works at once, from a template or drafted from a file of the user's.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "apps/cli/command.h"
#include "apps/cli/draft.h"
#include "asof/base/nearest.h"

namespace asof::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kData = "data.sql";  // becomes files under data/
constexpr std::string_view kNext = "next.txt";  // is printed at the end
constexpr std::string_view kFileMark = "-- file: ";

struct InitOptions {
  std::string directory = ".";
  std::string template_name = "recommender";
  std::string from;
};

std::string reason_of(int number) {
  return std::generic_category().message(number == 0 ? EIO : number);
}

Result<void> write_file(const fs::path& path, std::string_view text) {
  std::error_code failure;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), failure);
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return error(ErrorCode::kUnavailable,
               fmt::format("cannot write {}: {}", path.string(),
                           failure ? failure.message() : reason_of(errno)),
               {}, "choose a folder that you may write to: asof init DIR");
}

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const auto& [path, text] : embedded_texts()) {
    const std::string name(path.substr(0, path.find('/')));
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// Makes the data files of a template: each section of data.sql is a SELECT, written to the file that it names.
Result<void> make_data(client::Project& project, std::string_view script,
                       std::vector<std::string>& written) {
  const int64_t hour_us = 3600 * kMicrosPerSecond;
  const int64_t now_us = project.clock().now_us();
  const Timestamp now{now_us - ((now_us % hour_us) + hour_us) % hour_us};
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, project.offline());
  for (size_t at = script.find(kFileMark); at != std::string_view::npos;) {
    const size_t line_end = script.find('\n', at);
    const std::string path(script.substr(at + kFileMark.size(), line_end - at - kFileMark.size()));
    const size_t next = script.find(kFileMark, line_end);
    std::string sql(
        script.substr(line_end + 1, next == std::string_view::npos ? next : next - line_end - 1));
    at = next;
    sql.erase(0, sql.find_first_not_of('\n'));
    while (sql.starts_with("--")) sql.erase(0, sql.find('\n') + 1);
    sql.erase(sql.find_last_not_of('\n') + 1);
    // A time with its zone, so that nobody has to guess one.
    replace_all(sql, "{now}", fmt::format("TIMESTAMPTZ '{}'", to_string(now)));
    store::LabelSource labels;
    labels.text = std::move(sql);
    labels.time_column = path.ends_with("watches.parquet") ? "watched_at" : "event_timestamp";
    std::error_code failure;
    fs::create_directories(fs::path(project.directory()) / fs::path(path).parent_path(), failure);
    auto rows = offline->open_labels(labels);
    if (!rows) return std::move(rows).error().with_context("making " + path);
    ASOF_TRY((*rows)->write({path, {}}, {}));
    written.push_back(path);
  }
  return {};
}

Result<void> refuse_existing(const fs::path& directory) {
  std::error_code failure;
  if (!fs::exists(directory / client::kProjectFile, failure)) return {};
  return error(ErrorCode::kAlreadyExists,
               fmt::format("{} is already there", (directory / client::kProjectFile).string()), {},
               "choose another folder: asof init DIR");
}

// The state folder ignores itself in git: what is in it can be made again from files.
Result<void> write_state_folder(const fs::path& directory) {
  return write_file(directory / ".asof/.gitignore", "*\n");
}

void say_done(Output& out, const fs::path& directory, const std::vector<std::string>& written,
              const std::vector<std::string>& notes, std::string_view next) {
  out.document(Json{{"directory", directory.string()}, {"files", written}, {"notes", notes}});
  out.print(fmt::format("Made {} in {}:", plural(written.size(), "file"), directory.string()));
  for (const std::string& path : written) out.print("  " + path);
  for (const std::string& note : notes) out.print("  note: " + note);
  out.print("\nNext:");
  if (directory != ".") out.print(fmt::format("  cd {}", directory.string()));
  std::string text(next);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.print("  " + text.substr(0, end));
    text.erase(0, end == std::string::npos ? end : end + 1);
  }
}

Result<int> init_from_template(Session& session, const InitOptions& options) {
  const std::vector<std::string> names = template_names();
  if (std::find(names.begin(), names.end(), options.template_name) == names.end()) {
    return usage_failure(session, fmt::format("no template is called '{}'", options.template_name),
                         suggestion(options.template_name, names));
  }
  const fs::path directory = options.directory;
  ASOF_TRY(refuse_existing(directory));
  std::vector<std::string> written;
  std::string_view data, next;
  for (const auto& [path, text] : embedded_texts()) {
    if (!path.starts_with(options.template_name + "/")) continue;
    const std::string name(path.substr(options.template_name.size() + 1));
    if (name == kData) {
      data = text;
    } else if (name == kNext) {
      next = text;
    } else {
      ASOF_TRY(write_file(directory / name, text));
      written.push_back(name);
    }
  }
  ASOF_TRY(write_state_folder(directory));
  if (!data.empty()) {
    client::OpenOptions open;
    ASOF_TRY_ASSIGN(open.now, session.set_now());
    ASOF_TRY_ASSIGN(client::Project project, client::Project::open(directory.string(), open));
    ASOF_TRY(make_data(project, data, written));
  }
  say_done(session.out(), directory, written, {}, next);
  return kDone;
}

// The source of a draft: the file, seen from the repository, and a name after it.
Result<model::Source> source_of(const std::string& given, const fs::path& home) {
  const bool is_glob = given.find_first_of("*?[") != std::string::npos;
  if (!is_glob && access(given.c_str(), R_OK) != 0) {
    return error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                 fmt::format("cannot read '{}': {}", given, reason_of(errno)), "from",
                 "name a Parquet or CSV file, or a glob of them in quotes");
  }
  std::error_code failure;
  const fs::path file = fs::absolute(given, failure).lexically_normal();
  model::Source source;
  // A path from the root stays one; others are seen from the repository, whose definitions hold them.
  source.path = fs::path(given).is_absolute() ? file.generic_string()
                                              : file.lexically_relative(home).generic_string();
  fs::path named = file;
  while (named.filename().string().find_first_of("*?[=") != std::string::npos)
    named = named.parent_path();
  source.name = named.stem().string();
  return source;
}

// An error about the file, which it calls as it is called from the repository, in the words of who gave it.
Error as_given(Error failure, const std::string& path, const std::string& given) {
  for (std::string* text : {&failure.message, &failure.hint}) replace_all(*text, path, given);
  failure.field = failure.field == path ? "" : failure.field;
  return failure;
}

Result<int> init_from_file(Session& session, const InitOptions& options) {
  const fs::path directory = options.directory;
  ASOF_TRY(refuse_existing(directory));
  std::error_code failure;
  const fs::path home = fs::absolute(directory, failure).lexically_normal();
  ASOF_TRY_ASSIGN(const model::Source source, source_of(options.from, home));
  const store::EngineSet& engines = client::built_in_engines();
  store::EngineAddress address;
  address.directory = home.string();
  ASOF_TRY_ASSIGN(const auto offline,
                  engines.open_offline(model::ProjectConfig{}.offline.url, address));
  const auto inspection = offline->inspect(source);
  if (!inspection) return as_given(inspection.error(), source.path, options.from);
  const auto drafted = draft_view(source.name, source.path, *inspection);
  if (!drafted) return as_given(drafted.error(), source.path, options.from);
  const Draft& draft = *drafted;
  std::string project_text(embedded_texts().at("empty/asof.yaml"));
  replace_all(project_text, "my_project", draft.name);
  const std::string features = fmt::format("features/{}.yaml", draft.name);
  ASOF_TRY(write_file(directory / client::kProjectFile, project_text));
  ASOF_TRY(write_file(directory / features, draft.yaml));
  ASOF_TRY(write_state_folder(directory));
  say_done(session.out(), directory, {std::string(client::kProjectFile), features}, draft.reasons,
           fmt::format("read {}, correct what was guessed wrong\nasof plan && asof apply\nasof "
                       "materialize\nasof verify",
                       features));
  return kDone;
}

}  // namespace

void add_init_command(Commands& commands) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command = commands.add(
      "init", "Make a small, commented repository that works at once",
      "  asof init demo                          a recommender, with data dated relative to now\n"
      "  asof init shop --template fraud         customers and transactions of a fraud model\n"
      "  asof init mine --template empty\n"
      "  asof init mine --from data/stats.parquet   drafts a view from your file and says what it "
      "guessed",
      [options](Session& session) {
        return options->from.empty() ? init_from_template(session, *options)
                                     : init_from_file(session, *options);
      });
  command->add_option("DIR", options->directory, "Where (default: here)");
  CLI::Option* named = command
                           ->add_option("--template", options->template_name,
                                        "recommender (default), fraud, benchmark or empty")
                           ->type_name("NAME");
  command->add_option("--from", options->from, "Draft a view from this Parquet or CSV file")
      ->type_name("FILE")
      ->excludes(named);
}

}  // namespace asof::cli
