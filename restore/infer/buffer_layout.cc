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

void BufferLayout::Plan(const Network& network) {
  *this = BufferLayout();
  uint16_t conflicts[kMaxNetworkBuffers] = {};
  FindConflicts(network, conflicts);
  for (size_t b = 0; b < network.buffer_count; ++b) {
    // The lowest place that no earlier buffer in conflict with this one overlaps.
    const size_t width = network.width(b);
    size_t at = 0;
    for (size_t other = 0; other < b;) {
      const bool clash = (conflicts[b] >> other & 1) != 0 && in_row(other) == in_row(b) &&
                         at < offsets_[other] + network.width(other) && offsets_[other] < at + width;
      at = clash ? offsets_[other] + network.width(other) : at;
      other = clash ? 0 : other + 1;
    }
    offsets_[b] = at;
    size_t* const size = in_row(b) ? &row_size_ : &single_size_;
    if (at + width > *size) *size = at + width;
  }
}

}  // namespace modelvault
