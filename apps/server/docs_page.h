// The page at /docs: lists the operations of /openapi.json and tries them. One HTML text without any outside asset.
#pragma once

#include <string_view>

namespace asof::server {

std::string_view docs_page();

}  // namespace asof::server
