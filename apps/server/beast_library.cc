// Asio's and Beast's own sources, compiled once: every other file that includes them only declares.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>

namespace asof::server {}
