#include "apps/cli/bench_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "apps/load/load.h"
#include "asof/base/text.h"
#include "asof/serve/json.h"

namespace asof::cli {
namespace {

using Json = nlohmann::json;

// How many values are looked at, to tell whether the keys are known: an answer of which load::AnswerReader keeps all.
constexpr size_t kLookedAt = 500;

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// The body that asks for `count` entities of the sample from `first` on, around its end where need be.
std::string body_of(const BenchTarget& target, const client::EntitySample& sample, size_t first,
                    size_t count) {
  serve::TextBuffer out;
  out.append(target.body_begin);
  out.append("\"entities\":[");
  for (size_t i = 0; i < count; ++i) {
    const std::vector<Value>& keys = sample.entities[(first + i) % sample.entities.size()];
    out.append(i == 0 ? "{" : ",{");
    for (size_t key = 0; key < keys.size(); ++key) {
      if (key > 0) out.push_back(',');
      serve::append_json_string(out, sample.columns[key].name);
      out.push_back(':');
      serve::append_json_value(out, keys[key], {});
    }
    out.push_back('}');
  }
  out.append("]}");
  return std::string(out.view());
}

std::string request_of(const BenchTarget& target, const std::string& body, bool with_status) {
  return load::post_request(target.address, target.path + (with_status ? "?status=true" : ""),
                            target.token, body);
}

// A text of an object that may be anything: a server that is not ours answers as it likes.
std::string text_in(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// What the server says is wrong, in its own words.
Error refusal_of(const BenchTarget& target, const load::Answer& answer) {
  const Json body = Json::parse(answer.body, nullptr, false);
  const Json told = body.is_object() && body.contains("error") ? body["error"] : Json();
  const std::string message = text_in(told, "message");
  const bool wants_token = answer.status == 401;
  return error(ErrorCode::kUnavailable,
               fmt::format("{} answered {}: {}", target.url(), answer.status,
                           message.empty() ? shortened(answer.body, 200) : message),
               {},
               wants_token ? "give the server's token: --token, or server: {token: …} in asof.yaml"
                           : text_in(told, "hint"));
}

Result<load::Answer> ask_once(const BenchTarget& target, const std::string& request) {
  ASOF_TRY_ASSIGN(load::Answer answer, load::ask(target.address, request));
  if (answer.status != 200) return refusal_of(target, answer);
  return answer;
}

}  // namespace

std::string BenchTarget::url() const { return "http://" + address.authority() + address.prefix; }

void ask_for(BenchTarget& target, const client::ReadRequest& request) {
  target.path = request.features.empty()
                    ? fmt::format("/v1/services/{}/features", percent_encoded(request.service))
                    : "/v1/features";
  target.body_begin = "{";
  if (!request.features.empty())
    target.body_begin += "\"features\":" + Json(request.features).dump() + ",";
}

std::vector<std::string> requests_of(const BenchTarget& target, const client::EntitySample& sample,
                                     size_t entities) {
  std::vector<std::string> requests;
  for (size_t first = 0; first < sample.entities.size(); first += entities)
    requests.push_back(request_of(target, body_of(target, sample, first, entities), target.status));
  return requests;
}

Result<void> check_answer(const BenchTarget& target, const std::string& request) {
  ASOF_TRY(ask_once(target, request));
  return {};
}

Result<std::optional<double>> found_share(const BenchTarget& target,
                                          const client::EntitySample& sample) {
  const size_t entities = std::clamp<size_t>(kLookedAt / target.features, 1, 100);
  ASOF_TRY_ASSIGN(const load::Answer answer,
                  ask_once(target, request_of(target, body_of(target, sample, 0, entities), true)));
  const Json body = Json::parse(answer.body, nullptr, false);
  if (!body.is_object() || !body.contains("rows")) return std::optional<double>();
  size_t values = 0, found = 0;
  for (const Json& row : body["rows"]) {
    if (!row.is_object() || !row.contains("status")) continue;
    for (const Json& status : row["status"]) {
      ++values;
      found += status == "NOT_FOUND" ? 0 : 1;
    }
  }
  if (values == 0) return std::optional<double>();
  return std::optional<double>(static_cast<double>(found) / static_cast<double>(values));
}

}  // namespace asof::cli
