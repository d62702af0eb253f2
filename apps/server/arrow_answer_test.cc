#include "apps/server/arrow_answer.h"

#include <gtest/gtest.h>
#include <nanoarrow.h>
#include <nanoarrow_ipc.h>

#include "apps/server/testing/running_server.h"
#include "asof/base/clock.h"
#include "asof/plan/selection.h"
#include "asof/serve/testing/cells_of_every_kind.h"

namespace asof::server {
namespace {

using serve::testing::StreamingProject;

// A stream of one batch, read by nanoarrow's own reader: names, types in Arrow's spelling, and cells as text.
struct Table {
  std::vector<std::string> names, formats;
  std::vector<std::vector<std::string>> columns;

  const std::vector<std::string>& column(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    ASOF_CHECK(found != names.end());
    return columns[static_cast<size_t>(found - names.begin())];
  }
  std::string format(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? "" : formats[static_cast<size_t>(found - names.begin())];
  }
};

Value value_at(const ArrowArrayView* view, int64_t row, const DataType& type) {
  if (ArrowArrayViewIsNull(view, row)) return Value(Null{});
  switch (type.kind) {
    case TypeKind::kBool: return Value(ArrowArrayViewGetIntUnsafe(view, row) != 0);
    case TypeKind::kInt32:
    case TypeKind::kInt64: return Value(ArrowArrayViewGetIntUnsafe(view, row));
    case TypeKind::kFloat32:
      return Value(static_cast<float>(ArrowArrayViewGetDoubleUnsafe(view, row)));
    case TypeKind::kFloat64: return Value(ArrowArrayViewGetDoubleUnsafe(view, row));
    case TypeKind::kString:
    case TypeKind::kBytes: {
      const ArrowBufferView bytes = ArrowArrayViewGetBytesUnsafe(view, row);
      std::string text(bytes.data.as_char, static_cast<size_t>(bytes.size_bytes));
      return type.kind == TypeKind::kString ? Value(std::move(text))
                                            : Value(Bytes{std::move(text)});
    }
    case TypeKind::kTimestamp: return Value(Timestamp{ArrowArrayViewGetIntUnsafe(view, row)});
    case TypeKind::kDate:
      return Value(Date{static_cast<int32_t>(ArrowArrayViewGetIntUnsafe(view, row))});
    case TypeKind::kDecimal: {
      ArrowDecimal decimal;
      ArrowDecimalInit(&decimal, 128, type.precision, type.scale);
      ArrowArrayViewGetDecimalUnsafe(view, row, &decimal);
      Int128 unscaled = 0;
      ArrowDecimalGetBytes(&decimal, reinterpret_cast<uint8_t*>(&unscaled));
      return Value(Decimal{unscaled, type.scale});
    }
    case TypeKind::kList: {
      List list;
      for (int64_t i = ArrowArrayViewListChildOffset(view, row);
           i < ArrowArrayViewListChildOffset(view, row + 1); ++i)
        list.push_back(value_at(view->children[0], i, type.element_type()));
      return Value(std::move(list));
    }
  }
  return Value(Null{});
}

// What of our types a column of Arrow's is.
DataType type_of(const ArrowSchema* field) {
  ArrowSchemaView view;
  EXPECT_EQ(ArrowSchemaViewInit(&view, field, nullptr), NANOARROW_OK);
  switch (view.type) {
    case NANOARROW_TYPE_BOOL: return DataType::scalar(TypeKind::kBool);
    case NANOARROW_TYPE_INT32: return DataType::scalar(TypeKind::kInt32);
    case NANOARROW_TYPE_INT64: return DataType::scalar(TypeKind::kInt64);
    case NANOARROW_TYPE_FLOAT: return DataType::scalar(TypeKind::kFloat32);
    case NANOARROW_TYPE_DOUBLE: return DataType::scalar(TypeKind::kFloat64);
    case NANOARROW_TYPE_STRING: return DataType::scalar(TypeKind::kString);
    case NANOARROW_TYPE_BINARY: return DataType::scalar(TypeKind::kBytes);
    case NANOARROW_TYPE_TIMESTAMP: return DataType::scalar(TypeKind::kTimestamp);
    case NANOARROW_TYPE_DATE32: return DataType::scalar(TypeKind::kDate);
    case NANOARROW_TYPE_DECIMAL128:
      return DataType::decimal(static_cast<uint8_t>(view.decimal_precision),
                               static_cast<uint8_t>(view.decimal_scale));
    case NANOARROW_TYPE_LIST: return DataType::list_of(type_of(field->children[0]));
    default: ADD_FAILURE() << "unexpected type " << view.type; return {};
  }
}

Table read(std::string_view bytes) {
  ArrowBuffer buffer;
  ArrowBufferInit(&buffer);
  ASOF_CHECK(ArrowBufferAppend(&buffer, bytes.data(), static_cast<int64_t>(bytes.size())) ==
             NANOARROW_OK);
  ArrowIpcInputStream input;
  ASOF_CHECK(ArrowIpcInputStreamInitBuffer(&input, &buffer) == NANOARROW_OK);
  ArrowArrayStream stream;
  ASOF_CHECK(ArrowIpcArrayStreamReaderInit(&stream, &input, nullptr) == NANOARROW_OK);
  ArrowSchema schema;
  ArrowArray array, none;
  EXPECT_EQ(ArrowArrayStreamGetSchema(&stream, &schema, nullptr), NANOARROW_OK)
      << stream.get_last_error(&stream);
  EXPECT_EQ(ArrowArrayStreamGetNext(&stream, &array, nullptr), NANOARROW_OK)
      << stream.get_last_error(&stream);
  EXPECT_EQ(ArrowArrayStreamGetNext(&stream, &none, nullptr), NANOARROW_OK);
  EXPECT_EQ(none.release, nullptr) << "a second batch";
  Table table;
  ArrowArrayView view;
  ArrowError why;
  EXPECT_EQ(ArrowArrayViewInitFromSchema(&view, &schema, nullptr), NANOARROW_OK);
  EXPECT_EQ(ArrowArrayViewSetArray(&view, &array, nullptr), NANOARROW_OK);
  EXPECT_EQ(ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, &why), NANOARROW_OK)
      << why.message;
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const DataType type = type_of(schema.children[i]);
    table.names.emplace_back(schema.children[i]->name);
    table.formats.emplace_back(schema.children[i]->format);
    std::vector<std::string>& cells = table.columns.emplace_back();
    for (int64_t row = 0; row < array.length; ++row)
      cells.push_back(to_string(value_at(view.children[i], row, type)));
  }
  ArrowArrayViewReset(&view);
  ArrowArrayRelease(&array);
  ArrowSchemaRelease(&schema);
  ArrowArrayStreamRelease(&stream);
  return table;
}

