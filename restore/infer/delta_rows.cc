#include "restore/infer/delta_rows.h"

namespace modelvault {
namespace {

constexpr size_t kEnded = SIZE_MAX;  // However many rows are taken off, it is beyond the row.

}  // namespace

DeltaRows::DeltaRows(const uint8_t* string, size_t cols) : at_(string), row_size_(2 * cols), next_(row_size_) {
  if (string == nullptr) {
    next_ = kEnded;
  } else {
    step_ = *at_++;
  }
}

// Goes on to an entry of ±step, or to one beyond the row; calls add(place, difference) for others on the way.
template <typename Add>
void DeltaRows::FindStep(Add add) {
  for (;;) {
    if (pending_ == Pending::kExplicit) {
      if (next_ >= row_size_) return;
      add(next_, explicit_);
      next_ += 2;
    }
    const uint8_t byte = *at_++;
    pending_ = Pending::kStep;
    if (byte < kDeltaSkip) {
      next_ += byte;
      return;
    }
    if (byte == kDeltaSkip) {
      next_ += 2 * size_t{kDeltaFarGap};
    } else if (byte == kDeltaExplicit) {
      next_ += 2 * size_t{LoadLe16(at_)};
      explicit_ = static_cast<int16_t>(LoadLe16(at_ + 2));
      at_ += 4;
      pending_ = Pending::kExplicit;
    } else {
      next_ = kEnded;
      return;
    }
  }
}

// Up to an entry of ±step, or beyond the row.
[[gnu::noinline]] void DeltaRows::AddOthers(const int16_t* x, int32_t* sum) {
  FindStep([&](size_t place, int32_t difference) { *sum += difference * x[place]; });
}

void DeltaRows::AddRows(const int16_t* x, size_t rows, int32_t* sums) {
  // In registers, but for what is rare. Addresses, so that a bit of theirs is that of the sign.
  constexpr uintptr_t kEntry = sizeof(int16_t);
  const size_t row_size = row_size_;
  const int32_t step = step_;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(x), end = begin + kEntry * row_size;
  const uint8_t* at = at_;
  size_t next = next_;
  Pending pending = pending_;
  for (int32_t* const sums_end = sums + rows; sums != sums_end; ++sums) {
    next -= row_size;
    while (next < row_size) {
      if (pending != Pending::kStep) {
        next_ = next, at_ = at, pending_ = pending;
        AddOthers(x, sums);
        next = next_, at = at_, pending = pending_;
        continue;
      }
      uintptr_t place = begin + kEntry * next;
      int32_t steps = 0;
      uint8_t byte;
      do {
        byte = *at++;
        steps += *reinterpret_cast<const int16_t*>(place);
        place = (place | kEntry) + kEntry;
        if (byte >= kDeltaSkip) [[unlikely]]
          break;
        place += kEntry * byte;
      } while (place < end);
      next = (place - begin) / kEntry;
      *sums += steps * step;
      if (byte < kDeltaSkip) break;
      --at;
      pending = Pending::kNone;
    }
  }
  next_ = next, at_ = at, pending_ = pending;
}

[[gnu::noinline]] void DeltaRows::AddOthersOfTokens(const int16_t* x, int32_t* sums) {
  FindStep([&](size_t place, int32_t difference) {
    for (size_t t = 0; t < kDotTokens; ++t) sums[t] += difference * x[kDotTokens * place + t];
  });
}

// As AddRows(), with kDotTokens values for each of its.
void DeltaRows::AddGroup(const int16_t* x, size_t rows, size_t stride, int32_t* sums) {
  constexpr uintptr_t kEntry = sizeof(int16_t) * kDotTokens;
  const size_t row_size = row_size_;
  const int32_t step = step_;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(x), end = begin + kEntry * row_size;
  const uint8_t* at = at_;
  size_t next = next_;
  Pending pending = pending_;
  for (int32_t* const sums_end = sums + rows * stride; sums != sums_end; sums += stride) {
    next -= row_size;
    while (next < row_size) {
      if (pending != Pending::kStep) {
        next_ = next, at_ = at, pending_ = pending;
        AddOthersOfTokens(x, sums);
        next = next_, at = at_, pending = pending_;
        continue;
      }
      uintptr_t place = begin + kEntry * next;
      int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      uint8_t byte;
      do {
        const int16_t* const p = reinterpret_cast<const int16_t*>(place);
        byte = *at++;
        s0 += p[0], s1 += p[1], s2 += p[2], s3 += p[3];
        place = (place | kEntry) + kEntry;
        if (byte >= kDeltaSkip) [[unlikely]]
          break;
        place += kEntry * byte;
      } while (place < end);
      next = (place - begin) / kEntry;
      sums[0] += s0 * step, sums[1] += s1 * step, sums[2] += s2 * step, sums[3] += s3 * step;
      if (byte < kDeltaSkip) break;
      --at;
      pending = Pending::kNone;
    }
  }
  next_ = next, at_ = at, pending_ = pending;
}

void DeltaRows::AddRowsOfTokens(const int16_t* x, size_t groups, size_t rows, size_t stride, int32_t* sums) {
  // Each group begins where the first row does.
  const DeltaRows before = *this;
  for (size_t g = 0; g < groups; ++g, x += kDotTokens * row_size_, sums += kDotTokens) {
    if (g > 0) *this = before;
    AddGroup(x, rows, stride, sums);
  }
}

}  // namespace modelvault
