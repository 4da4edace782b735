#include "restore/infer/engine.h"

#include "restore/infer/vector_operators.h"

namespace modelvault {
namespace {

constexpr size_t Aligned(size_t size) {
  return (size + Engine::kAlignment - 1) / Engine::kAlignment * Engine::kAlignment;
}

// The tensors of `op` that are parameters; kNoTensor where there is none.
struct ParameterNumbers {
  uint16_t numbers[2];
};
ParameterNumbers FindParameters(const NetworkOperator& op) {
  switch (op.code) {
    case OperatorCode::kEmbed:
      return {{op.scales, kNoTensor}};
    case OperatorCode::kRmsNorm:
      return {{op.weights, kNoTensor}};
    case OperatorCode::kMatmul:
      return {{op.scales, op.bias}};
    default:
      return {{kNoTensor, kNoTensor}};
  }
}

AttentionShape ShapeOf(const Network& network, const NetworkOperator& op) {
  return {op.a, op.b, network.width(op.in) / op.a};
}

}  // namespace

size_t Engine::Elements(size_t tensor) const {
  const TensorShape s = shape(tensor);
  return s.rows * s.cols;
}

void Engine::PrepareOperator(const NetworkOperator& op) {
  if (op.code == OperatorCode::kMatmul) {
    const size_t cols = shape(op.weights).cols;
    if (cols > max_cols_) max_cols_ = cols;
  } else if (op.code == OperatorCode::kRope) {
    has_rope_ = true;
    pairs_ = static_cast<RopePairs>(op.b);
  } else if (op.code == OperatorCode::kAttention) {
    const AttentionShape shape = ShapeOf(network_, op);
    cache_stride_ += shape.entry_size();
    const size_t scratch = AttentionScratchSize(shape, positions()) + network_.width(op.in) * sizeof(int32_t);
    if (scratch > scratch_size_) scratch_size_ = scratch;
  }
}

void Engine::Prepare(const Network& network, const TensorShapes& shapes) {
  *this = Engine();
  network_ = network;
  shapes_ = shapes;
  for (size_t i = 0; i < network.operator_count; ++i) PrepareOperator(network.op(i));
  const size_t quantized = sizeof(int16_t) * QuantizedSize(max_cols_, 1);
  if (quantized > scratch_size_) scratch_size_ = quantized;
  layout_.Plan(network);
  tail_ = FirstOperatorOfLastToken(network);
  row_bytes_ = sizeof(int32_t) * (network.buffer_count + layout_.row_size());
}

// Whether an operator before number `op` has `tensor` as a parameter.
bool Engine::UsedBefore(size_t op, uint16_t tensor) const {
  for (size_t i = 0; i < op; ++i) {
    for (const uint16_t number : FindParameters(network_.op(i)).numbers) {
      if (number == tensor) return true;
    }
  }
  return false;
}

size_t Engine::CountParameters() const {
  size_t count = 0;
  for (size_t i = 0; i < network_.operator_count; ++i) {
    for (const uint16_t number : FindParameters(network_.op(i)).numbers) {
      if (number != kNoTensor && !UsedBefore(i, number)) count += Elements(number);
    }
  }
  return count;
}

size_t Engine::FirstRowBytes() const { return sizeof(int32_t) * (network_.buffer_count + layout_.first_row_size()); }

size_t Engine::ActivationBytes() const { return Aligned(FirstRowBytes() + scratch_size_); }

size_t Engine::CacheBytes() const {
  return cache_stride_ == 0 ? 0 : Aligned(positions() * cache_stride_ + kCacheOverread);
}

EngineMemory Engine::Measure(const Network& network, const TensorShapes& shapes) {
  Engine engine;
  engine.Prepare(network, shapes);
  EngineMemory memory;
  memory.cache = engine.CacheBytes();
  memory.activations = engine.ActivationBytes();
  memory.parameters = Aligned(shapes.count * sizeof(ParameterTensor) + engine.CountParameters() * sizeof(uint16_t));
  return memory;
}

CoreStatus Engine::PlaceParameters(uint8_t* memory, size_t size, size_t* used) {
  const size_t index_size = shapes_.count * sizeof(ParameterTensor);
  if (size < index_size) return CoreStatus::kWorkspaceTooSmall;
  parameters_ = reinterpret_cast<ParameterTensor*>(memory);
  for (size_t i = 0; i < shapes_.count; ++i) parameters_[i] = ParameterTensor();
  uint16_t* const first = reinterpret_cast<uint16_t*>(memory + index_size);
  uint16_t* codes = first;
  size_t left = (size - index_size) / sizeof(uint16_t);
  for (size_t i = 0; i < network_.operator_count; ++i) {
    for (const uint16_t number : FindParameters(network_.op(i)).numbers) {
      if (number == kNoTensor || parameters_[number].codes != nullptr) continue;
      const size_t count = Elements(number);
      if (left < count) return CoreStatus::kWorkspaceTooSmall;
      parameters_[number].codes = codes;
      codes += count;
      left -= count;
      ++missing_;
    }
  }
  *used = Aligned(index_size + sizeof(uint16_t) * static_cast<size_t>(codes - first));
  return CoreStatus::kOk;
}

CoreStatus Engine::Init(const Network& network, const TensorShapes& shapes, void* memory, size_t size) {
  Prepare(network, shapes);
  if (reinterpret_cast<uintptr_t>(memory) % kAlignment != 0) return CoreStatus::kBadArgument;
  uint8_t* const begin = static_cast<uint8_t*>(memory);
  memory_ = {CacheBytes(), ActivationBytes(), 0};
  const size_t besides = memory_.total();
  if (size < besides) return CoreStatus::kWorkspaceTooSmall;
  row_ = begin;
  scratch_ = begin + FirstRowBytes();
  const CoreStatus status = PlaceParameters(begin + memory_.activations, size - besides, &memory_.parameters);
  MoveCache(begin + memory_.activations + memory_.parameters);
  return status;
}

void Engine::MoveCache(void* cache) {
  cache_ = static_cast<uint8_t*>(cache);
  Reset();
}

void Engine::Reset() {
  position_ = 0;
  next_slot_ = 0;
  used_ = 0;
  has_scores_ = false;
  marked_tensor_ = SIZE_MAX;
}

CoreStatus Engine::ConsumeRestored(size_t tensor, size_t offset, ByteView bytes) {
  if (tensor >= shapes_.count) return CoreStatus::kBadArgument;
  ParameterTensor* const parameters = &parameters_[tensor];
  if (parameters->codes == nullptr) return CoreStatus::kOk;
  if (offset == 0) {
    if (parameters->complete) ++missing_;
    reader_.Start(parameters, shape(tensor).dtype, Elements(tensor));
    reading_ = tensor;
  }
  if (tensor != reading_ || offset != reader_.position()) return CoreStatus::kBadArgument;
  const CoreStatus status = reader_.Consume(bytes);
  if (status != CoreStatus::kOk) {
    reading_ = SIZE_MAX;
    return status;
  }
  if (parameters->complete) {
    --missing_;
    reading_ = SIZE_MAX;
  }
  return CoreStatus::kOk;
}

Vector Engine::buffer(size_t b, size_t token) const {
  const bool first = token == 0 || !layout_.in_row(b);
  int32_t* const header = reinterpret_cast<int32_t*>(first ? row_ : more_rows_ + (token - 1) * row_bytes_);
  return {header + network_.buffer_count + layout_.offset(b), network_.width(b), header + b};
}

NetworkScores Engine::scores() const {
  if (!has_scores_) return {};
  const Vector v = buffer(network_.op(network_.operator_count - 1u).out, score_token_);
  return {v.values, v.size, *v.exponent};
}

}  // namespace modelvault
