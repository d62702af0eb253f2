#include "apps/server/arrow_answer.h"

#include <fmt/format.h>
#include <nanoarrow.h>
#include <nanoarrow_ipc.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <new>
#include <vector>

#include "asof/base/bytes.h"
#include "asof/base/check.h"
#include "asof/base/text.h"

namespace asof::server {

namespace {

// nanoarrow's structs, released with these.
struct OwnSchema : ArrowSchema {
  OwnSchema() { ArrowSchemaInit(this); }
  ~OwnSchema() { ArrowSchemaRelease(this); }
  OwnSchema(const OwnSchema&) = delete;
  OwnSchema& operator=(const OwnSchema&) = delete;
};
struct OwnArray : ArrowArray {
  OwnArray() : ArrowArray{} {}
  ~OwnArray() {
    if (release != nullptr) ArrowArrayRelease(this);
  }
  OwnArray(const OwnArray&) = delete;
  OwnArray& operator=(const OwnArray&) = delete;
};
struct OwnView : ArrowArrayView {
  OwnView() { ArrowArrayViewInitFromType(this, NANOARROW_TYPE_UNINITIALIZED); }
  ~OwnView() { ArrowArrayViewReset(this); }
  OwnView(const OwnView&) = delete;
  OwnView& operator=(const OwnView&) = delete;
};
struct OwnWriter : ArrowIpcWriter {
  OwnWriter() : ArrowIpcWriter{} {}
  ~OwnWriter() {
    if (private_data != nullptr) ArrowIpcWriterReset(this);
  }
  OwnWriter(const OwnWriter&) = delete;
  OwnWriter& operator=(const OwnWriter&) = delete;
};

// Thrown by must(): where a column is too long.
struct TooLong {};

void must(ArrowErrorCode code) {
  if (code == NANOARROW_OK) [[likely]]
    return;
  if (code == EOVERFLOW) throw TooLong{};
  if (code == ENOMEM) throw std::bad_alloc();
  ASOF_CHECK(code == NANOARROW_OK);  // of a type that we did not ask for
}

// --- the schema ---------------------------------------------------------------------------------

const DataType kText = DataType::scalar(TypeKind::kString);
const DataType kTime = DataType::scalar(TypeKind::kTimestamp);

ArrowType arrow_type(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return NANOARROW_TYPE_BOOL;
    case TypeKind::kInt32: return NANOARROW_TYPE_INT32;
    case TypeKind::kInt64: return NANOARROW_TYPE_INT64;
    case TypeKind::kFloat32: return NANOARROW_TYPE_FLOAT;
    case TypeKind::kFloat64: return NANOARROW_TYPE_DOUBLE;
    case TypeKind::kString: return NANOARROW_TYPE_STRING;
    case TypeKind::kBytes: return NANOARROW_TYPE_BINARY;
    case TypeKind::kTimestamp: return NANOARROW_TYPE_TIMESTAMP;
    case TypeKind::kDate: return NANOARROW_TYPE_DATE32;
    case TypeKind::kDecimal: return NANOARROW_TYPE_DECIMAL128;
    case TypeKind::kList: return NANOARROW_TYPE_LIST;
  }
  return NANOARROW_TYPE_UNINITIALIZED;
}

void set_type(ArrowSchema* field, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kTimestamp:
      return must(ArrowSchemaSetTypeDateTime(field, NANOARROW_TYPE_TIMESTAMP,
                                             NANOARROW_TIME_UNIT_MICRO, "UTC"));
    case TypeKind::kDecimal:
      return must(
          ArrowSchemaSetTypeDecimal(field, NANOARROW_TYPE_DECIMAL128, type.precision, type.scale));
    case TypeKind::kList:
      must(ArrowSchemaSetType(field, NANOARROW_TYPE_LIST));
      return set_type(field->children[0], type.element_type());
    default: return must(ArrowSchemaSetType(field, arrow_type(type.kind)));
  }
}

void set_columns(OwnSchema& schema, const serve::ReadPlan& plan, bool status) {
  Schema fields = plan.request_keys;
  for (const serve::PlannedFeature& feature : plan.features)
    fields.push_back({feature.name, feature.type});
  for (const serve::PlannedFeature& feature : plan.features) {
    if (!status) break;
    fields.push_back({feature.name + "__status", kText});
    fields.push_back({feature.name + "__event_time", kTime});
  }
  must(ArrowSchemaSetTypeStruct(&schema, static_cast<int64_t>(fields.size())));
  for (size_t i = 0; i < fields.size(); ++i) {
    set_type(schema.children[i], fields[i].type);
    must(ArrowSchemaSetName(schema.children[i], fields[i].name.c_str()));
  }
}

// --- cells --------------------------------------------------------------------------------------

