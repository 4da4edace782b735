#include "restore/infer/network_view.h"

#include "restore/infer/tokenizer.h"

namespace modelvault {
namespace {

constexpr size_t PadTo4(size_t size) { return (size + 3) & ~size_t{3}; }

// Fields of an operator beside `code` and `out`, which all have.
constexpr unsigned kIn = 1, kIn2 = 2, kWeights = 4, kScales = 8, kBias = 16, kA = 32, kB = 64, kC = 128;

// Whether all fields outside `used` say that they are not used.
bool UsesOnly(const NetworkOperator& op, unsigned used) {
  return ((used & kIn) != 0 || op.in == kNoBuffer) && ((used & kIn2) != 0 || op.in2 == kNoBuffer) &&
         ((used & kWeights) != 0 || op.weights == kNoTensor) && ((used & kScales) != 0 || op.scales == kNoTensor) &&
         ((used & kBias) != 0 || op.bias == kNoTensor) && ((used & kA) != 0 || op.a == 0) &&
         ((used & kB) != 0 || op.b == 0) && ((used & kC) != 0 || op.c == 0);
}

// Goes through the operators in their order.
class OperatorChecker {
 public:
  OperatorChecker(const Network& network, const TensorShapes& shapes) : network_(network), shapes_(shapes) {
    if (network.task == NetworkTask::kFeatures) written_ = 1;  // The features are in buffer 0.
  }

  bool Check(const NetworkOperator& op) {
    if (op.out >= network_.buffer_count || !CheckByCode(op)) return false;
    written_ |= 1u << op.out;
    return true;
  }

  size_t attentions() const { return attentions_; }
  bool rotates() const { return rotates_; }

 private:
  bool CheckByCode(const NetworkOperator& op) {
    const bool tokens = network_.task == NetworkTask::kTokens;
    switch (op.code) {
      case OperatorCode::kEmbed:
        return tokens && UsesOnly(op, kWeights | kScales) && IsMatrix(op, network_.inputs, Width(op.out));
      case OperatorCode::kRmsNorm:
        return UsesOnly(op, kIn | kWeights | kC) && Has(op.in, Width(op.out)) && IsVector(op.weights, Width(op.out)) &&
               op.c > 0;
      case OperatorCode::kMatmul:
        return UsesOnly(op, kIn | kWeights | kScales | kBias | kA) && op.a <= 1 && op.in != op.out &&
               IsWritten(op.in) && (op.a == 0 || IsWritten(op.out)) && IsMatrix(op, Width(op.out), Width(op.in)) &&
               (op.bias == kNoTensor || IsVector(op.bias, Width(op.out)));
      case OperatorCode::kRope:
        return tokens && UsesOnly(op, kA | kB) && IsRope(op);
      case OperatorCode::kAttention:
        ++attentions_;
        return tokens && UsesOnly(op, kIn | kIn2 | kA | kB | kC) && IsAttention(op);
      case OperatorCode::kSiluGate:
      case OperatorCode::kAdd:
        return UsesOnly(op, kIn | kIn2) && Has(op.in, Width(op.out)) && Has(op.in2, Width(op.out));
      case OperatorCode::kRelu:
        return UsesOnly(op, 0) && IsWritten(op.out);
    }
    return false;
  }

  // All rotate alike: what has left the window is rotated once more.
  bool IsRope(const NetworkOperator& op) {
    const bool alike = !rotates_ || op.b == pairs_;
    rotates_ = true;
    pairs_ = op.b;
    return alike && op.b <= static_cast<uint8_t>(RopePairs::kHalves) && IsWritten(op.out) &&
           Width(op.out) == size_t{2} * network_.rope_pair_count * op.a;
  }

  bool IsAttention(const NetworkOperator& op) const {
    if (op.c >= network_.buffer_count || op.a == 0 || op.b == 0 || op.a % op.b != 0) return false;
    const uint8_t values = static_cast<uint8_t>(op.c);
    const size_t head = Width(op.out) / op.a;
    const size_t rotated = size_t{2} * network_.rope_pair_count;
    return head * op.a == Width(op.out) && head <= kMaxHeadWidth && (rotated == 0 || head == rotated) &&
           op.out != op.in && op.out != op.in2 && op.out != values && Has(op.in, Width(op.out)) &&
           Has(op.in2, head * op.b) && Has(values, head * op.b);
  }

  size_t Width(uint8_t buffer) const { return network_.width(buffer); }
  bool IsWritten(uint8_t buffer) const { return buffer < network_.buffer_count && (written_ >> buffer & 1) != 0; }
  bool Has(uint8_t buffer, size_t width) const { return IsWritten(buffer) && Width(buffer) == width; }

  // The operator's weights are INT8 of that shape, and there is a scale for each row.
  bool IsMatrix(const NetworkOperator& op, size_t rows, size_t cols) const {
    if (op.weights >= shapes_.count) return false;
    const TensorShape shape = shapes_.shape(shapes_.context, op.weights);
    return shape.dtype == DType::kI8 && shape.rows == rows && shape.cols == cols && IsVector(op.scales, rows);
  }
  bool IsVector(uint16_t tensor, size_t size) const {
    if (tensor >= shapes_.count) return false;
    const TensorShape shape = shapes_.shape(shapes_.context, tensor);
    return (shape.dtype == DType::kF32 || shape.dtype == DType::kF16 || shape.dtype == DType::kBf16) &&
           shape.rows == 1 && shape.cols == size;
  }

