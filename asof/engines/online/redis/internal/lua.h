// Lua that several scripts begin with.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace asof::engines::online::redis {

// newer(a, b): whether a comes after b in the order of bytes. Lua's own `<` would follow the server's locale; `==` is exact,
// so pieces are passed over by it and only the first that differs is looked at byte by byte.
inline constexpr std::string_view kNewer = R"lua(
local function newer(a, b)
  local length = math.min(#a, #b)
  local at = 1
  while at <= length do
    local last = math.min(at + 63, length)
    if string.sub(a, at, last) ~= string.sub(b, at, last) then
      for i = at, last do
        local x, y = string.byte(a, i), string.byte(b, i)
        if x ~= y then return x > y end
      end
    end
    at = last + 1
  end
  return #a > #b
end
)lua";

inline std::string join_lua(std::initializer_list<std::string_view> parts) {
  std::string script;
  for (std::string_view part : parts) script.append(part);
  return script;
}

}  // namespace asof::engines::online::redis