TEST(AcceptsArrow, WhereItIsNamedByAWeightAboveZero) {
  for (const char* accept :
       {"application/vnd.apache.arrow.stream", "Application/VND.apache.arrow.STREAM",
        "application/json, application/vnd.apache.arrow.stream ;q=0.5",
        "application/vnd.apache.arrow.stream;v=1;q=1.0,*/*;q=0"})
    EXPECT_TRUE(accepts_arrow(accept)) << accept;
  for (const char* accept :
       {"", "*/*", "application/*", "application/json", ",,", ";", "q=1",
        "application/vnd.apache.arrow.stream;q=0", "application/vnd.apache.arrow.stream; Q = 0.000",
        "application/vnd.apache.arrow.file", "xapplication/vnd.apache.arrow.stream"})
    EXPECT_FALSE(accepts_arrow(accept)) << accept;
}

class ArrowAnswer : public ::testing::Test {
 protected:
  void SetUp() override {
    model::Definitions definitions = project_.definitions();
    for (model::FeatureView& view : definitions.views)
      if (view.name == "everything") view.max_age = Duration{100 * kMicrosPerDay};
    project_.apply(std::move(definitions));
    project_.load_users();
    project_.load("everything", serve::testing::rows_of_every_kind());
  }

  // Every cell of a service's answer against what cell_at() says of it.
  void expect_cells(const char* service, serve::EntityRows asked, bool status) {
    auto snapshot = project_.snapshot();
    auto selection = plan::select_service(snapshot->definitions, service, plan::Naming::kShort, {});
    ASSERT_TRUE(selection.has_value()) << selection.error().text();
    auto plan = serve::make_read_plan(snapshot, *selection);
    for (std::vector<Value>& row : asked) row.resize(plan->request_keys.size());
    auto found =
        serve::Reader(*project_.online).read_and_wait(*plan, asked, steady_now_us() + 60'000'000);
    ASSERT_TRUE(found.has_value()) << found.error().text();
    auto entities = serve::Entities::from_rows(plan->request_keys, asked);
    ASSERT_TRUE(entities.has_value());
    const Timestamp now{project_.clock.now_us()};
    serve::StatusCounts counts(plan->views.size()), wanted_counts(plan->views.size());
    serve::TextBuffer stream;
    auto written = append_arrow(stream, {*plan, *found, *entities, now, status}, counts);
    ASSERT_TRUE(written.has_value()) << written.error().text();
    const Table table = read(stream.view());
    const size_t keys = plan->request_keys.size(), features = plan->features.size();
    ASSERT_EQ(table.names.size(), keys + features * (status ? 3 : 1));
    for (const std::vector<std::string>& column : table.columns)
      ASSERT_EQ(column.size(), asked.size());
    for (size_t e = 0; e < asked.size(); ++e) {
      for (size_t k = 0; k < keys; ++k) EXPECT_EQ(table.columns[k][e], to_string(asked[e][k]));
      for (size_t f = 0; f < features; ++f) {
        const serve::Cell cell = serve::cell_at(*plan, *found, e, f, now);
        const std::string& name = plan->features[f].name;
        EXPECT_EQ(table.column(name)[e], to_string(cell.value)) << name << " of entity " << e;
        ++wanted_counts[plan->features[f].view][static_cast<size_t>(cell.status)];
        if (!status) continue;
        EXPECT_EQ(table.column(name + "__status")[e], to_string(cell.status));
        EXPECT_EQ(table.column(name + "__event_time")[e],
                  cell.event_time ? to_string(*cell.event_time) : "null");
      }
    }
    EXPECT_EQ(counts, wanted_counts);
  }

