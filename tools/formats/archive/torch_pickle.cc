#include "tools/formats/archive/torch_pickle.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "codec/core/bytes.h"
#include "codec/model_tensor.h"

namespace modelvault {
namespace {

enum class Kind { kOther, kMark, kInteger, kText, kName, kTuple, kStorage, kTensor };

// What an instruction leaves on the stack.
struct Value {
  Kind kind = Kind::kOther;
  int64_t integer = 0;
  absl::string_view text;       // Of a text; of a name, the module and the name, with a line's end between them.
  std::vector<uint32_t> parts;  // Of a tuple, numbers of values; of a tensor, those of its storage, shape.
};

constexpr size_t kMostValues = size_t{1} << 20;
constexpr size_t kMostParts = 64;  // Of a tuple that is looked into: shapes, and what tensors are made of.

class Machine {
 public:
  explicit Machine(absl::Span<const uint8_t> pickle) : left_(pickle), values_(2) { values_[kMark].kind = Kind::kMark; }

  std::map<std::string, TorchStorage> Run() {
    while (!left_.empty() && Step()) {
    }
    return std::move(storages_);
  }

 private:
  // Numbers of values that are all alike.
  static constexpr uint32_t kOther = 0;
  static constexpr uint32_t kMark = 1;

  // Operands. Nothing if they are not all there.
  std::optional<absl::string_view> Bytes(uint64_t size) {
    if (size > left_.size()) return std::nullopt;
    const absl::string_view bytes(reinterpret_cast<const char*>(left_.data()), static_cast<size_t>(size));
    left_.remove_prefix(bytes.size());
    return bytes;
  }
  std::optional<uint64_t> Number(size_t size) {
    const std::optional<absl::string_view> bytes = Bytes(size);
    if (!bytes.has_value()) return std::nullopt;
    uint64_t number = 0;
    for (size_t i = size; i > 0; --i) number = number << 8 | static_cast<uint8_t>((*bytes)[i - 1]);
    return number;
  }
  // Of a length in `size` bytes in front of them.
  std::optional<absl::string_view> Sized(size_t size) {
    const std::optional<uint64_t> length = Number(size);
    return length.has_value() ? Bytes(*length) : std::nullopt;
  }
  std::optional<absl::string_view> Line() {
    const void* const end = left_.empty() ? nullptr : std::memchr(left_.data(), '\n', left_.size());
    if (end == nullptr) return std::nullopt;
    const absl::string_view line = *Bytes(static_cast<size_t>(static_cast<const uint8_t*>(end) - left_.data()));
    Bytes(1);
    return line;
  }

  bool Push(Value value) {
    if (values_.size() == kMostValues) return false;
    stack_.push_back(static_cast<uint32_t>(values_.size()));
    values_.push_back(std::move(value));
    return true;
  }
  bool PushNumber(uint32_t value) {
    stack_.push_back(value);
    return true;
  }
  bool PushOther() { return PushNumber(kOther); }
  bool PushInteger(std::optional<uint64_t> number, size_t size) {
    if (!number.has_value()) return false;
    Value value;
    value.kind = Kind::kInteger;
    const int shift = static_cast<int>(64 - 8 * size);
    value.integer = static_cast<int64_t>(*number << shift) >> shift;
    return Push(std::move(value));
  }
  bool PushText(Kind kind, std::optional<absl::string_view> text) {
    if (!text.has_value()) return false;
    Value value;
    value.kind = kind;
    value.text = *text;
    return Push(std::move(value));
  }
  bool Skip(std::optional<absl::string_view> bytes) { return bytes.has_value() && PushOther(); }

  // Off the stack: nothing if there is none, or a mark.
  std::optional<uint32_t> Pop() {
    if (stack_.empty() || stack_.back() == kMark) return std::nullopt;
    const uint32_t value = stack_.back();
    stack_.pop_back();
    return value;
  }
  bool Drop(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (!Pop().has_value()) return false;
    }
    return true;
  }
  // All down to the mark, in the order they came.
  std::optional<std::vector<uint32_t>> PopToMark() {
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), kMark);
    if (mark == stack_.rend()) return std::nullopt;
    std::vector<uint32_t> values(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return values;
  }

