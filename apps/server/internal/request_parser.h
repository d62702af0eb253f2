// RequestParser: Beast's parser, with the fields that matter kept and nothing else allocated.
#pragma once

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <string>

#include "apps/server/server.h"
#include "asof/serve/text_buffer.h"

namespace asof::server {

namespace http = boost::beast::http;
using boost::system::error_code;

// One a request. What it finds stands in `fields`, whose memory the next request uses again.
class RequestParser final : public http::basic_parser<true> {
 public:
  struct Fields {
    std::string method, target, host, authorization, content_type, accept, timeout;
    serve::TextBuffer body;
    int version = 11;
    bool expects_continue = false;
    bool has_host = false;
    bool repeats_host = false;
    bool has_other_coding = false;
  };
  RequestParser(Fields& fields, const Limits& limits) : fields_(fields) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(limits.body_bytes);
    eager(true);
    fields_.method.clear();
    fields_.target.clear();
    fields_.host.clear();
    fields_.authorization.clear();
    fields_.content_type.clear();
    fields_.accept.clear();
    fields_.timeout.clear();
    fields_.body.clear();
    fields_.expects_continue = fields_.has_host = fields_.repeats_host = fields_.has_other_coding =
        false;
  }

 private:
  using Text = boost::beast::string_view;
  void on_request_impl(http::verb, Text method, Text target, int version, error_code&) override {
    fields_.method.assign(method.data(), method.size());
    fields_.target.assign(target.data(), target.size());
    fields_.version = version;
  }
  void on_response_impl(int, Text, int, error_code&) override {}
  void on_field_impl(http::field name, Text text, Text value, error_code&) override {
    switch (name) {
      case http::field::host:
        fields_.repeats_host = fields_.has_host;
        fields_.has_host = true;
        fields_.host.assign(value.data(), value.size());
        break;
      case http::field::authorization:
        fields_.authorization.assign(value.data(), value.size());
        break;
      case http::field::content_type:
        fields_.content_type.assign(value.data(), value.size());
        break;
      case http::field::accept:
        if (!fields_.accept.empty()) fields_.accept.append(", ");
        fields_.accept.append(value.data(), value.size());
        break;
      case http::field::expect:
        fields_.expects_continue = boost::beast::iequals(value, "100-continue");
        break;
      case http::field::transfer_encoding:
        // Beast would take `gzip` as a request without a body, and its bytes as the next request.
        if (!boost::beast::iequals(value, "chunked")) fields_.has_other_coding = true;
        break;
      case http::field::unknown:
        if (boost::beast::iequals(text, "X-Asof-Timeout-Ms"))
          fields_.timeout.assign(value.data(), value.size());
        break;
      default: break;
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(Text body, error_code&) override {
    fields_.body.append({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override {
    fields_.body.append({body.data(), body.size()});
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Fields& fields_;
};

}  // namespace asof::server