  StreamingProject project_;
};

TEST_F(ArrowAnswer, HoldsWhatEachCellSays) {
  for (const char* service : {"all_types", "mixed", "recommender", "global"})
    for (const bool status : {false, true})
      for (const serve::EntityRows& asked :
           {serve::testing::entities_of_every_kind(), serve::EntityRows{{Value("8a2f")}},
            serve::EntityRows{}})
        expect_cells(service, asked, status);
}

TEST_F(ArrowAnswer, HoldsKeysOfOtherTypes) {
  project_.load("prices", {{{Value(int64_t{7}), Value(int64_t{-3})},
                            serve::testing::at("2026-05-07T00:00:00Z"),
                            {Value(Decimal{-1230, 2})}}});
  expect_cells("pricing", {{Value(int64_t{7}), Value(int64_t{-3})}, {Value(Null{}), Value(Null{})}},
               true);
}

class ArrowServer : public testing::RunningServer {
 protected:
  testing::Answer ask(const std::string& method, const std::string& target,
                      const std::string& accept, const std::string& body = "") {
    return testing::Client(server_->port())
        .request(method, target,
                 "Accept: " + accept + "\r\n" +
                     (body.empty() ? "" : "Content-Type: application/json\r\n"),
                 body);
  }
};

TEST_F(ArrowServer, AnswersEveryFeatureRouteWithOneTable) {
  start();
  const std::string arrow(kArrowStream);
  const testing::Answer rows = ask("POST", "/v1/services/recommender/features", arrow,
                                   R"({"entities":[{"user_id":"b13c"},{"user_id":"8a2f"}]})");
  ASSERT_EQ(rows.status, 200) << rows.body;
  EXPECT_EQ(rows.header("Content-Type"), arrow);
  EXPECT_EQ(rows.header("X-Asof-Revision"), "1");
  const Table table = read(rows.body);
  EXPECT_EQ(table.names,
            (std::vector<std::string>{"user_id", "user_segment", "watch_count_30d", "last_genre"}));
  EXPECT_EQ(table.column("user_id"), (std::vector<std::string>{"b13c", "8a2f"}));
  EXPECT_EQ(table.column("watch_count_30d"), (std::vector<std::string>{"5", "47"}));
  EXPECT_EQ(table.format("watch_count_30d"), "l");
  EXPECT_EQ(read(ask("POST", "/v1/features", arrow,
                     R"({"entities":{"user_id":["8a2f"]},"features":["last_genre"]})")
                     .body)
                .column("last_genre"),
            (std::vector<std::string>{"documentary"}));
  EXPECT_EQ(
      read(ask("POST", "/get-online-features", arrow,
               R"({"entities":{"user_id":["8a2f","nobody"]},"feature_service":"recommender"})")
               .body)
          .column("watch_count_30d"),
      (std::vector<std::string>{"47", "null"}));
  const Table one =
      read(ask("GET", "/v1/services/recommender/features?user_id=8a2f&status=true", arrow).body);
  EXPECT_EQ(one.column("user_segment__status"), (std::vector<std::string>{"PRESENT"}));
  EXPECT_EQ(one.format("user_segment__event_time"), "tsu:UTC");
  EXPECT_EQ(one.column("user_segment__event_time"),
            (std::vector<std::string>{"2026-05-07T00:00:00Z"}));
}

