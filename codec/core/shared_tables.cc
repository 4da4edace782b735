#include "codec/core/shared_tables.h"

#include "codec/core/prefix_code.h"

namespace modelvault {
namespace {

constexpr size_t kMinRecordSize = 6;  // dtype, rows, cols, flags, level, one plane.

CoreStatus ReadRecord(ByteReader* reader, size_t table_count, TensorRecord* t) {
  uint8_t dtype;
  if (!reader->ReadU8(&dtype)) return CoreStatus::kTruncated;
  t->element_size = ElementSize(dtype);
  if (t->element_size == 0) return CoreStatus::kBadModel;
  t->dtype = static_cast<DType>(dtype);
  if (!reader->ReadSize(&t->rows) || !reader->ReadSize(&t->cols)) return CoreStatus::kTruncated;
  if (t->dtype == DType::kOpaque && t->rows != 1) return CoreStatus::kBadModel;
  if (t->rows > kMaxDataSize || t->cols > kMaxDataSize / t->element_size) return CoreStatus::kBadModel;
  const size_t line = t->cols * t->element_size;
  if (line != 0 && t->rows > kMaxDataSize / line) return CoreStatus::kBadModel;
  t->size = t->rows * line;
  if (!reader->ReadU8(&t->flags) || !reader->ReadU8(&t->level)) return CoreStatus::kTruncated;
  if ((t->flags & ~(kFlagDictionary | kFlagRowPrior | kFlagColumnPrior)) != 0) return CoreStatus::kBadModel;
  if (t->level >= kLevelCount) return CoreStatus::kBadModel;
  if (t->flags != 0 && (t->element_size != 1 || t->size == 0)) return CoreStatus::kBadModel;
  if (t->has_prior() && t->cols > kMaxPriorColumns) return CoreStatus::kBadModel;
  // At most kMaxTablesPerTensor different tables, the dictionary's two included.
  static_assert(kMaxTables <= 64);
  uint32_t used[2] = {0, 0};  // A bit for each table.
  size_t used_count = 0;
  auto check = [&](uint8_t table) {
    if (table >= table_count) return false;
    const uint32_t bit = 1u << table % 32;
    if ((used[table / 32] & bit) == 0) ++used_count;
    used[table / 32] |= bit;
    return used_count <= kMaxTablesPerTensor;
  };
  for (unsigned plane = 0; plane < t->element_size; ++plane) {
    if (!reader->ReadU8(&t->tables[plane])) return CoreStatus::kTruncated;
    if (t->tables[plane] != kRawPlane && !check(t->tables[plane])) return CoreStatus::kBadModel;
  }
  t->dictionary_rows = 0;
  t->skip_table = t->near_table = kRawPlane;
  if (t->flags & kFlagDictionary) {
    size_t rows;
    if (!reader->ReadSize(&rows)) return CoreStatus::kTruncated;
    if (rows == 0 || rows > kMaxDictionaryRows) return CoreStatus::kBadModel;
    t->dictionary_rows = static_cast<uint8_t>(rows);
    if (!reader->ReadU8(&t->skip_table) || !reader->ReadU8(&t->near_table)) return CoreStatus::kTruncated;
    if (!check(t->skip_table) || !check(t->near_table)) return CoreStatus::kBadModel;
  }
  return CoreStatus::kOk;
}

// Takes `length` bytes of the data area.
bool Take(ByteReader* reader, size_t length) {
  ByteView skipped;
  return reader->ReadBytes(length, &skipped);
}

}  // namespace

CoreStatus SharedTables::CountTensors(ByteView section, size_t* count) {
  ByteReader reader(section);
  if (!reader.ReadSize(count)) return CoreStatus::kTruncated;
  return *count <= section.size / kMinRecordSize ? CoreStatus::kOk : CoreStatus::kBadModel;
}

// Reads the counts and steps over the tables; the records follow.
CoreStatus SharedTables::ReadTables(ByteView section, ByteReader* reader, size_t* tensor_count) {
  if (section.size > 0x7FFFFFFFu) return CoreStatus::kBadModel;  // Offsets have 32 bits.
  const CoreStatus counted = CountTensors(section, tensor_count);
  if (counted != CoreStatus::kOk) return counted;
  if (!reader->ReadSize(tensor_count) || !reader->ReadSize(&table_count_)) return CoreStatus::kTruncated;
  if (table_count_ > kMaxTables) return CoreStatus::kBadModel;
  code_bits_ = table_count_ == 0 ? 0 : kShortCodeLength;
  for (size_t i = 0; i < table_count_; ++i) {
    table_offset_[i] = static_cast<uint32_t>(reader->position());
    uint8_t lengths[256];
    int only;
    unsigned longest;
    const CoreStatus read = ReadCodeLengths(reader, lengths, &only, &longest);
    if (read != CoreStatus::kOk) return read;
    if (longest > kShortCodeLength) code_bits_ = kMaxCodeLength;
  }
  return CoreStatus::kOk;
}

CoreStatus SharedTables::Measure(ByteView section, size_t* max_prior_cols, unsigned* code_bits) {
  *max_prior_cols = 0;
  SharedTables shared;
  ByteReader reader(section);
  size_t count;
  CoreStatus status = shared.ReadTables(section, &reader, &count);
  for (size_t i = 0; status == CoreStatus::kOk && i < count; ++i) {
    TensorRecord t;
    status = ReadRecord(&reader, shared.table_count_, &t);
    if (status == CoreStatus::kOk && (t.flags & kFlagColumnPrior) && t.cols > *max_prior_cols) *max_prior_cols = t.cols;
  }
  *code_bits = shared.code_bits_;
  return status;
}

CoreStatus SharedTables::Parse(ByteView section, TensorRecord* records, size_t capacity) {
  tensor_count_ = 0;
  ByteReader reader(section);
  size_t count;
  const CoreStatus tables = ReadTables(section, &reader, &count);
  if (tables != CoreStatus::kOk) return tables;
  if (count > capacity) return CoreStatus::kWorkspaceTooSmall;
  size_t data_size = 0;
  size_t max_prior_cols = 0;
  for (size_t i = 0; i < count; ++i) {
    TensorRecord* t = &records[i];
    const CoreStatus read = ReadRecord(&reader, table_count_, t);
    if (read != CoreStatus::kOk) return read;
    t->offset = data_size;
    if (t->size > kMaxDataSize - data_size) return CoreStatus::kBadModel;
    data_size += t->size;
    if ((t->flags & kFlagColumnPrior) && t->cols > max_prior_cols) max_prior_cols = t->cols;
  }
  // The data area begins at a multiple of 4, so that dictionary rows can be copied by words.
  while (reader.position() % 4 != 0) {
    uint8_t padding;
    if (!reader.ReadU8(&padding)) return CoreStatus::kTruncated;
    if (padding != 0) return CoreStatus::kBadModel;
  }
  for (size_t i = 0; i < count; ++i) {
    TensorRecord* t = &records[i];
    t->area_offset = static_cast<uint32_t>(reader.position());
    // The products fit: a dictionary has at most 255 rows of at most 2^60 bytes.
    if ((t->flags & kFlagDictionary) && (t->cols > section.size || !Take(&reader, t->dictionary_rows * t->cols))) {
      return CoreStatus::kTruncated;
    }
    if ((t->flags & kFlagRowPrior) && !Take(&reader, t->rows / 2 + t->rows % 2)) {
      return CoreStatus::kTruncated;
    }
    if ((t->flags & kFlagColumnPrior) && !Take(&reader, t->cols / 2 + t->cols % 2)) {
      return CoreStatus::kTruncated;
    }
  }
  if (reader.remaining() != 0) return CoreStatus::kBadModel;
  section_ = section;
  records_ = records;
  tensor_count_ = count;
  data_size_ = data_size;
  max_prior_cols_ = max_prior_cols;
  return CoreStatus::kOk;
}

void SharedTables::ReadTable(uint8_t number, uint8_t lengths[256], int* only) const {
  ByteReader reader(section_.Sub(table_offset_[number], section_.size - table_offset_[number]));
  // Parse() has read this very table before, so it cannot fail now.
  unsigned longest;
  static_cast<void>(ReadCodeLengths(&reader, lengths, only, &longest));
}

size_t SharedTables::FindTensor(size_t offset) const {
  size_t low = 0, high = tensor_count_;  // The last tensor whose offset is not beyond; empty tensors share offsets.
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (records_[middle].offset <= offset) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace modelvault
