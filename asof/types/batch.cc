#include "asof/types/batch.h"

#include <deque>

namespace asof::inline types {

StringSlot StringSlot::of(std::string_view text) {
  StringSlot slot{};
  slot.length = static_cast<uint32_t>(text.size());
  if (text.size() <= kInlineLength) {
    text.copy(slot.prefix, sizeof slot.prefix);
    if (text.size() > 4) text.substr(4).copy(slot.tail, sizeof slot.tail);
  } else {
    std::memcpy(slot.prefix, text.data(), 4);
    slot.pointer = text.data();
  }
  return slot;
}

Value value_at(const Column& column, size_t row) {
  if (!column.is_valid(row)) return Value(Null{});
  switch (column.type.kind) {
    case TypeKind::kBool: return Value(column.at<uint8_t>(row) != 0);
    case TypeKind::kInt32: return Value(static_cast<int64_t>(column.at<int32_t>(row)));
    case TypeKind::kInt64: return Value(column.at<int64_t>(row));
    case TypeKind::kFloat32: return Value(canonical(column.at<float>(row)));
    case TypeKind::kFloat64: return Value(canonical(column.at<double>(row)));
    case TypeKind::kString: return Value(std::string(column.at<StringSlot>(row).view()));
    case TypeKind::kBytes: return Value(Bytes{std::string(column.at<StringSlot>(row).view())});
    case TypeKind::kTimestamp: return Value(Timestamp{column.at<int64_t>(row)});
    case TypeKind::kDate: return Value(Date{column.at<int32_t>(row)});
    case TypeKind::kDecimal: {
      Int128 unscaled;
      std::memcpy(&unscaled, static_cast<const char*>(column.data) + row * sizeof unscaled,
                  sizeof unscaled);
      return Value(Decimal{unscaled, column.type.scale});
    }
    case TypeKind::kList: {
      List list;
      const ListSlot& slot = column.at<ListSlot>(row);
      for (uint64_t i = 0; i < slot.length; ++i)
        list.push_back(value_at(*column.child, slot.offset + i));
      return Value(std::move(list));
    }
  }
  return Value(Null{});
}

struct ColumnBuilder::State {
  DataType type;
  size_t rows = 0;
  std::vector<char> data;
  std::vector<uint64_t> validity;
  std::deque<std::string> texts;  // what long StringSlots point to
  std::unique_ptr<ColumnBuilder> elements;
  mutable Column elements_view;

  template <typename T>
  void push(const T& value) {
    const auto* bytes = reinterpret_cast<const char*>(&value);
    data.insert(data.end(), bytes, bytes + sizeof value);
  }
  void push_text(const std::string& text) {
    texts.push_back(text);
    push(StringSlot::of(texts.back()));
  }
  void push_null() {
    size_t width = type.kind == TypeKind::kList ? sizeof(ListSlot) : fixed_width(type.kind);
    data.resize(data.size() + (width == 0 ? sizeof(StringSlot) : width));
  }
};

ColumnBuilder::ColumnBuilder(DataType type) : state_(std::make_unique<State>()) {
  state_->type = type;
  if (type.kind == TypeKind::kList)
    state_->elements = std::make_unique<ColumnBuilder>(type.element_type());
}
ColumnBuilder::~ColumnBuilder() = default;
ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;
ColumnBuilder& ColumnBuilder::operator=(ColumnBuilder&&) noexcept = default;

size_t ColumnBuilder::size() const { return state_->rows; }

void ColumnBuilder::append(const Value& value) {
  State& state = *state_;
  ASOF_CHECK(matches(value, state.type));
  size_t row = state.rows++;
  if (row % 64 == 0) state.validity.push_back(0);
  if (value.is_null()) {
    state.push_null();
    return;
  }
  state.validity[row / 64] |= uint64_t{1} << (row % 64);
  switch (state.type.kind) {
    case TypeKind::kBool: state.push(static_cast<uint8_t>(value.as<bool>())); break;
    case TypeKind::kInt32: state.push(static_cast<int32_t>(value.as<int64_t>())); break;
    case TypeKind::kInt64: state.push(value.as<int64_t>()); break;
    case TypeKind::kFloat32: state.push(value.as<float>()); break;
    case TypeKind::kFloat64: state.push(value.as<double>()); break;
    case TypeKind::kString: state.push_text(value.as<std::string>()); break;
    case TypeKind::kBytes: state.push_text(value.as<Bytes>().data); break;
    case TypeKind::kTimestamp: state.push(value.as<Timestamp>().us); break;
    case TypeKind::kDate: state.push(value.as<Date>().days); break;
    case TypeKind::kDecimal: state.push(value.as<Decimal>().unscaled); break;
    case TypeKind::kList: {
      const List& list = value.as<List>();
      state.push(ListSlot{state.elements->size(), list.size()});
      for (const Value& element : list) state.elements->append(element);
      break;
    }
  }
}

Column ColumnBuilder::view() const {
  const State& state = *state_;
  Column column{state.type, state.data.data(), state.validity.data(), nullptr};
  if (state.elements != nullptr) {
    state.elements_view = state.elements->view();
    column.child = &state.elements_view;
  }
  return column;
}

}  // namespace asof::inline types