TEST_F(ArrowServer, ItsErrorsAreJsonAndOthersGetJson) {
  start();
  const std::string arrow(kArrowStream);
  const testing::Answer unknown = ask("GET", "/v1/services/none/features?user_id=8a2f", arrow);
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.header("Content-Type"), "application/json");
  EXPECT_EQ(testing::code_of(unknown), "not_found");
  const std::string target = "/v1/services/recommender/features?user_id=8a2f";
  for (const char* accept : {"*/*", "text/html", "application/vnd.apache.arrow.stream;q=0"})
    EXPECT_EQ(ask("GET", target, accept).header("Content-Type"), "application/json") << accept;
  EXPECT_EQ(ask("GET", "/livez", arrow).status, 200);
  const testing::Answer head = ask("HEAD", target, arrow);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Type"), arrow);
  EXPECT_EQ(head.header("Content-Length"), std::to_string(ask("GET", target, arrow).body.size()));
  // Two fields are one list.
  EXPECT_EQ(testing::Client(server_->port())
                .get(target, "Accept: text/html\r\nAccept: " + arrow + "\r\n")
                .header("Content-Type"),
            arrow);
}

TEST_F(ArrowServer, KeepsThePlaceOfTextThatIsNoUtf8) {
  project_.load(
      "last_watch",
      {{{Value("8a2f")}, serve::testing::at("2026-05-07T21:30:15.25Z"), {Value("a\xff\xfez")}}}, 2);
  start();
  EXPECT_EQ(
      read(ask("GET", "/v1/services/recommender/features?user_id=8a2f", std::string(kArrowStream))
               .body)
          .column("last_genre"),
      (std::vector<std::string>{"a\xEF\xBF\xBD\xEF\xBF\xBDz"}));
}

}  // namespace
}  // namespace asof::server