void append_bytes(ArrowArray* column, std::string_view bytes) {
  ArrowBufferView view;
  view.data.data = bytes.data();
  view.size_bytes = static_cast<int64_t>(bytes.size());
  must(ArrowArrayAppendBytes(column, view));
}

void append_text(ArrowArray* column, std::string_view text) {
  if (is_valid_utf8(text)) [[likely]]
    return append_bytes(column, text);
  append_bytes(column, replace_non_utf8(text));
}

void append_decimal(ArrowArray* column, Int128 unscaled, const DataType& type) {
  ArrowDecimal decimal;
  ArrowDecimalInit(&decimal, 128, type.precision, type.scale);
  ArrowDecimalSetBytes(&decimal, reinterpret_cast<const uint8_t*>(&unscaled));
  must(ArrowArrayAppendDecimal(column, &decimal));
}

// The cell at a place of an encoded row or list, which is there.
template <typename Place>
void append_scalar(ArrowArray* column, const Place& place, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return must(ArrowArrayAppendInt(column, place.bool_value() ? 1 : 0));
    case TypeKind::kInt32:
    case TypeKind::kDate: return must(ArrowArrayAppendInt(column, place.int32_value()));
    case TypeKind::kInt64:
    case TypeKind::kTimestamp: return must(ArrowArrayAppendInt(column, place.int64_value()));
    case TypeKind::kFloat32: return must(ArrowArrayAppendDouble(column, place.float32_value()));
    case TypeKind::kFloat64: return must(ArrowArrayAppendDouble(column, place.float64_value()));
    case TypeKind::kString: return append_text(column, place.bytes_value());
    case TypeKind::kBytes: return append_bytes(column, place.bytes_value());
    case TypeKind::kDecimal: return append_decimal(column, place.decimal_value(), type);
    case TypeKind::kList: break;
  }
}

void append_null(ArrowArray* column) { must(ArrowArrayAppendNull(column, 1)); }

void append_cell(ArrowArray* column, const codec::CellView& cell, const DataType& type) {
  if (type.kind != TypeKind::kList) return append_scalar(column, cell, type);
  const DataType element = type.element_type();
  for (codec::ListView list(cell.bytes_value(), element); list.next();) {
    if (list.is_present()) {
      append_scalar(column->children[0], list, element);
    } else {
      append_null(column->children[0]);
    }
  }
  must(ArrowArrayFinishElement(column));
}

void append_value(ArrowArray* column, const Value& value, const DataType& type) {
  if (value.is_null()) return append_null(column);
  switch (type.kind) {
    case TypeKind::kBool: return must(ArrowArrayAppendInt(column, value.as<bool>() ? 1 : 0));
    case TypeKind::kInt32:
    case TypeKind::kInt64: return must(ArrowArrayAppendInt(column, value.as<int64_t>()));
    case TypeKind::kFloat32: return must(ArrowArrayAppendDouble(column, value.as<float>()));
    case TypeKind::kFloat64: return must(ArrowArrayAppendDouble(column, value.as<double>()));
    case TypeKind::kString: return append_text(column, value.as<std::string>());
    case TypeKind::kBytes: return append_bytes(column, value.as<Bytes>().data);
    case TypeKind::kTimestamp: return must(ArrowArrayAppendInt(column, value.as<Timestamp>().us));
    case TypeKind::kDate: return must(ArrowArrayAppendInt(column, value.as<Date>().days));
    case TypeKind::kDecimal: return append_decimal(column, value.as<Decimal>().unscaled, type);
    case TypeKind::kList:
      for (const Value& element : value.as<List>())
        append_value(column->children[0], element, type.element_type());
      return must(ArrowArrayFinishElement(column));
  }
}

// --- columns ------------------------------------------------------------------------------------

class Columns {
 public:
  Columns(const ArrowRead& read, OwnArray& array, serve::StatusCounts& counts)
      : read_(read), array_(array), counts_(counts) {}

  void fill() {
    for (size_t column = 0; column < read_.plan.request_keys.size(); ++column) fill_key(column);
    for (const serve::FeatureRun& run : read_.plan.runs) fill_run(run);
  }

 private:
  void fill_key(size_t column) {
    ArrowArray* out = array_.children[column];
    const TypeKind kind = read_.plan.request_keys[column].type.kind;
    for (size_t entity = 0; entity < read_.entities.size(); ++entity) {
      if (read_.entities.is_null(entity, column)) {
        append_null(out);
      } else if (kind == TypeKind::kString) {
        append_text(out, read_.entities.text(entity, column));
      } else if (kind == TypeKind::kBytes) {
        append_bytes(out, read_.entities.text(entity, column));
      } else {
        must(ArrowArrayAppendInt(out, read_.entities.number(entity, column)));
      }
    }
  }

