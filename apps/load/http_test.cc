#include "apps/load/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::load {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Url, NamesHostPortAndPath) {
  const Address plain = parse_url("http://127.0.0.1:6566").value();
  EXPECT_EQ(plain.host, "127.0.0.1");
  EXPECT_EQ(plain.port, 6566);
  EXPECT_EQ(plain.prefix, "");
  EXPECT_EQ(plain.authority(), "127.0.0.1:6566");
  const Address behind = parse_url("HTTP://features.example/store/").value();
  EXPECT_EQ(behind.host, "features.example");
  EXPECT_EQ(behind.port, 80);
  EXPECT_EQ(behind.prefix, "/store");
  const Address six = parse_url("http://[::1]:8080/").value();
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.port, 8080);
  EXPECT_EQ(six.authority(), "[::1]:8080");
}

TEST(Url, ThatIsNoneSaysHowOneIsWritten) {
  for (const char* url :
       {"", "127.0.0.1:6566", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:65536",
        "http://x:port", "http://x:", "http://a:b:c", "http://[::1", "http://[::1]x",
        "http://x/a b", "http://x/a\r\nEvil: 1", "http://u:p@x", "http://x/?q=1", "http://x/#f"}) {
    const auto address = parse_url(url);
    ASSERT_FALSE(address.has_value()) << url;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalid) << url;
    EXPECT_THAT(address.error().hint, HasSubstr("http://127.0.0.1:6566")) << url;
  }
  EXPECT_EQ(parse_url("https://x").error().code, ErrorCode::kUnsupported);
}

TEST(Requests, AreWholeAndCarryTheToken) {
  const Address address{"h", 1, "/p"};
  EXPECT_EQ(get_request(address, "/readyz", ""), "GET /p/readyz HTTP/1.1\r\nHost: h:1\r\n\r\n");
  EXPECT_EQ(post_request(address, "/x", "secret", "{}"),
            "POST /p/x HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer secret\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\ncontent-LENGTH:  5 \r\nX-Asof-Revision: 3\r\n\r\nhello";

TEST(AnswerReader, TakesAnAnswerInPiecesOfEverySize) {
  for (size_t piece = 1; piece <= kAnswer.size(); ++piece) {
    AnswerReader reader;
    bool is_whole = false;
    for (size_t at = 0; at < kAnswer.size(); at += piece) {
      ASSERT_FALSE(is_whole) << piece;
      is_whole = reader.take(kAnswer.substr(at, piece)).value();
    }
    EXPECT_TRUE(is_whole) << piece;
    EXPECT_EQ(reader.head().status, 200);
    EXPECT_FALSE(reader.head().closes);
    EXPECT_EQ(reader.body(), "hello");
    reader.reset();
    EXPECT_TRUE(reader.take(kAnswer).value());
  }
}

TEST(AnswerReader, KnowsAnswersWithoutABodyAndTheEndOfAConnection) {
  AnswerReader reader;
  EXPECT_TRUE(reader.take("HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n").value());
  EXPECT_EQ(reader.head().status, 204);
  EXPECT_TRUE(reader.head().closes);
  EXPECT_EQ(reader.body(), "");
}

TEST(AnswerReader, CountsALongBodyAndKeepsItsBeginning) {
  const size_t size = 10 * AnswerReader::kKept;
  AnswerReader reader;
  ASSERT_FALSE(
      reader.take("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n")
          .value());
  for (size_t i = 0; i < 10; ++i)
    ASSERT_EQ(reader.take(std::string(AnswerReader::kKept, 'x')).value(), i == 9);
  EXPECT_LE(reader.body().size(), AnswerReader::kKept);
  EXPECT_THAT(std::string(reader.body()), StartsWith("xxxx"));
}

TEST(AnswerReader, RefusesWhatIsNoAnswerOfHttp) {
  const std::string endless = "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x');
  for (const std::string& met :
       {std::string("SSH-2.0-OpenSSH"), std::string("+PONG\r\n"), std::string("HTTP/1.1 \r\n\r\n"),
        std::string("HTTP/1.1 abc OK\r\n\r\n"), endless}) {
    AnswerReader reader;
    const auto taken = reader.take(met);
    ASSERT_FALSE(taken.has_value()) << met.substr(0, 40);
    EXPECT_EQ(taken.error().code, ErrorCode::kCorrupt);
  }
  AnswerReader surplus;
  EXPECT_THAT(surplus.take(std::string(kAnswer) + "!").error().message, HasSubstr("5 bytes"));
}

TEST(AnswerReader, RefusesAnswersWhoseLengthIsNotTold) {
  for (const char* head : {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"}) {
    AnswerReader reader;
    EXPECT_EQ(reader.take(head).error().code, ErrorCode::kUnsupported) << head;
  }
}

}  // namespace
}  // namespace asof::load
