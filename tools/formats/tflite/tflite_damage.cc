#include "tools/formats/tflite/tflite_damage.h"

#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tflite_generated.h"

namespace modelvault {
namespace {

using flatbuffers::soffset_t;
using flatbuffers::uoffset_t;
using flatbuffers::voffset_t;

enum class FieldKind { kScalar, kVector, kText, kTable, kTables };

// A field of a table. Those that hold several tables have names in the plural.
struct FieldType {
  const char* name;
  voffset_t slot;  // In a table's list of fields.
  FieldKind kind;
  size_t size;                              // Bytes of the scalar, or of an element.
  absl::Span<const FieldType> fields = {};  // Of the tables.
};

// The fields in the order in which generated code verifies them: the first that fails is what it refused.
constexpr std::array<FieldType, 3> kQuantisation = {{
    {"scale", tflite::Quantisation::VT_SCALE, FieldKind::kVector, 4},
    {"zero_point", tflite::Quantisation::VT_ZERO_POINT, FieldKind::kVector, 8},
    {"quantised_dimension", tflite::Quantisation::VT_QUANTISED_DIMENSION, FieldKind::kScalar, 4},
}};
constexpr std::array<FieldType, 6> kTensor = {{
    {"shape", tflite::Tensor::VT_SHAPE, FieldKind::kVector, 4},
    {"type", tflite::Tensor::VT_TYPE, FieldKind::kScalar, 1},
    {"buffer", tflite::Tensor::VT_BUFFER, FieldKind::kScalar, 4},
    {"name", tflite::Tensor::VT_NAME, FieldKind::kText, 1},
    {"quantisation", tflite::Tensor::VT_QUANTISATION, FieldKind::kTable, 0, kQuantisation},
    {"sparsity", tflite::Tensor::VT_SPARSITY, FieldKind::kTable, 0},
}};
constexpr std::array<FieldType, 1> kSubGraph = {{
    {"tensors", tflite::SubGraph::VT_TENSORS, FieldKind::kTables, sizeof(uoffset_t), kTensor},
}};
constexpr std::array<FieldType, 3> kBuffer = {{
    {"data", tflite::Buffer::VT_DATA, FieldKind::kVector, 1},
    {"offset", tflite::Buffer::VT_OFFSET, FieldKind::kScalar, 8},
    {"size", tflite::Buffer::VT_SIZE, FieldKind::kScalar, 8},
}};
constexpr std::array<FieldType, 3> kModel = {{
    {"version", tflite::Model::VT_VERSION, FieldKind::kScalar, 4},
    {"subgraphs", tflite::Model::VT_SUBGRAPHS, FieldKind::kTables, sizeof(uoffset_t), kSubGraph},
    {"buffers", tflite::Model::VT_BUFFERS, FieldKind::kTables, sizeof(uoffset_t), kBuffer},
}};

// Goes the way of the verifier, with its own checks in front of whatever is read. Functions that find damage note it
// and return false.
class DamageFinder {
 public:
  DamageFinder(absl::Span<const uint8_t> bytes, uint32_t most_tables)
      : bytes_(bytes), most_tables_(most_tables), verifier_(bytes.data(), bytes.size(), kMostDepth, most_tables) {}

  std::string Find() {
    constexpr size_t kLeast = FLATBUFFERS_MIN_BUFFER_SIZE;
    if (bytes_.size() < kLeast) return absl::StrCat(bytes_.size(), " bytes are too short for a root table");
    if (!flatbuffers::BufferHasIdentifier(bytes_.data(), tflite::ModelIdentifier())) {
      return absl::StrCat("no ", tflite::ModelIdentifier(), " at offset ", sizeof(uoffset_t));
    }
    if (Reference("the root table", 0)) Table("the root table", "", verifier_.VerifyOffset(0), kModel);
    return damage_.empty() ? "the FlatBuffer is damaged, at an offset that its verifier does not tell" : damage_;
  }

 private:
  static constexpr uoffset_t kMostDepth = 64;  // More than the format's own.

  bool Damaged(absl::string_view what, size_t offset, absl::string_view problem) {
    damage_ = absl::StrCat(what, " at offset ", offset, ": ", problem);
    return false;
  }

