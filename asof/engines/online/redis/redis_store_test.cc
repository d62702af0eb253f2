#include "asof/engines/online/redis/redis_store.h"

#include <fstream>

#include "asof/engines/online/redis/internal/json_value.h"
#include "asof/engines/online/redis/internal/key_name.h"
#include "asof/engines/online/redis/internal/redis_store.h"
#include "asof/store/testing/online_store_contract.h"
#include "asof/store/testing/redis_server.h"

namespace asof::engines::online::redis {

namespace {

using store::OnlineStore;
using store::Slot;
using store::Table;
using namespace store::testing;  // NOLINT: the suite's words

using Options = std::map<std::string, std::string>;

Result<std::unique_ptr<OnlineStore>> open_at(const std::string& location, Options options = {},
                                             const std::string& project = "shop",
                                             const std::string& scheme = "redis") {
  return engine().open({scheme, location, std::move(options), project, "/"});
}

// Talks to a server past the engine: "HGETALL key" and so on.
class Console {
 public:
  explicit Console(const RedisServer& server) {
    ClientSettings settings;
    settings.server.port = server.port();
    client_ = *Client::open(settings);
  }
  OwnedReply run(std::initializer_list<std::string_view> command) {
    std::string bytes;
    CommandWriter(bytes).command(command);
    auto replies = call(*client_, std::move(bytes), 1, deadline_in(10));
    EXPECT_TRUE(replies) << replies.error().text();
    return replies ? replies->front() : OwnedReply{{}};
  }
  std::string text(std::initializer_list<std::string_view> command) { return run(command)[0].text; }
  std::map<std::string, std::string> hash(std::string_view key) {
    OwnedReply reply = run({"HGETALL", key});
    std::map<std::string, std::string> out;
    for (size_t i = 1; i + 1 < reply.size(); i += 2) out[reply[i].text] = reply[i + 1].text;
    return out;
  }
  std::set<std::string> keys() {
    OwnedReply reply = run({"KEYS", "*"});
    std::set<std::string> out;
    for (size_t i = 1; i < reply.size(); ++i) out.insert(reply[i].text);
    return out;
  }
  // How often a command was called since the last reset.
  int64_t calls(const std::string& command) {
    std::string stats = text({"INFO", "commandstats"});
    size_t at = stats.find("cmdstat_" + command + ":calls=");
    return at == std::string::npos ? 0 : std::stoll(stats.substr(stats.find('=', at) + 1));
  }

