// Where a network's buffers lie: those that never hold values at the same time share memory. Core code: built unchanged
// for host and board.
#ifndef MODELVAULT_RESTORE_INFER_BUFFER_LAYOUT_H_
#define MODELVAULT_RESTORE_INFER_BUFFER_LAYOUT_H_

#include "restore/infer/network.h"

namespace modelvault {

// Which buffers an operator reads and writes, a bit each. What it adds to, or changes in place, it also reads.
struct BufferUse {
  uint16_t reads;
  uint16_t writes;
};
BufferUse FindBufferUse(const NetworkOperator& op);

// Operators behind the last kAttention are needed for the last token of a batch alone. Index of the first of them, 0
// without any kAttention.
size_t FirstOperatorOfLastToken(const Network& network);

class BufferLayout {
 public:
  // In 32-bit values. Buffers that hold something for every token of a batch have a place in each token's row. The
  // others have one in the first row alone, which is longer for their sake: where only the last token is left, the first
  // row is either free or that token's, and then what it still holds is left alone.
  void Plan(const Network& network);

  bool in_row(size_t buffer) const { return (in_row_ >> buffer & 1) != 0; }
  size_t offset(size_t buffer) const { return offsets_[buffer]; }
  size_t row_size() const { return row_size_; }
  size_t first_row_size() const { return first_row_size_; }

 private:
  void FindConflicts(const Network& network, uint16_t conflicts[kMaxNetworkBuffers]);
  size_t FindPlace(const Network& network, size_t width, uint16_t taken) const;

  uint16_t in_row_ = 0;
  size_t row_size_ = 0;
  size_t first_row_size_ = 0;
  size_t offsets_[kMaxNetworkBuffers] = {};
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_BUFFER_LAYOUT_H_