  bool PushTuple(std::optional<std::vector<uint32_t>> parts) {
    if (!parts.has_value()) return false;
    Value value;
    if (parts->size() <= kMostParts) {
      value.kind = Kind::kTuple;
      value.parts = *std::move(parts);
    }
    return Push(std::move(value));
  }
  bool PushTuple(size_t count) {
    if (stack_.size() < count) return false;
    std::vector<uint32_t> parts(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    return Drop(count) && PushTuple(std::move(parts));
  }

  bool Remember(std::optional<uint64_t> place) {
    if (!place.has_value() || stack_.empty()) return false;
    memo_[*place] = stack_.back();
    return true;
  }
  bool Recall(std::optional<uint64_t> place) {
    const auto found = place.has_value() ? memo_.find(*place) : memo_.end();
    return found != memo_.end() && PushNumber(found->second);
  }

  bool Step() {
    const uint8_t code = static_cast<uint8_t>((*Bytes(1))[0]);
    switch (code) {
      case 0x80:  // PROTO
        return Bytes(1).has_value();
      case 0x95:  // FRAME
        return Bytes(8).has_value();
      case '(':  // MARK
        return PushNumber(kMark);
      case '0':  // POP
        return Drop(1);
      case 'q':  // BINPUT
        return Remember(Number(1));
      case 'r':  // LONG_BINPUT
        return Remember(Number(4));
      case 0x94:  // MEMOIZE
        return Remember(memo_.size());
      case 'h':  // BINGET
        return Recall(Number(1));
      case 'j':  // LONG_BINGET
        return Recall(Number(4));
      case 'Q':  // BINPERSID
        return LoadStorage();
      case 'R':   // REDUCE
      case 0x81:  // NEWOBJ
        return Call();
      case 'b':  // BUILD
        return Drop(1);
      default:
        return Literal(code) || Collection(code);
    }
  }

  // Instructions that push what they have with them.
  bool Literal(uint8_t code) {
    switch (code) {
      case 'N':   // NONE
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
      case '}':   // EMPTY_DICT
      case ']':   // EMPTY_LIST
      case 0x8f:  // EMPTY_SET
        return PushOther();
      case 'K':  // BININT1
        return PushInteger(Number(1), 8);
      case 'M':  // BININT2
        return PushInteger(Number(2), 8);
      case 'J':  // BININT
        return PushInteger(Number(4), 4);
      case 0x8a: {  // LONG1
        const std::optional<uint64_t> size = Number(1);
        if (!size.has_value()) return false;
        if (*size == 0 || *size > 8) return Skip(Bytes(*size));
        return PushInteger(Number(static_cast<size_t>(*size)), static_cast<size_t>(*size));
      }
      case 'G':  // BINFLOAT
        return Skip(Bytes(8));
      case 'X':  // BINUNICODE
        return PushText(Kind::kText, Sized(4));
      case 0x8c:  // SHORT_BINUNICODE
        return PushText(Kind::kText, Sized(1));
      case 0x8d:  // BINUNICODE8
        return PushText(Kind::kText, Sized(8));
      case 'U':  // SHORT_BINSTRING
      case 'C':  // SHORT_BINBYTES
        return Skip(Sized(1));
      case 'T':  // BINSTRING
      case 'B':  // BINBYTES
        return Skip(Sized(4));
      case 'c': {  // GLOBAL
        const char* const begin = reinterpret_cast<const char*>(left_.data());
        const std::optional<absl::string_view> module = Line();
        const std::optional<absl::string_view> name = module.has_value() ? Line() : std::nullopt;
        if (!name.has_value()) return false;
        return PushText(Kind::kName, absl::string_view(begin, module->size() + 1 + name->size()));
      }
      default:
        return false;
    }
  }

  bool Collection(uint8_t code) {
    switch (code) {
      case ')':  // EMPTY_TUPLE
        return PushTuple(0);
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        return PushTuple(code - 0x84u);
      case 't':  // TUPLE
        return PushTuple(PopToMark());
      case 'l':  // LIST
        return PopToMark().has_value() && PushOther();
      case 'a':  // APPEND
        return Drop(1);
      case 'e':  // APPENDS
        return PopToMark().has_value();
      case 's':  // SETITEM
      case 'u':  // SETITEMS
        return SetItems(code == 'u');
      default:
        return false;
    }
  }

  const Value& At(uint32_t value) const { return values_[value]; }
  bool IsName(uint32_t value, absl::string_view name) const {
    return At(value).kind == Kind::kName && At(value).text == name;
  }

  // ("storage", CLASS, KEY, DEVICE, ELEMENTS)
  bool LoadStorage() {
    constexpr absl::string_view kModule = "torch\n";
    const std::optional<uint32_t> id = Pop();
    if (!id.has_value()) return false;
    const std::vector<uint32_t>& parts = At(*id).parts;
    if (At(*id).kind != Kind::kTuple || parts.size() != 5 || At(parts[0]).text != "storage" ||
        At(parts[1]).kind != Kind::kName || At(parts[2]).kind != Kind::kText || At(parts[4]).integer < 0) {
      return PushOther();
    }
    const absl::string_view type = At(parts[1]).text;
    TorchStorage storage;
    if (type.substr(0, kModule.size()) == kModule) storage.type = std::string(type.substr(kModule.size()));
    storage.elements = static_cast<uint64_t>(At(parts[4]).integer);
    const absl::string_view key = At(parts[2]).text;
    storages_.emplace(key, std::move(storage));
    return PushText(Kind::kStorage, key);
  }

  bool Call() {
    const std::optional<uint32_t> arguments = Pop();
    const std::optional<uint32_t> called = Pop();
    if (!arguments.has_value() || !called.has_value()) return false;
    const std::vector<uint32_t> parts = At(*arguments).parts;
    if (IsName(*called, "torch._utils\n_rebuild_parameter") && !parts.empty() && At(parts[0]).kind == Kind::kTensor) {
      return PushNumber(parts[0]);
    }
    if (!IsName(*called, "torch._utils\n_rebuild_tensor_v2") || parts.size() < 4 || !IsWhole(parts)) return PushOther();
    Value tensor;
    tensor.kind = Kind::kTensor;
    tensor.parts = {parts[0], parts[2]};
    return Push(std::move(tensor));
  }

  std::optional<std::vector<uint64_t>> Integers(uint32_t tuple) const {
    if (At(tuple).kind != Kind::kTuple) return std::nullopt;
    std::vector<uint64_t> integers;
    for (const uint32_t part : At(tuple).parts) {
      if (At(part).kind != Kind::kInteger || At(part).integer < 0) return std::nullopt;
      integers.push_back(static_cast<uint64_t>(At(part).integer));
    }
    return integers;
  }

  // Whether a tensor of (storage, offset, shape, strides, …) is all of its storage, row by row.
  bool IsWhole(const std::vector<uint32_t>& parts) const {
    if (At(parts[0]).kind != Kind::kStorage || At(parts[1]).kind != Kind::kInteger || At(parts[1]).integer != 0) {
      return false;
    }
    const auto storage = storages_.find(std::string(At(parts[0]).text));
    const std::optional<std::vector<uint64_t>> shape = Integers(parts[2]);
    const std::optional<std::vector<uint64_t>> strides = Integers(parts[3]);
    if (storage == storages_.end() || !shape.has_value() || !strides.has_value() || shape->size() != strides->size() ||
        ElementCount(*shape) != storage->second.elements || storage->second.elements == 0) {
      return false;
    }
    uint64_t stride = 1;
    for (size_t i = shape->size(); i > 0; --i) {
      if ((*shape)[i - 1] != 1 && (*strides)[i - 1] != stride) return false;
      stride *= (*shape)[i - 1];
    }
    return true;
  }

  bool SetItems(bool several) {
    std::vector<uint32_t> items;
    if (several) {
      std::optional<std::vector<uint32_t>> all = PopToMark();
      if (!all.has_value()) return false;
      items = *std::move(all);
    } else {
      if (stack_.size() < 2) return false;
      items = {stack_[stack_.size() - 2], stack_.back()};
      if (!Drop(2)) return false;
    }
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const Value& key = At(items[i]);
      const Value& tensor = At(items[i + 1]);
      if (key.kind != Kind::kText || tensor.kind != Kind::kTensor) continue;
      TorchStorage& storage = storages_.at(std::string(At(tensor.parts[0]).text));
      if (!storage.tensor.empty()) continue;
      storage.tensor = std::string(key.text);
      storage.shape = *Integers(tensor.parts[1]);
    }
    return true;
  }

  absl::Span<const uint8_t> left_;
  std::vector<Value> values_;    // None goes: the memo may have it.
  std::vector<uint32_t> stack_;  // Numbers of values.
  std::map<uint64_t, uint32_t> memo_;
  std::map<std::string, TorchStorage> storages_;
};

}  // namespace

std::map<std::string, TorchStorage> ReadTorchPickle(absl::Span<const uint8_t> pickle) { return Machine(pickle).Run(); }

}  // namespace modelvault