 private:
  std::unique_ptr<Client> client_;
};

// One server for the contract's tests of a process; each place is the server, emptied.
RedisServer* contract_server() {
  static std::unique_ptr<RedisServer> server =
      RedisServer::start({.environment = {"LC_ALL=C.UTF-8", "LC_COLLATE=C.UTF-8"}});
  return server.get();
}

OnlineStoreHarness redis_harness(std::string name, std::string layout) {
  OnlineStoreHarness harness;
  harness.name = std::move(name);
  harness.make_place = []() -> std::string {
    if (!is_installed("redis-server") || contract_server() == nullptr) return "//127.0.0.1:1/0";
    EXPECT_EQ(Console(*contract_server()).text({"FLUSHALL"}), "OK");
    return "//" + contract_server()->address() + "/0";
  };
  harness.open = [layout](const std::string& place, const std::string& project) {
    return open_at(place, {{"layout", layout}}, project);
  };
  harness.open_small = [layout](const std::string&, const std::string& project) {
    static std::unique_ptr<RedisServer> small;
    small = RedisServer::start(
        {.arguments = {"--maxmemory", "24mb", "--maxmemory-policy", "noeviction"}});
    return open_at("//" + small->address(), {{"layout", layout}}, project);
  };
  harness.holds_generations = layout == "packed";
  return harness;
}

// Reads until the store answers as wanted, or ten seconds have gone by.
template <typename Wanted>
bool comes_to(const Wanted& wanted) {
  const int64_t until = deadline_in(10);
  while (steady_now_us() < until) {
    if (wanted()) return true;
    usleep(5'000);
  }
  return false;
}

class RedisStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { ASOF_NEEDS_REDIS(); }

  void start(RedisServer::Options options = {}, Options of_store = {}) {
    server_ = RedisServer::start(std::move(options));
    ASSERT_NE(server_, nullptr);
    auto opened = open_at("//" + server_->address(), std::move(of_store));
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = *std::move(opened);
  }
  void write(const std::string& id, int64_t at) {
    auto counts = write_rows(*store_, users_, slot_, {{user_key(id), make_row(slot_, at, at)}});
    ASSERT_TRUE(counts) << counts.error().text();
  }
  std::string read(const std::string& id) {
    auto row = read_row(*store_, users_, user_key(id), slot_);
    return row ? *row : std::string(to_string(row.error().code));
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<OnlineStore> store_;
  const Table users_ = user_table();
  const Slot slot_ = make_slot(1);
};

TEST_F(RedisStoreTest, SendsOneCommandAnEntityAndOneRoundTripARequest) {
  start();
  Table composite = composite_table();
  std::vector<Slot> slots;
  for (uint32_t view = 1; view <= 10; ++view) slots.push_back(make_slot(view));
  std::vector<std::string> users, pairs;
  for (int64_t i = 0; i < 50; ++i) {
    users.push_back(user_key(std::to_string(i)));
    pairs.push_back(key_of(composite, {Value(Date{20'000}), Value(i), Value(std::string("u"))}));
  }
  for (const Slot& slot : slots) {
    ASSERT_TRUE(write_rows(*store_, users_, slot, {{users[7], make_row(slot, 1, 1)}}));
    ASSERT_TRUE(write_rows(*store_, composite, slot, {{pairs[9], make_row(slot, 1, 1)}}));
  }
  std::vector<store::ReadGroup> groups = {{&users_, users, slots}, {&composite, pairs, slots}};
  Console console(*server_);
  int64_t before = console.calls("hmget");
  uint64_t round_trips_before = round_trips(*store_);
  CollectingSink sink;
  auto done = read_and_wait(*store_, groups, deadline_in(10), sink);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(sink.rows.size(), 20u);
  EXPECT_EQ(console.calls("hmget") - before, 100);
  EXPECT_EQ(round_trips(*store_) - round_trips_before, 1u);
}

TEST_F(RedisStoreTest, WritesManyRowsWithFewScripts) {
  start();
  OwnedRows rows;
  for (int64_t i = 0; i < 5'000; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(slot_, i, i));
  ASSERT_TRUE(write_rows(*store_, users_, slot_, {rows[0]}));
  Console console(*server_);
  int64_t before = console.calls("evalsha");
  ASSERT_TRUE(write_rows(*store_, users_, slot_, rows));
  EXPECT_LE(console.calls("evalsha") - before, 25);
}

TEST_F(RedisStoreTest, NamesItsKeysForPeople) {
  start();
  Console console(*server_);
  write("8a2f", 1);
  write("a:b%c\n", 1);
  Table composite = composite_table(), global = global_table();
  std::string pair =
      key_of(composite, {Value(Date{20'578}), Value(int64_t{-7}), Value(std::string("x,y"))});
  ASSERT_TRUE(write_rows(*store_, composite, slot_, {{pair, make_row(slot_, 1, 1)}}));
  ASSERT_TRUE(write_rows(*store_, global, slot_, {{"", make_row(slot_, 1, 1)}}));
  ASSERT_TRUE(store_->write_mark("identity", "f00d"));
  EXPECT_EQ(console.keys(),
            (std::set<std::string>{"shop:user_id:8a2f", "shop:user_id:a%3ab%25c%0a",
                                   "shop:day,merchant_id,user_id:2026-05-05,-7,x%2cy",
                                   "shop::", "shop:#asof"}));
  EXPECT_EQ(console.hash("shop:user_id:8a2f"),
            (std::map<std::string, std::string>{{"view_1@1.1", make_row(slot_, 1, 1)}}));
  EXPECT_EQ(console.hash("shop:#asof"),
            (std::map<std::string, std::string>{{"mark:identity", "f00d"}}));
}

TEST_F(RedisStoreTest, LaysFeaturesOutForOtherPrograms) {
  start({}, {{"layout", "fields"}, {"prefix", ""}});
  Console console(*server_);
  Schema features = {{"user_segment", scalar(TypeKind::kString)},
                     {"watch_count_30d", scalar(TypeKind::kInt64)},
                     {"score", scalar(TypeKind::kFloat64)}};
  Slot slot{1, 1, "recommender", std::make_shared<codec::RowLayout>(features)};
  std::vector<Value> values = {Value(std::string("power_user")), Value(int64_t{47}), Value(Null{})};
  std::string row = *codec::encode_row(*slot.layout, 5, 5, values);
  ASSERT_TRUE(write_rows(*store_, users_, slot, {{user_key("8a2f"), row}}));
  EXPECT_EQ(console.hash("user_id:8a2f"),
            (std::map<std::string, std::string>{{"user_segment", "\"power_user\""},
                                                {"watch_count_30d", "47"},
                                                {"score", "null"},
                                                {"_ts:recommender", to_hex(row)},
                                                {"_generation:recommender", "1.1"}}));
  EXPECT_EQ(*read_row(*store_, users_, user_key("8a2f"), slot), row);
  // Another program's keys beside ours are neither read, scanned nor removed.
  console.run({"SET", "user_id:string", "x"});
  console.run({"HSET", "user_id:a:b", "theirs", "1"});
  console.run({"HSET", "user_id:theirs", "theirs", "1"});
  EXPECT_EQ(scan_rows(*store_, users_, {slot})->size(), 1u);
  EXPECT_EQ(*store_->erase(users_, slot, std::nullopt), 1u);
  EXPECT_EQ(console.hash("user_id:8a2f").size(), 0u);
  EXPECT_EQ(console.hash("user_id:theirs").size(), 1u);
  EXPECT_EQ(console.hash("user_id:a:b").size(), 1u);
}

TEST_F(RedisStoreTest, RemovesTheFieldsThatADefinitionNoLongerHas) {
  start({}, {{"layout", "fields"}});
  Console console(*server_);
  auto slot_of = [](uint32_t id, uint32_t generation, std::string view,
                    std::vector<std::string> names) {
    Schema features;
    for (std::string& name : names) features.push_back({std::move(name), scalar(TypeKind::kInt64)});
    return Slot{id, generation, std::move(view), std::make_shared<codec::RowLayout>(features)};
  };
  auto row_of = [](const Slot& slot, int64_t at) {
    return *codec::encode_row(*slot.layout, at, at,
                              std::vector<Value>(slot.layout->size(), Value(at)));
  };
  auto fields = [&](const std::string& id) {
    std::set<std::string> out;
    for (const auto& [field, value] : console.hash("shop:user_id:" + id))
      if (field[0] != '_') out.insert(field);
    return out;
  };
  // View a drops `moved`, view b takes it over.
  Slot a1 = slot_of(1, 1, "a", {"kept", "dropped", "moved"}),
       a2 = slot_of(1, 2, "a", {"kept", "added"});
  Slot b1 = slot_of(2, 1, "b", {"other"}), b2 = slot_of(2, 2, "b", {"other", "moved"});
  std::string both = user_key("both"), gone = user_key("gone");
  ASSERT_TRUE(write_rows(*store_, users_, a1, {{both, row_of(a1, 9)}, {gone, row_of(a1, 9)}}));
  ASSERT_TRUE(write_rows(*store_, users_, b1, {{both, row_of(b1, 9)}}));
  ASSERT_TRUE(write_rows(*store_, users_, a2, {{both, row_of(a2, 5)}}));
  ASSERT_TRUE(write_rows(*store_, users_, b2, {{both, row_of(b2, 5)}}));
  EXPECT_EQ(fields("both"), (std::set<std::string>{"kept", "dropped", "moved", "added", "other"}));
  EXPECT_EQ(*store_->erase(users_, a1, std::nullopt), 1u);  // that of `gone`
  EXPECT_EQ(*store_->erase(users_, b1, std::nullopt), 0u);
  EXPECT_EQ(fields("both"), (std::set<std::string>{"kept", "added", "moved", "other"}));
  EXPECT_EQ(fields("gone"), (std::set<std::string>{}));
  EXPECT_EQ(*read_row(*store_, users_, both, a2), row_of(a2, 5));
  EXPECT_EQ(*read_row(*store_, users_, both, b2), row_of(b2, 5));
}

TEST_F(RedisStoreTest, GoesOnWhenTheServerForgetsItsScripts) {
  start();
  write("a", 1);
  Console console(*server_);
  EXPECT_EQ(console.text({"SCRIPT", "FLUSH"}), "OK");
  write("a", 2);
  EXPECT_EQ(read("a"), make_row(slot_, 2, 2));
  EXPECT_EQ(console.text({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(*store_->compare_and_swap(users_, slot_, user_key("a"), make_row(slot_, 2, 2),
                                      make_row(slot_, 1, 1)),
            true);
  EXPECT_EQ(console.text({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(*store_->erase(users_, slot_, std::nullopt), 1u);
}

TEST_F(RedisStoreTest, SaysWhichServerIsGoneAndWorksAgainWhenItIsBack) {
  start();
  write("a", 1);
  ASSERT_TRUE(store_->write_mark("identity", "f00d"));
  server_->stop();
  ASSERT_TRUE(comes_to([&] { return read("a") == "unavailable"; }));
  auto counts = write_rows(*store_, users_, slot_, {{user_key("a"), make_row(slot_, 2, 2)}});
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(counts.error().text().find(server_->address()), std::string::npos)
      << counts.error().text();
  ASSERT_TRUE(server_->restart());
  ASSERT_TRUE(comes_to([&] { return read("a").empty(); }));
  // Restarted empty: the marks say that it lost its data.
  auto mark = store_->read_mark("identity");
  ASSERT_TRUE(mark) << mark.error().text();
  EXPECT_FALSE(mark->has_value());
  ASSERT_TRUE(comes_to([&] {  // the pool's other connection
    return write_rows(*store_, users_, slot_, {{user_key("a"), make_row(slot_, 3, 3)}}).has_value();
  }));
  EXPECT_EQ(read("a"), make_row(slot_, 3, 3));
}

TEST_F(RedisStoreTest, OpensWhileTheServerIsAway) {
  server_ = RedisServer::start();
  ASSERT_NE(server_, nullptr);
  server_->stop();
  auto opened = open_at("//" + server_->address());
  ASSERT_TRUE(opened) << opened.error().text();
  store_ = *std::move(opened);
  EXPECT_EQ(read("a"), "unavailable");
  ASSERT_TRUE(server_->restart());
  EXPECT_TRUE(comes_to([&] { return read("a").empty(); }));
}

TEST_F(RedisStoreTest, EndsAReadInTimeWhenTheServerHangs) {
  start();
  write("a", 1);
  ASSERT_EQ(read("a"), make_row(slot_, 1, 1));
  server_->pause();
  std::vector<std::string> keys = {user_key("a")};
  std::vector<Slot> slots = {slot_};
  store::ReadGroup group{&users_, keys, slots};
  CollectingSink sink;
  auto done = read_and_wait(*store_, {&group, 1}, steady_now_us() + 50'000, sink);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kTimeout);
  EXPECT_NE(done.error().text().find(server_->address()), std::string::npos);
  server_->go_on();
  // The late answer belongs to nobody: the next one gets its own.
  EXPECT_TRUE(comes_to([&] { return read("a") == make_row(slot_, 1, 1); }));
  EXPECT_TRUE(sink.rows.empty());
  EXPECT_EQ(read("b"), "");
}

TEST_F(RedisStoreTest, LogsInWithAPasswordThatItNeverTells) {
  server_ = RedisServer::start({.password = "s3cret%:@/"});
  ASSERT_NE(server_, nullptr);
  for (const std::string& location :
       {"//:s3cret%25%3a%40%2f@" + server_->address(),
        "//default:s3cret%25%3a%40%2f@" + server_->address() + "/2"}) {
    auto opened = open_at(location);
    ASSERT_TRUE(opened) << opened.error().text();
    auto written = (*opened)->write_mark("identity", "x");
    EXPECT_TRUE(written) << written.error().text();
  }
  auto by_option = open_at("//" + server_->address(), {{"password", "s3cret%:@/"}});
  ASSERT_TRUE(by_option);
  EXPECT_TRUE((*by_option)->write_mark("identity", "x"));
  for (Options options : {Options{}, Options{{"password", "wr0ng"}}}) {
    auto refused = open_at("//" + server_->address(), options);
    ASSERT_TRUE(refused) << refused.error().text();
    auto mark = (*refused)->read_mark("identity");
    ASSERT_FALSE(mark);
    EXPECT_EQ(mark.error().code, ErrorCode::kUnauthenticated) << mark.error().text();
    EXPECT_NE(mark.error().text().find("password"), std::string::npos);
    EXPECT_EQ(mark.error().text().find("wr0ng"), std::string::npos);
  }
}

TEST_F(RedisStoreTest, TalksTls) {
  if (!is_installed("openssl")) GTEST_SKIP() << "openssl is not installed";
  auto server = RedisServer::start({.uses_tls = true});
  ASSERT_NE(server, nullptr) << "redis-server without TLS?";
  auto outcome = [&](Options options, std::string scheme = "rediss") {
    auto opened = open_at("//" + server->address(), std::move(options), "shop", scheme);
    if (!opened) return opened.error().text();
    auto written = (*opened)->write_mark("identity", "x");
    return written ? std::string("ok") : written.error().text();
  };
  EXPECT_EQ(outcome({{"ca_file", server->ca_file()}}), "ok");
  EXPECT_EQ(outcome({{"tls_verify", "false"}}), "ok");
  EXPECT_NE(outcome({}).find("TLS failed"), std::string::npos)
      << outcome({});  // nobody vouches for it
  EXPECT_NE(outcome({}, "redis").find(server->address()), std::string::npos);
  EXPECT_NE(outcome({{"ca_file", "/nowhere.pem"}}).find("cannot read the CA file '/nowhere.pem'"),
            std::string::npos);
}

TEST_F(RedisStoreTest, TellsAnotherProgramsKeyFromItsOwn) {
  start();
  Console console(*server_);
  console.run({"SET", "shop:user_id:taken", "a string"});
  auto row = read_row(*store_, users_, user_key("taken"), slot_);
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code, ErrorCode::kCorrupt);
  auto counts = write_rows(*store_, users_, slot_, {{user_key("taken"), make_row(slot_, 1, 1)}});
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kCorrupt) << counts.error().text();
}

TEST_F(RedisStoreTest, RefusesWhatIsNoRedis) {
  // A server that speaks otherwise.
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  std::thread stranger([&] {
    int client = accept(listener, nullptr, nullptr);
    EXPECT_GT(send(client, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL), 0);
    char byte;
    while (recv(client, &byte, 1, 0) > 0) {
    }
    close(client);
  });
  auto opened = open_at("//127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {{"pool", "1"}});
  ASSERT_TRUE(opened);
  auto mark = (*opened)->read_mark("identity");
  ASSERT_FALSE(mark);
  EXPECT_NE(mark.error().text().find("does not speak the Redis protocol"), std::string::npos)
      << mark.error().text();
  close(listener);
  opened->reset();
  stranger.join();
}

TEST_F(RedisStoreTest, AnswersManyThreadsAtOnce) {
  start();
  OwnedRows rows;
  for (int64_t i = 0; i < 200; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(slot_, i, i));
  ASSERT_TRUE(write_rows(*store_, users_, slot_, rows));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (const auto& [key, row] : rows) {
        auto found = read_row(*store_, users_, key, slot_);
        ASSERT_TRUE(found) << found.error().text();
        ASSERT_EQ(*found, row);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RedisStoreTest, IsAsItsPageSays) {
  std::ifstream file("docs/formats/redis.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const std::string layout : {"packed", "fields"}) {
    start({}, {{"layout", layout}});
    Console console(*server_);
    Schema features = {{"user_segment", scalar(TypeKind::kString)},
                       {"watch_count_30d", scalar(TypeKind::kInt64)}};
    Slot slot{7, 2, "user_stats", std::make_shared<codec::RowLayout>(features)};
    std::vector<Value> values = {Value(std::string("power_user")), Value(int64_t{47})};
    std::string row =
        *codec::encode_row(*slot.layout, 1'777'982'400'000'000, 1'777'982'400'000'000, values);
    ASSERT_TRUE(write_rows(*store_, users_, slot, {{user_key("8a2f"), row}}));
    ASSERT_TRUE(store_->write_mark("identity", "f00d"));
    for (const char* key : {"shop:user_id:8a2f", "shop:#asof"})
      for (auto [field, value] : console.hash(key)) {
        if (field == "user_stats@7.2") value = to_hex(value);
        if (size_t line = value.find('\n'); line != std::string::npos)
          value = value.substr(0, line) + " …";
        std::string wanted = "| `" + std::string(key) + "` | `" + field + "` | `" + value + "` |";
        EXPECT_NE(page.find(wanted), std::string::npos) << layout << ": " << wanted;
      }
  }
}

TEST(RedisAddress, ReadsUrls) {
  auto read = [](std::string_view location, std::string_view scheme = "redis") {
    auto address = parse_address(scheme, location);
    EXPECT_TRUE(address) << address.error().text();
    return address ? *address : ServerAddress{};
  };
  EXPECT_EQ(read("//localhost").name(), "localhost:6379");
  EXPECT_EQ(read("//localhost/").database, 0u);
  EXPECT_EQ(read("//10.0.0.1:7000/3").database, 3u);
  EXPECT_EQ(read("//10.0.0.1:7000/3").name(), "10.0.0.1:7000");
  EXPECT_EQ(read("//[::1]:7000").name(), "[::1]:7000");
  EXPECT_EQ(read("//u%40x:p%3Aw@host").username, "u@x");
  EXPECT_EQ(read("//u%40x:p%3Aw@host").password, "p:w");
  EXPECT_EQ(read("//:p@host").password, "p");
  EXPECT_TRUE(read("//host", "rediss").uses_tls);
}

TEST(RedisAddress, SaysWhatIsWrongWithoutThePassword) {
  for (std::string_view location :
       {"host", "//", "//:6379", "//u:hidden@", "//u:hidden%zz@host", "//u:hidden@host:0",
        "//u:hidden@host:65536", "//u:hidden@host:", "//u:hidden@host/x", "//u:hidden@[::1",
        "//u:hidden@[::1]x", "//u:hidden@host?db=1", "//u:hidden@host/1/2", "//u:hidden%2@host",
        "//u:hidden%@host"}) {
    auto address = parse_address("redis", location);
    ASSERT_FALSE(address) << location;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(address.error().text().find("hidden"), std::string::npos) << address.error().text();
    EXPECT_FALSE(address.error().hint.empty());
  }
}

TEST(RedisOptions, SayWhatIsWrong) {
  auto text_of = [](Options options) {
    auto store = open_at("//127.0.0.1:1", std::move(options));
    return store ? std::string("opened") : store.error().text();
  };
  EXPECT_NE(text_of({{"layuot", "packed"}}).find("layout"), std::string::npos);
  EXPECT_NE(text_of({{"layout", "packd"}}).find("did you mean 'packed'"), std::string::npos);
  EXPECT_NE(text_of({{"pool", "0"}}).find("1 to 64"), std::string::npos);
  EXPECT_NE(text_of({{"prefix", "x"}}).find("layout: fields"), std::string::npos);
}

TEST(RedisResp, ReadsEveryReply) {
  std::vector<Node> nodes;
  size_t consumed = 0;
  const std::string bytes = "*4\r\n+OK\r\n:-7\r\n$-1\r\n*2\r\n$3\r\na\r\n\r\n$0\r\n\r\n-ERR no\r\n";
  ASSERT_EQ(parse_reply(bytes, nodes, consumed), ParseOutcome::kComplete);
  EXPECT_EQ(bytes.substr(consumed), "-ERR no\r\n");
  ASSERT_EQ(nodes.size(), 7u);
  EXPECT_EQ(nodes[1].text, "OK");
  EXPECT_EQ(nodes[2].integer, -7);
  EXPECT_EQ(nodes[3].kind, Node::Kind::kNull);
  EXPECT_EQ(nodes[5].text, "a\r\n");
  EXPECT_EQ(nodes[6].text, "");
  // Every beginning of it is incomplete, never wrong.
  for (size_t length = 0; length < consumed; ++length) {
    std::vector<Node> part;
    size_t end = 0;
    EXPECT_EQ(parse_reply(std::string_view(bytes).substr(0, length), part, end),
              ParseOutcome::kIncomplete)
        << length;
  }
}

TEST(RedisResp, RefusesWhatIsNoReply) {
  for (std::string_view bytes :
       {"HTTP/1.1 400\r\n", "$x\r\n", ":\r\n", "$3\r\nabcde\r\n", "\r\n", "$-2\r\n", "*-2\r\n",
        "$99999999999\r\n", "*99999999999\r\n", ":1 \r\n"}) {
    std::vector<Node> nodes;
    size_t consumed = 0;
    EXPECT_EQ(parse_reply(bytes, nodes, consumed), ParseOutcome::kMalformed) << bytes;
  }
}

TEST(RedisJson, SpellsValuesAsTheApiDoes) {
  auto json = [](Value value) {
    std::string out;
    append_json(value, out);
    return out;
  };
  EXPECT_EQ(json(Value(Null{})), "null");
  EXPECT_EQ(json(Value(true)), "true");
  EXPECT_EQ(json(Value(int64_t{-47})), "-47");
  EXPECT_EQ(json(Value(1.0)), "1.0");
  EXPECT_EQ(json(Value(0.1f)), "0.1");
  EXPECT_EQ(json(Value(std::numeric_limits<double>::quiet_NaN())), "null");
  EXPECT_EQ(json(Value(std::numeric_limits<float>::infinity())), "null");
  EXPECT_EQ(json(Value(std::string("a\"\\\n\x01é"))), R"("a\"\\\u000a\u0001é")");
  EXPECT_EQ(json(Value(std::string("a\xff\xc3"))), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(json(Value(Bytes{std::string("\0\xff", 2)})), "\"AP8=\"");
  EXPECT_EQ(json(Value(Decimal{-1230, 2})), "\"-12.30\"");
  EXPECT_EQ(json(Value(Date{20'578})), "\"2026-05-05\"");
  EXPECT_EQ(json(Value(List{Value(int64_t{1}), Value(Null{}), Value(std::string("x"))})),
            "[1,null,\"x\"]");
}

TEST(RedisOptions, IsDocumented) {
  std::ifstream file("docs/online-stores.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const store::EngineOption& option : engine().options) {
    std::string line = "| `" + std::string(option.name) + "` | " +
                       std::string(option.default_value) + " | " + std::string(option.doc) + " |";
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Redis, OnlineStoreContract,
                         ::testing::Values(redis_harness("Packed", "packed"),
                                           redis_harness("Fields", "fields")),
                         harness_name);
INSTANTIATE_TEST_SUITE_P(Redis, SharedOnlineStoreContract,
                         ::testing::Values(redis_harness("Packed", "packed"),
                                           redis_harness("Fields", "fields")),
                         harness_name);

}  // namespace asof::engines::online::redis
