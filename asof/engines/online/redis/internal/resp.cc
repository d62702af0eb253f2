#include "asof/engines/online/redis/internal/resp.h"

#include <charconv>

namespace asof::engines::online::redis {

namespace {

constexpr int64_t kMaxBulkBytes = int64_t{512} << 20;  // Redis's own limit
constexpr int64_t kMaxElements = int64_t{1} << 28;

void append_header(std::string& out, char mark, size_t number) {
  char digits[24];
  auto [end, failure] = std::to_chars(digits, digits + sizeof digits, number);
  out.push_back(mark);
  out.append(digits, end).append("\r\n");
}

ParseOutcome parse_number(std::string_view line, int64_t& out) {
  auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), out);
  return failure == std::errc() && end == line.data() + line.size() && !line.empty()
             ? ParseOutcome::kComplete
             : ParseOutcome::kMalformed;
}

// One node; for an array its header only.
ParseOutcome parse_node(std::string_view bytes, size_t& at, Node& node) {
  size_t end = bytes.find("\r\n", at);
  if (end == std::string_view::npos) return ParseOutcome::kIncomplete;
  std::string_view line = bytes.substr(at, end - at);
  if (line.empty()) return ParseOutcome::kMalformed;
  char mark = line[0];
  line.remove_prefix(1);
  at = end + 2;
  if (mark == '+' || mark == '-') {
    node = {mark == '+' ? Node::Kind::kText : Node::Kind::kError, 0, line};
    return ParseOutcome::kComplete;
  }
  int64_t number = 0;
  if (parse_number(line, number) != ParseOutcome::kComplete) return ParseOutcome::kMalformed;
  if (mark == ':') {
    node = {Node::Kind::kInteger, number, {}};
    return ParseOutcome::kComplete;
  }
  if (mark != '$' && mark != '*') return ParseOutcome::kMalformed;
  if (number == -1) {
    node = {Node::Kind::kNull, 0, {}};
    return ParseOutcome::kComplete;
  }
  if (number < 0 || number > (mark == '$' ? kMaxBulkBytes : kMaxElements))
    return ParseOutcome::kMalformed;
  if (mark == '*') {
    node = {Node::Kind::kArray, number, {}};
    return ParseOutcome::kComplete;
  }
  auto length = static_cast<size_t>(number);
  if (bytes.size() - at < length + 2) return ParseOutcome::kIncomplete;
  if (bytes.substr(at + length, 2) != "\r\n") return ParseOutcome::kMalformed;
  node = {Node::Kind::kText, 0, bytes.substr(at, length)};
  at += length + 2;
  return ParseOutcome::kComplete;
}

}  // namespace

void CommandWriter::begin(size_t arguments) { append_header(*out_, '*', arguments); }

void CommandWriter::argument(std::string_view text) {
  append_header(*out_, '$', text.size());
  out_->append(text).append("\r\n");
}

ParseOutcome parse_reply(std::string_view bytes, std::vector<Node>& nodes, size_t& consumed) {
  nodes.clear();
  consumed = 0;
  for (int64_t wanted = 1; wanted > 0; --wanted) {
    Node node;
    ParseOutcome outcome = parse_node(bytes, consumed, node);
    if (outcome != ParseOutcome::kComplete) return outcome;
    if (node.kind == Node::Kind::kArray) wanted += node.integer;
    if (wanted > kMaxElements) return ParseOutcome::kMalformed;
    nodes.push_back(node);
  }
  return ParseOutcome::kComplete;
}

}  // namespace asof::engines::online::redis
