#include "apps/server/docs_page.h"

#include <map>

namespace asof::server {

// Of pages/, compiled in by CMakeLists.txt.
const std::map<std::string_view, std::string_view>& embedded_texts();

std::string_view docs_page() { return embedded_texts().at("docs.html"); }

}  // namespace asof::server
