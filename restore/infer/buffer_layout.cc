#include "restore/infer/buffer_layout.h"

namespace modelvault {
namespace {

uint16_t Bit(size_t buffer) { return buffer < kMaxNetworkBuffers ? static_cast<uint16_t>(1u << buffer) : uint16_t{0}; }

}  // namespace

BufferUse FindBufferUse(const NetworkOperator& op) {
  BufferUse use = {0, Bit(op.out)};
  switch (op.code) {
    case OperatorCode::kEmbed:
      break;
    case OperatorCode::kRmsNorm:
      use.reads = Bit(op.in);
      break;
    case OperatorCode::kMatmul:
      use.reads = Bit(op.in) | ((op.a & 1) != 0 ? Bit(op.out) : uint16_t{0});
      break;
    case OperatorCode::kRope:
    case OperatorCode::kRelu:
      use.reads = Bit(op.out);
      break;
    case OperatorCode::kAttention:
      use.reads = Bit(op.in) | Bit(op.in2) | Bit(op.c & 255u);
      break;
    case OperatorCode::kSiluGate:
    case OperatorCode::kAdd:
      use.reads = Bit(op.in) | Bit(op.in2);
      break;
  }
  return use;
}

size_t FirstOperatorOfLastToken(const Network& network) {
  size_t first = 0;
  for (size_t i = 0; i < network.operator_count; ++i) {
    if (network.op(i).code == OperatorCode::kAttention) first = i + 1;
  }
  return first;
}

void BufferLayout::FindConflicts(const Network& network, uint16_t conflicts[kMaxNetworkBuffers]) {
  const size_t tail = FirstOperatorOfLastToken(network);
  // The scores stay when the last operator is done.
  uint16_t live = Bit(network.op(network.operator_count - 1u).out);
  for (size_t i = network.operator_count; i-- > 0;) {
    const BufferUse use = FindBufferUse(network.op(i));
    // Also what is read must not be where something is written: not every operator reads all before it writes.
    const uint16_t together = live | use.reads | use.writes;
    for (size_t b = 0; b < kMaxNetworkBuffers; ++b) {
      if ((together >> b & 1) != 0) conflicts[b] |= together;
    }
    live = static_cast<uint16_t>((live & ~use.writes) | use.reads);
    if (i < tail) in_row_ |= together;
  }
}

// The lowest place that no buffer of `taken` overlaps.
size_t BufferLayout::FindPlace(const Network& network, size_t width, uint16_t taken) const {
  size_t at = 0;
  for (size_t other = 0; other < network.buffer_count;) {
    const size_t end = offsets_[other] + network.width(other);
    const bool clash = (taken >> other & 1) != 0 && at < end && offsets_[other] < at + width;
    at = clash ? end : at;
    other = clash ? 0 : other + 1;
  }
  return at;
}

void BufferLayout::Plan(const Network& network) {
  *this = BufferLayout();
  uint16_t conflicts[kMaxNetworkBuffers] = {};
  FindConflicts(network, conflicts);
  // Those of rows first, so that rows are as short as they can be.
  uint16_t placed = 0;
  for (unsigned pass = 0; pass < 2; ++pass) {
    const bool rows = pass == 0;
    for (size_t b = 0; b < network.buffer_count; ++b) {
      if (in_row(b) != rows) continue;
      offsets_[b] = FindPlace(network, network.width(b), conflicts[b] & placed);
      placed |= Bit(b);
      const size_t end = offsets_[b] + network.width(b);
      if (rows && end > row_size_) row_size_ = end;
      if (end > first_row_size_) first_row_size_ = end;
    }
  }
}

}  // namespace modelvault
