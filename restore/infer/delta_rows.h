// A variant's differences from its base, row by row, times activations. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_DELTA_ROWS_H_
#define MODELVAULT_RESTORE_INFER_DELTA_ROWS_H_

#include "restore/infer/delta_list.h"
#include "restore/infer/dot.h"

namespace modelvault {

// Goes through a string of a DeltaList (delta_list.h) as DeltaCursor does, but without taking the byte of a difference
// of ±step apart: 2 · gap + sign is the way from one entry to the next in a table of activations and their negatives.
class DeltaRows {
 public:
  // `string` may be null: no differences. The first row comes next.
  DeltaRows(const uint8_t* string, size_t cols);

  // Goes on by `rows` rows. sums[r] += Σ of the row's differences · activations, which are `x[kDotPair · col]`, their
  // negatives right behind; x is at a multiple of 4.
  void AddRows(const int16_t* x, size_t rows, int32_t* sums);

  // The same for `groups` groups of kDotTokens tokens, each of `cols` columns (dot.h), at a multiple of 16: adds to
  // sums[r · stride + t].
  void AddRowsOfTokens(const int16_t* x, size_t groups, size_t rows, size_t stride, int32_t* sums);

 private:
  enum class Pending : uint8_t { kNone, kStep, kExplicit };

  template <typename Add>
  void FindStep(Add add);
  void AddOthers(const int16_t* x, int32_t* sum);
  void AddOthersOfTokens(const int16_t* x, int32_t* sums);
  void AddGroup(const int16_t* x, size_t rows, size_t stride, int32_t* sums);

  const uint8_t* at_;
  size_t row_size_;  // 2 · columns.
  size_t next_ = 0;  // Of the entry before at_: 2 · column from the row's start, and 1 where it is -step.
  int32_t step_ = 0;
  int32_t explicit_ = 0;              // Its difference, of kExplicit.
  Pending pending_ = Pending::kNone;  // What the entry is. kNone: all before at_ is done, next_ is even.
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_DELTA_ROWS_H_