  const Network& network_;
  const TensorShapes& shapes_;
  uint32_t written_ = 0;  // A bit a buffer.
  size_t attentions_ = 0;
  bool rotates_ = false;
  uint8_t pairs_ = 0;
};

// The head's fields, as far as they can be judged without the rest.
bool HeadIsSound(const Network& n) {
  if (n.activation_bits != 8 && n.activation_bits != 4) return false;
  if (n.operator_count == 0 || n.operator_count > kMaxNetworkOperators) return false;
  if (n.buffer_count == 0 || n.buffer_count > kMaxNetworkBuffers || n.rope_pair_count > kMaxRopePairs) return false;
  if (n.inputs == 0 || n.inputs > UINT16_MAX) return false;
  if (n.task == NetworkTask::kTokens) return n.window > n.sinks && n.window + size_t{n.sinks} <= UINT16_MAX;
  return n.task == NetworkTask::kFeatures && n.window == 0 && n.sinks == 0 && n.cache_count == 0;
}

// Splits the section behind the head; false if it is not of the size that the head says.
bool FindParts(ByteView section, Network* n, size_t* padding) {
  const size_t widths_size = size_t{2} * n->buffer_count;
  *padding = PadTo4(widths_size) - widths_size;
  const size_t at = kNetworkHeadSize + PadTo4(widths_size);
  const size_t steps_size = size_t{4} * n->rope_pair_count;
  const size_t operators_size = kNetworkOperatorSize * n->operator_count;
  // No sum overflows: each of these is at most 2^16.
  const size_t fixed_size = at + steps_size + operators_size;
  const size_t tokenizer_size = LoadLe32(section.data + 20);
  if (section.size < fixed_size || section.size - fixed_size != tokenizer_size) return false;
  n->widths = section.Sub(kNetworkHeadSize, widths_size);
  n->rope_steps = section.Sub(at, steps_size);
  n->operators = section.Sub(at + steps_size, operators_size);
  n->tokenizer = section.Sub(fixed_size, tokenizer_size);
  return true;
}

bool WidthsAreSound(const Network& n, size_t padding) {
  for (size_t i = 0; i < n.buffer_count; ++i) {
    if (n.width(i) == 0) return false;
  }
  for (size_t i = 0; i < padding; ++i) {
    if (n.widths.data[n.widths.size + i] != 0) return false;
  }
  return n.task == NetworkTask::kTokens || n.width(0) == n.inputs;
}

}  // namespace

TensorShapes ShapesOf(const SharedTables& shared) {
  return {&shared, shared.tensor_count(), [](const void* context, size_t tensor) {
            const TensorRecord& record = static_cast<const SharedTables*>(context)->tensor(tensor);
            return TensorShape{record.dtype, record.rows, record.cols};
          }};
}

CoreStatus ParseNetwork(ByteView section, const TensorShapes& shapes, Network* network, size_t* bad_offset) {
  size_t unused;
  if (bad_offset == nullptr) bad_offset = &unused;
  *bad_offset = 0;
  if (section.size < kNetworkHeadSize) return CoreStatus::kBadNetwork;
  const uint8_t* const p = section.data;
  Network& n = *network;
  n.task = static_cast<NetworkTask>(p[0]);
  n.activation_bits = p[1];
  n.operator_count = LoadLe16(p + 2);
  n.inputs = LoadLe32(p + 4);
  n.outputs = LoadLe32(p + 8);
  n.window = LoadLe16(p + 12);
  n.sinks = LoadLe16(p + 14);
  n.buffer_count = p[16];
  n.rope_pair_count = p[17];
  n.cache_count = LoadLe16(p + 18);
  if (LoadLe32(p + 24) != 0 || LoadLe32(p + 28) != 0 || !HeadIsSound(n)) return CoreStatus::kBadNetwork;
  size_t padding;
  if (!FindParts(section, &n, &padding)) return CoreStatus::kBadNetwork;
  *bad_offset = kNetworkHeadSize;
  if (!WidthsAreSound(n, padding)) return CoreStatus::kBadNetwork;

  *bad_offset = static_cast<size_t>(n.operators.data - p);
  if (n.task == NetworkTask::kFeatures && n.op(0).in != 0) return CoreStatus::kBadNetwork;
  OperatorChecker checker(n, shapes);
  for (size_t i = 0; i < n.operator_count; ++i) {
    *bad_offset = static_cast<size_t>(n.operators.data - p) + kNetworkOperatorSize * i;
    if (!checker.Check(n.op(i))) return CoreStatus::kBadNetwork;
  }
  if (n.outputs != n.width(n.op(n.operator_count - 1u).out)) return CoreStatus::kBadNetwork;
  *bad_offset = 0;
  if (checker.attentions() != n.cache_count || checker.rotates() != (n.rope_pair_count > 0)) {
    return CoreStatus::kBadNetwork;
  }
  if (n.tokenizer.size == 0) return CoreStatus::kOk;

  Tokenizer tokenizer;
  const CoreStatus parsed = tokenizer.Parse(n.tokenizer, bad_offset);
  *bad_offset += static_cast<size_t>(n.tokenizer.data - p);
  const bool fits = n.task == NetworkTask::kTokens && tokenizer.token_count() == n.inputs;
  return parsed == CoreStatus::kOk && !fits ? CoreStatus::kBadNetwork : parsed;
}

}  // namespace modelvault