  // `size` bytes at `offset`, which is a multiple of `alignment`.
  bool Bytes(absl::string_view what, size_t offset, size_t size, size_t alignment) {
    if (!verifier_.VerifyAlignment(offset, alignment)) {
      return Damaged(what, offset, absl::StrCat("not at a multiple of ", alignment));
    }
    if (verifier_.Verify(offset, size)) return true;
    return Damaged(what, offset, absl::StrCat(size, " bytes do not lie within the ", bytes_.size(), " that there are"));
  }

  bool Reference(absl::string_view to, size_t offset) {
    const std::string what = absl::StrCat("reference to ", to);
    if (!Bytes(what, offset, sizeof(uoffset_t), sizeof(uoffset_t))) return false;
    if (verifier_.VerifyOffset(offset) != 0) return true;
    const uoffset_t distance = flatbuffers::ReadScalar<uoffset_t>(bytes_.data() + offset);
    if (distance == 0) return Damaged(what, offset, "leads to itself");
    return Damaged(what, offset,
                   absl::StrCat("leads ", distance, " bytes on, out of the ", bytes_.size(), " that there are"));
  }

  bool Vector(absl::string_view what, size_t offset, size_t element) {
    if (!Bytes(what, offset, sizeof(uoffset_t), sizeof(uoffset_t))) return false;
    if (verifier_.VerifyVectorOrString(bytes_.data() + offset, element)) return true;
    const uoffset_t count = flatbuffers::ReadScalar<uoffset_t>(bytes_.data() + offset);
    return Damaged(what, offset,
                   absl::StrCat(count, " elements of ", element, " bytes do not lie within the ", bytes_.size(),
                                " that there are"));
  }

  // `within` is what the names of its fields follow.
  bool Table(absl::string_view what, absl::string_view within, size_t offset, absl::Span<const FieldType> fields) {
    if (++tables_ > most_tables_) return Damaged(what, offset, absl::StrCat("more than ", most_tables_, " tables"));
    if (!Bytes(what, offset, sizeof(soffset_t), sizeof(soffset_t))) return false;
    const auto* const table = reinterpret_cast<const flatbuffers::Table*>(bytes_.data() + offset);
    if (!table->VerifyTableStart(verifier_)) {
      const auto back = flatbuffers::ReadScalar<soffset_t>(bytes_.data() + offset);
      return Damaged(what, offset, absl::StrCat("its list of fields, ", back, " bytes before it, is damaged"));
    }
    for (const FieldType& field : fields) {
      const voffset_t place = table->GetOptionalFieldOffset(field.slot);
      if (place != 0 && !Field(absl::StrCat(within, field.name), offset + place, field)) return false;
    }
    return verifier_.EndTable();
  }

  bool Field(absl::string_view what, size_t offset, const FieldType& field) {
    if (field.kind == FieldKind::kScalar) return Bytes(what, offset, field.size, field.size);
    if (!Reference(what, offset)) return false;
    const size_t target = offset + verifier_.VerifyOffset(offset);
    if (field.kind == FieldKind::kTable) return Table(what, absl::StrCat(what, ", "), target, field.fields);
    if (!Vector(what, target, field.size)) return false;
    if (field.kind == FieldKind::kText) {
      const auto* const text = reinterpret_cast<const flatbuffers::String*>(bytes_.data() + target);
      return verifier_.VerifyString(text) || Damaged(what, target, "no zero byte ends it");
    }
    return field.kind == FieldKind::kVector || Tables(what, target, field);
  }

  // What a vector refers to.
  bool Tables(absl::string_view what, size_t vector, const FieldType& field) {
    const absl::string_view name = absl::StripSuffix(what, "s");
    const uoffset_t count = flatbuffers::ReadScalar<uoffset_t>(bytes_.data() + vector);
    for (uoffset_t i = 0; i < count; ++i) {
      const size_t element = vector + sizeof(uoffset_t) * (size_t{i} + 1);
      const size_t table = element + flatbuffers::ReadScalar<uoffset_t>(bytes_.data() + element);
      const std::string one = absl::StrCat(name, " ", i);
      if (!Table(one, absl::StrCat(one, ", "), table, field.fields)) return false;
    }
    return true;
  }

  const absl::Span<const uint8_t> bytes_;
  const uint32_t most_tables_;
  flatbuffers::Verifier verifier_;
  uint32_t tables_ = 0;
  std::string damage_;
};

}  // namespace

std::string FindTfliteDamage(absl::Span<const uint8_t> bytes, uint32_t most_tables) {
  return DamageFinder(bytes, most_tables).Find();
}

}  // namespace modelvault
