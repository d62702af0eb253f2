#include "asof/client/shown_url.h"

#include <gtest/gtest.h>

namespace asof::client {
namespace {

TEST(ShownUrl, HidesThePasswordAndNothingElse) {
  EXPECT_EQ(shown_url("redis://:secret@host:6379/0"), "redis://:***@host:6379/0");
  EXPECT_EQ(shown_url("rediss://user:s@cr:et@host/0"), "rediss://user:***@host/0");
  for (const char* url : {"redis://host:6379/0", "redis://user@host:6379", "lmdb:.asof/online",
                          "sqlite:a:b@c/d", "memory:", "redis://host/a:b@c", ""})
    EXPECT_EQ(shown_url(url), url);
}

}  // namespace
}  // namespace asof::client
