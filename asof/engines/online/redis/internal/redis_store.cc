#include "asof/engines/online/redis/internal/redis_store.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <set>

#include "asof/base/bytes.h"
#include "asof/base/clock.h"
#include "asof/base/hash.h"
#include "asof/engines/online/redis/internal/key_name.h"

namespace asof::engines::online::redis {

namespace {

using store::KeyRow;
using store::ReadGroup;
using store::Slot;
using store::Table;
using store::WriteCounts;

// A script holds the server for about a millisecond; several go out together.
constexpr size_t kRowsAScript = 256;
constexpr size_t kBytesAScript = 1 << 20;
constexpr size_t kScriptsAnExchange = 8;
constexpr size_t kKeysAnErasure = 500;
constexpr std::string_view kKeysAScan = "1000";

std::string sha_of(std::string_view script) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(script.data()), script.size(), digest);
  return to_hex({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::vector<Node> nodes_of(const OwnedReply& reply) {
  std::vector<Node> nodes;
  for (const OwnedNode& node : reply) nodes.push_back({node.kind, node.integer, node.text});
  return nodes;
}

// A script call with the names of its keys.
struct KeyedCall {
  ScriptCall call;
  std::vector<std::string> keys;
};

// One read under way: which key's reply comes next, and where its rows go.
struct ReadState {
  std::span<const ReadGroup> groups;
  std::vector<std::vector<std::string>> fields;  // by group: of all its slots
  store::RowSink* sink = nullptr;
  store::Completion done;
  std::optional<Error> failure;
  std::string scratch;
  size_t group = 0;
  size_t key = 0;
};

class RedisStore final : public store::OnlineStore {
 public:
  RedisStore(RedisSettings settings, std::unique_ptr<Client> client)
      : settings_(std::move(settings)),
        layout_(settings_.is_packed ? make_packed_layout() : make_fields_layout()),
        client_(std::move(client)) {}

  store::OnlineStoreTraits traits() const override {
    return {.engine = "redis", .holds_generations = layout_->holds_generations()};
  }

  void read(std::span<const ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override;
  Result<WriteCounts> write(const Table& table, const Slot& slot,
                            std::span<const KeyRow> rows) override;
  Result<bool> compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                std::optional<std::string_view> expected,
                                std::string_view row) override;
  Result<uint64_t> erase(const Table& table, const Slot& slot,
                         std::optional<std::string_view> below) override;
  Result<void> scan(const Table& table, std::span<const Slot> slots,
                    const store::ScanSink& sink) override;
  Result<std::optional<std::string>> read_mark(std::string_view name) override;
  Result<void> write_mark(std::string_view name, std::string_view value) override;

  uint64_t round_trips() const { return client_->exchanges(); }

 private:
  std::string server() const { return settings_.client.server.name(); }
  int64_t deadline() const { return steady_now_us() + settings_.timeout_us; }
  std::string bookkeeping() const { return bookkeeping_name(settings_.prefix, settings_.project); }

  Result<size_t> append_reads(const ReadGroup& group, const std::vector<std::string>& fields,
                              std::string& out) const;
  std::vector<std::string> fields_of(std::span<const Slot> slots) const;
  void take_reply(ReadState& state, Reply reply) const;
  template <typename Emit>
  Result<void> emit_rows(std::span<const Slot> slots, Reply reply, std::string& scratch,
                         const Emit& emit) const;

  // Runs one command; a reply that is an error is an error.
  Result<OwnedReply> run(std::initializer_list<std::string_view> command);
  // Runs scripts in one round trip, and in a second those that the server had to be told first.
  Result<std::vector<OwnedReply>> run_scripts(const std::vector<KeyedCall>& calls);
  // The next piece of all names that look like the table's; `cursor` begins and ends as "0".
  Result<std::vector<std::string>> scan_names(const KeyNames& names, std::string& cursor);
  // Which features stand as fields in the table's hashes. None for a layout that has no such fields.
  Result<LaidOutFeatures> laid_out_features(const Table& table, const Slot& slot);
  Result<void> note_features(const Table& table, const Slot& slot);
  static std::string features_field(const Table& table, const Slot& slot) {
    return fmt::format("features:{}:{}@{}", table.name, slot.view, slot_name(slot));
  }

  const RedisSettings settings_;
  const std::unique_ptr<Layout> layout_;
  const std::unique_ptr<Client> client_;
};

std::vector<std::string> RedisStore::fields_of(std::span<const Slot> slots) const {
  std::vector<std::string> fields;
  for (const Slot& slot : slots)
    for (std::string& name : layout_->fields_of(slot)) fields.push_back(std::move(name));
  return fields;
}

// One HMGET for each key. Returns their number.
Result<size_t> RedisStore::append_reads(const ReadGroup& group,
                                        const std::vector<std::string>& fields,
                                        std::string& out) const {
  if (group.slots.empty()) return size_t{0};
  std::string arguments;
  for (const std::string& field : fields) CommandWriter(arguments).argument(field);
  KeyNames names(settings_.prefix, *group.table);
  CommandWriter writer(out);
  std::string name;
  for (const std::string& key : group.keys) {
    name.clear();
    ASOF_TRY(names.append_name(key, name));
    writer.begin(2 + fields.size());
    writer.argument("HMGET");
    writer.argument(name);
    out.append(arguments);
  }
  return group.keys.size();
}

// Calls emit(slot, row) for the rows of one key's HMGET; false stops.
template <typename Emit>
Result<void> RedisStore::emit_rows(std::span<const Slot> slots, Reply reply, std::string& scratch,
                                   const Emit& emit) const {
  if (reply[0].kind == Node::Kind::kError) return command_error(reply[0].text, server());
  const size_t values = reply.size() - 1;
  if (reply[0].kind != Node::Kind::kArray || slots.empty() || values % slots.size() != 0)
    return error(ErrorCode::kUnavailable,
                 fmt::format("redis at {}: an answer to HMGET that is none", server()));
  const size_t a_slot = values / slots.size();
  for (size_t s = 0; s < slots.size(); ++s) {
    ASOF_TRY_ASSIGN(auto row,
                    layout_->row_of(slots[s], reply.subspan(1 + s * a_slot, a_slot), scratch));
    if (row.has_value() && !emit(s, *row)) return {};
  }
  return {};
}

void RedisStore::take_reply(ReadState& state, Reply reply) const {
  while (state.groups[state.group].slots.empty() ||
         state.key == state.groups[state.group].keys.size()) {
    ++state.group;
    state.key = 0;
  }
  const size_t key = state.key++;
  if (state.failure.has_value()) return;
  Result<void> outcome = emit_rows(state.groups[state.group].slots, reply, state.scratch,
                                   [&](size_t slot, std::string_view row) {
                                     state.sink->row(state.group, key, slot, row);
                                     return true;
                                   });
  if (!outcome) state.failure = std::move(outcome).error();
}

void RedisStore::read(std::span<const ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
                      store::Completion done) {
  auto exchange = std::make_unique<Exchange>();
  for (const ReadGroup& group : groups) {
    Result<size_t> commands = append_reads(group, fields_of(group.slots), exchange->bytes);
    if (!commands) return done(std::move(commands).error());
    exchange->commands += *commands;
  }
  if (exchange->commands == 0) return done({});
  auto state = std::make_shared<ReadState>();
  state->groups = groups;
  state->sink = &sink;
  state->done = std::move(done);
  exchange->deadline_us = deadline_us;
  exchange->on_reply = [this, state](size_t, Reply reply) { take_reply(*state, reply); };
  exchange->done = [state](Result<void> outcome) {
    if (outcome && state->failure.has_value()) outcome = *std::move(state->failure);
    auto completion = std::move(state->done);
    completion(std::move(outcome));
  };
  client_->send(std::move(exchange));
}

Result<OwnedReply> RedisStore::run(std::initializer_list<std::string_view> command) {
  std::string bytes;
  CommandWriter(bytes).command(command);
  ASOF_TRY_ASSIGN(auto replies, call(*client_, std::move(bytes), 1, deadline()));
  if (replies[0][0].kind == Node::Kind::kError) return command_error(replies[0][0].text, server());
  return std::move(replies[0]);
}

Result<std::vector<OwnedReply>> RedisStore::run_scripts(const std::vector<KeyedCall>& calls) {
  std::vector<OwnedReply> answers(calls.size());
  std::vector<size_t> open(calls.size());
  for (size_t i = 0; i < calls.size(); ++i) open[i] = i;
  // A server forgets its scripts when it restarts or is told to; the second time it is told them again in front.
  for (bool tells_scripts : {false, true}) {
    std::string bytes;
    CommandWriter writer(bytes);
    std::set<std::string_view> scripts;
    for (size_t i : open) scripts.insert(calls[i].call.script);
    const size_t told = tells_scripts ? scripts.size() : 0;
    if (tells_scripts)
      for (std::string_view script : scripts) writer.command({"SCRIPT", "LOAD", script});
    for (size_t i : open) {
      const auto& [call, keys] = calls[i];
      writer.begin(3 + keys.size() + call.arguments.size());
      writer.argument("EVALSHA");
      writer.argument(sha_of(call.script));
      writer.argument(std::to_string(keys.size()));
      for (const std::string& key : keys) writer.argument(key);
      for (const std::string& argument : call.arguments) writer.argument(argument);
    }
    ASOF_TRY_ASSIGN(auto replies, call(*client_, std::move(bytes), told + open.size(), deadline()));
    std::vector<size_t> unknown;
    for (size_t at = 0; at < open.size(); ++at) {
      OwnedReply& reply = replies[told + at];
      if (reply[0].kind != Node::Kind::kError) {
        answers[open[at]] = std::move(reply);
      } else if (!tells_scripts && reply[0].text.starts_with("NOSCRIPT")) {
        unknown.push_back(open[at]);
      } else {
        return command_error(reply[0].text, server());
      }
    }
    if (unknown.empty()) return answers;
    open = std::move(unknown);
  }
  return answers;
}

Result<void> RedisStore::note_features(const Table& table, const Slot& slot) {
  std::vector<std::string> names = layout_->feature_names(slot);
  if (names.empty()) return {};
  std::string joined;
  for (const std::string& name : names) joined.append(name).push_back('\n');
  Result<OwnedReply> noted = run({"HSET", bookkeeping(), features_field(table, slot), joined});
  if (!noted) return std::move(noted).error();
  return {};
}

Result<LaidOutFeatures> RedisStore::laid_out_features(const Table& table, const Slot& slot) {
  LaidOutFeatures out;
  if (layout_->holds_generations()) return out;
  out.of_slot = layout_->feature_names(slot);
  ASOF_TRY_ASSIGN(OwnedReply reply, run({"HGETALL", bookkeeping()}));
  const std::string of_table = fmt::format("features:{}:", table.name);
  for (size_t i = 1; i + 1 < reply.size(); i += 2) {
    std::string_view field = reply[i].text;
    if (!field.starts_with(of_table)) continue;
    const bool is_slot = field == features_field(table, slot);
    if (is_slot && !layout_->feature_names(slot).empty())
      continue;  // the definition says it itself
    field.remove_prefix(of_table.size());
    const std::string view(field.substr(0, field.rfind('@')));
    std::string_view names = reply[i + 1].text;
    for (size_t end; (end = names.find('\n')) != std::string_view::npos;
         names.remove_prefix(end + 1)) {
      std::string name(names.substr(0, end));
      if (is_slot) {
        out.of_slot.push_back(std::move(name));
      } else if (view == slot.view) {
        out.of_other_generations.push_back(std::move(name));
      } else {
        out.of_other_views.emplace_back(std::move(name), view);
      }
    }
  }
  return out;
}

Result<WriteCounts> RedisStore::write(const Table& table, const Slot& slot,
                                      std::span<const KeyRow> rows) {
  WriteCounts counts;
  if (rows.empty()) return counts;
  ASOF_TRY(note_features(table, slot));
  KeyNames names(settings_.prefix, table);
  for (size_t at = 0; at < rows.size();) {
    std::vector<KeyedCall> calls;
    size_t taken = at;
    while (calls.size() < kScriptsAnExchange && taken < rows.size()) {
      KeyedCall next;
      size_t first = taken;
      for (size_t bytes = 0;
           taken < rows.size() && taken - first < kRowsAScript && bytes < kBytesAScript; ++taken) {
        ASOF_TRY(names.append_name(rows[taken].key, next.keys.emplace_back()));
        bytes += next.keys.back().size() + rows[taken].row.size();
      }
      ASOF_TRY_ASSIGN(next.call, layout_->write_call(slot, rows.subspan(first, taken - first)));
      calls.push_back(std::move(next));
    }
    ASOF_TRY_ASSIGN(auto answers, run_scripts(calls));
    uint64_t inserted = 0, replaced = 0;
    for (const OwnedReply& answer : answers) {
      if (answer.size() != 3)
        return error(ErrorCode::kUnavailable,
                     fmt::format("redis at {}: a script's answer is none", server()));
      inserted += static_cast<uint64_t>(answer[1].integer);
      replaced += static_cast<uint64_t>(answer[2].integer);
    }
    counts.inserted += inserted;
    counts.replaced += replaced;
    counts.kept += (taken - at) - inserted - replaced;
    at = taken;
  }
  return counts;
}

Result<bool> RedisStore::compare_and_swap(const Table& table, const Slot& slot,
                                          std::string_view key,
                                          std::optional<std::string_view> expected,
                                          std::string_view row) {
  ASOF_TRY(note_features(table, slot));
  std::vector<KeyedCall> calls(1);
  ASOF_TRY(KeyNames(settings_.prefix, table).append_name(key, calls[0].keys.emplace_back()));
  ASOF_TRY_ASSIGN(calls[0].call, layout_->swap_call(slot, expected, row));
  ASOF_TRY_ASSIGN(auto answers, run_scripts(calls));
  return answers[0][0].integer == 1;
}

Result<std::vector<std::string>> RedisStore::scan_names(const KeyNames& names,
                                                        std::string& cursor) {
  ASOF_TRY_ASSIGN(OwnedReply reply, run({"SCAN", cursor, "MATCH", names.pattern(), "COUNT",
                                         kKeysAScan, "TYPE", "hash"}));
  if (reply.size() < 3 || reply[1].kind != Node::Kind::kText)
    return error(ErrorCode::kUnavailable,
                 fmt::format("redis at {}: an answer to SCAN that is none", server()));
  cursor = reply[1].text;
  std::vector<std::string> found;
  for (size_t i = 3; i < reply.size(); ++i)
    if (names.key_of(reply[i].text).has_value()) found.push_back(std::move(reply[i].text));
  return found;
}

Result<uint64_t> RedisStore::erase(const Table& table, const Slot& slot,
                                   std::optional<std::string_view> below) {
  ASOF_TRY_ASSIGN(LaidOutFeatures features, laid_out_features(table, slot));
  const ScriptCall call = layout_->erase_call(slot, below, features);
  KeyNames names(settings_.prefix, table);
  uint64_t erased = 0;
  std::string cursor = "0";
  do {
    ASOF_TRY_ASSIGN(std::vector<std::string> found, scan_names(names, cursor));
    std::vector<KeyedCall> calls;
    for (size_t at = 0; at < found.size(); at += kKeysAnErasure) {
      auto first = found.begin() + static_cast<ptrdiff_t>(at);
      auto last =
          found.begin() + static_cast<ptrdiff_t>(std::min(at + kKeysAnErasure, found.size()));
      calls.push_back({call, {std::make_move_iterator(first), std::make_move_iterator(last)}});
    }
    if (calls.empty()) continue;
    ASOF_TRY_ASSIGN(auto answers, run_scripts(calls));
    for (const OwnedReply& answer : answers) erased += static_cast<uint64_t>(answer[0].integer);
  } while (cursor != "0");
  if (!features.of_slot.empty() && !below.has_value()) {
    Result<OwnedReply> gone = run({"HDEL", bookkeeping(), features_field(table, slot)});
    if (!gone) return std::move(gone).error();
  }
  return erased;
}

Result<void> RedisStore::scan(const Table& table, std::span<const Slot> slots,
                              const store::ScanSink& sink) {
  if (slots.empty()) return {};
  KeyNames names(settings_.prefix, table);
  const std::vector<std::string> fields = fields_of(slots);
  // SCAN may find a key twice while the server grows its tables; 128 bits tell which were seen.
  std::set<std::pair<uint64_t, uint64_t>> seen;
  std::string cursor = "0", scratch;
  do {
    ASOF_TRY_ASSIGN(std::vector<std::string> found, scan_names(names, cursor));
    std::erase_if(found, [&](const std::string& name) {
      return !seen.emplace(hash64(name), hash64(name + '\n')).second;
    });
    if (found.empty()) continue;
    std::string bytes;
    CommandWriter writer(bytes);
    for (const std::string& name : found) {
      writer.begin(2 + fields.size());
      writer.argument("HMGET");
      writer.argument(name);
      for (const std::string& field : fields) writer.argument(field);
    }
    ASOF_TRY_ASSIGN(auto replies, call(*client_, std::move(bytes), found.size(), deadline()));
    for (size_t i = 0; i < found.size(); ++i) {
      const std::string key = names.key_of(found[i]).value();
      bool goes_on = true;
      ASOF_TRY(
          emit_rows(slots, nodes_of(replies[i]), scratch, [&](size_t slot, std::string_view row) {
            goes_on = sink(key, slot, row);
            return goes_on;
          }));
      if (!goes_on) return {};
    }
  } while (cursor != "0");
  return {};
}

Result<std::optional<std::string>> RedisStore::read_mark(std::string_view name) {
  ASOF_TRY_ASSIGN(OwnedReply reply, run({"HGET", bookkeeping(), fmt::format("mark:{}", name)}));
  if (reply[0].kind != Node::Kind::kText) return std::optional<std::string>();
  return std::optional(std::move(reply[0].text));
}

Result<void> RedisStore::write_mark(std::string_view name, std::string_view value) {
  Result<OwnedReply> written = run({"HSET", bookkeeping(), fmt::format("mark:{}", name), value});
  if (!written) return std::move(written).error();
  return {};
}

}  // namespace

Result<std::unique_ptr<store::OnlineStore>> open_store(RedisSettings settings) {
  ASOF_TRY_ASSIGN(auto client, Client::open(settings.client));
  return std::unique_ptr<store::OnlineStore>(
      std::make_unique<RedisStore>(std::move(settings), std::move(client)));
}

uint64_t round_trips(const store::OnlineStore& store) {
  return dynamic_cast<const RedisStore&>(store).round_trips();
}

}  // namespace asof::engines::online::redis
