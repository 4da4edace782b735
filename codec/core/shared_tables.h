// MODEL: what every stream of a vault shares: the base's tensors, the tables and the priors
// (docs/format.md §3). Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_SHARED_TABLES_H_
#define MODELVAULT_CODEC_CORE_SHARED_TABLES_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"

namespace modelvault {

// One tensor of the base, parsed. Offsets into MODEL are bytes from its start.
struct TensorRecord {
  size_t offset;  // Of its first byte in the base's data section.
  size_t size;    // Bytes.
  size_t rows;
  size_t cols;           // For kOpaque rows is 1 and cols the bytes.
  uint32_t area_offset;  // Of its part of the data area: dictionary rows, row classes, column classes.
  DType dtype;
  uint8_t element_size;  // 1, 2, 4 or 8.
  uint8_t flags;         // kFlag*.
  uint8_t level;
  uint8_t tables[8];  // A plane's table number or kRawPlane.
  uint8_t dictionary_rows;
  uint8_t skip_table;
  uint8_t near_table;

  uint32_t row_class_offset() const { return area_offset + static_cast<uint32_t>(dictionary_rows * cols); }
  uint32_t column_class_offset() const {
    return row_class_offset() + ((flags & kFlagRowPrior) != 0 ? static_cast<uint32_t>(rows / 2 + rows % 2) : 0);
  }
  bool has_prior() const { return (flags & (kFlagRowPrior | kFlagColumnPrior)) != 0; }
  // Bytes of one line; strips do not cross lines.
  size_t line_size() const { return has_prior() ? cols : size; }
};

// A parsed MODEL. Points into the section's bytes and the caller's records, which must outlive it.
class SharedTables {
 public:
  // The number of records Parse will need. Never more than the section's bytes can hold.
  [[nodiscard]] static CoreStatus CountTensors(ByteView section, size_t* count);

  // What max_prior_cols() and code_bits() will be, found without memory for records. Checks what comes before the data
  // area.
  [[nodiscard]] static CoreStatus Measure(ByteView section, size_t* max_prior_cols, unsigned* code_bits);

  // Parses and checks everything, priors' and dictionaries' extents included. `records` has room for `capacity`.
  [[nodiscard]] CoreStatus Parse(ByteView section, TensorRecord* records, size_t capacity);

  size_t tensor_count() const { return tensor_count_; }
  const TensorRecord& tensor(size_t i) const { return records_[i]; }
  size_t data_size() const { return data_size_; }
  size_t table_count() const { return table_count_; }
  // Every byte of the base is stored as it is: without tables there is neither a coded plane nor a dictionary.
  bool all_raw() const { return table_count_ == 0; }
  // Bits that index a PrefixTable of any of the tables; 0 without any.
  unsigned code_bits() const { return code_bits_; }
  size_t max_prior_cols() const { return max_prior_cols_; }  // Widest tensor with a column prior; 0 without any.

  // Fills `lengths` and `only` (ReadCodeLengths) from stored table `number` < table_count().
  void ReadTable(uint8_t number, uint8_t lengths[256], int* only) const;

  const uint8_t* dictionary(const TensorRecord& t) const { return section_.data + t.area_offset; }
  // Classes of a prior's rows (columns), a nibble each, low nibble first.
  const uint8_t* row_classes(const TensorRecord& t) const { return section_.data + t.row_class_offset(); }
  const uint8_t* column_classes(const TensorRecord& t) const { return section_.data + t.column_class_offset(); }
  // Class of a row (column); 0 without that prior.
  unsigned RowClass(const TensorRecord& t, size_t row) const {
    return (t.flags & kFlagRowPrior) ? Nibble(row_classes(t), row) : 0;
  }
  unsigned ColumnClass(const TensorRecord& t, size_t column) const {
    return (t.flags & kFlagColumnPrior) ? Nibble(column_classes(t), column) : 0;
  }

  // The tensor that holds byte `offset` < data_size() of the base's data.
  size_t FindTensor(size_t offset) const;

 private:
  CoreStatus ReadTables(ByteView section, ByteReader* reader, size_t* tensor_count);
  static unsigned Nibble(const uint8_t* packed, size_t i) {
    return (packed[i / 2] >> (i % 2 * 4)) & 15u;
  }

  ByteView section_;
  const TensorRecord* records_ = nullptr;
  size_t tensor_count_ = 0;
  size_t table_count_ = 0;
  unsigned code_bits_ = kShortCodeLength;
  size_t data_size_ = 0;
  size_t max_prior_cols_ = 0;
  uint32_t table_offset_[kMaxTables];
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_SHARED_TABLES_H_