  void fill_run(const serve::FeatureRun& run) {
    found_.clear();
    for (size_t entity = 0; entity < read_.entities.size(); ++entity)
      found_.push_back(find_row_of_run(read_.plan, read_.rows, run, entity, read_.now));
    for (size_t feature = run.begin; feature < run.end; ++feature) fill_feature(feature);
  }

  void fill_feature(size_t index) {
    const serve::PlannedFeature& feature = read_.plan.features[index];
    const size_t keys = read_.plan.request_keys.size();
    const size_t origins = keys + read_.plan.features.size() + 2 * index;
    ArrowArray* values = array_.children[keys + index];
    for (const serve::FoundRow& found : found_) {
      const serve::Status status = status_of(read_.plan, feature, found);
      ++counts_[feature.view][static_cast<size_t>(status)];
      if (status == serve::Status::kPresent) {
        const codec::RowView row(*read_.plan.groups[feature.group].layouts[feature.slot],
                                 found.bytes);
        append_cell(values, {row, *feature.cell}, feature.type);
      } else if (feature.default_value) {
        append_value(values, *feature.default_value, feature.type);
      } else {
        append_null(values);
      }
      if (read_.status) {
        append_bytes(array_.children[origins], to_string(status));
        append_event_time(array_.children[origins + 1], found);
      }
    }
  }

  static void append_event_time(ArrowArray* column, const serve::FoundRow& found) {
    if (found.bytes.empty()) return append_null(column);
    must(ArrowArrayAppendInt(column, codec::RowTimes::of_row(found.bytes).event_time().us));
  }

  const ArrowRead& read_;
  OwnArray& array_;
  serve::StatusCounts& counts_;
  std::vector<serve::FoundRow> found_;  // of the run at hand
};

// What nanoarrow writes goes straight into the answer.
ArrowIpcOutputStream stream_into(serve::TextBuffer& out) {
  ArrowIpcOutputStream stream{};
  stream.write = [](ArrowIpcOutputStream* to, const void* bytes, int64_t size, int64_t* written,
                    ArrowError*) -> ArrowErrorCode {
    static_cast<serve::TextBuffer*>(to->private_data)
        ->append({static_cast<const char*>(bytes), static_cast<size_t>(size)});
    *written = size;
    return NANOARROW_OK;
  };
  stream.release = [](ArrowIpcOutputStream* released) { released->release = nullptr; };
  stream.private_data = &out;
  return stream;
}

void write_stream(serve::TextBuffer& out, const OwnSchema& schema, const OwnArray& array) {
  OwnView view;
  must(ArrowArrayViewInitFromSchema(&view, &schema, nullptr));
  must(ArrowArrayViewSetArray(&view, &array, nullptr));
  ArrowIpcOutputStream stream = stream_into(out);
  OwnWriter writer;  // takes the stream
  must(ArrowIpcWriterInit(&writer, &stream));
  must(ArrowIpcWriterWriteSchema(&writer, &schema, nullptr));
  must(ArrowIpcWriterWriteArrayView(&writer, &view, nullptr));
  must(ArrowIpcWriterWriteArrayView(&writer, nullptr, nullptr));  // the end
}

// The text before the first `separator`, which goes with it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return trimmed(taken);
}

// "q=0.5": 0.5; 1 for any other parameter.
double weight_of(std::string_view parameter) {
  if (!equals_ignoring_case(take_until(parameter, '='), "q")) return 1;
  const std::string_view number = trimmed(parameter);
  double weight = 1;
  std::from_chars(number.data(), number.data() + number.size(), weight);
  return weight;
}

}  // namespace

bool accepts_arrow(std::string_view accept) {
  while (!accept.empty()) {
    std::string_view range = take_until(accept, ',');
    if (!equals_ignoring_case(take_until(range, ';'), kArrowStream)) continue;
    double weight = 1;
    while (!range.empty()) weight = std::min(weight, weight_of(take_until(range, ';')));
    return weight > 0;
  }
  return false;
}

Result<void> append_arrow(serve::TextBuffer& out, const ArrowRead& read,
                          serve::StatusCounts& counts) {
  try {
    OwnSchema schema;
    set_columns(schema, read.plan, read.status);
    OwnArray array;
    must(ArrowArrayInitFromSchema(&array, &schema, nullptr));
    must(ArrowArrayStartAppending(&array));
    must(ArrowArrayReserve(&array, static_cast<int64_t>(read.entities.size())));
    Columns(read, array, counts).fill();
    array.length = static_cast<int64_t>(read.entities.size());
    must(ArrowArrayFinishBuildingDefault(&array, nullptr));
    write_stream(out, schema, array);
    return {};
  } catch (const TooLong&) {
    return error(ErrorCode::kOutOfRange, "a column of the answer is longer than Arrow's 2 GiB",
                 "entities", "ask for fewer entities at once");
  }
}

}  // namespace asof::server
