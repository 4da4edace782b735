// How a batch of tokens goes through the operators.
#include "restore/infer/engine.h"
#include "restore/infer/vector_operators.h"

namespace modelvault {
namespace {

constexpr uintptr_t Aligned16(uintptr_t v) { return (v + 15) / 16 * 16; }

}  // namespace

NetworkOperator Engine::OperatorAt(size_t i) const {
  const uint8_t* const p = network_.operators.data + 16 * i;
  const uint32_t a = LoadAligned32(p), b = LoadAligned32(p + 4), c = LoadAligned32(p + 8);
  return {static_cast<OperatorCode>(a & 255), static_cast<uint8_t>(a >> 8),
          static_cast<uint8_t>(a >> 16),      static_cast<uint8_t>(a >> 24),
          static_cast<uint16_t>(b),           static_cast<uint16_t>(b >> 16),
          static_cast<uint16_t>(c),           static_cast<uint8_t>(c >> 16),
          static_cast<uint8_t>(c >> 24),      LoadAligned32(p + 12)};
}

CoreStatus Engine::Run(const uint16_t* tokens, size_t count, const WeightSource& source) {
  has_scores_ = false;
  if (network_.task != NetworkTask::kTokens || count == 0 || !ready()) return CoreStatus::kBadArgument;
  for (size_t i = 0; i < count; ++i) {
    if (tokens[i] >= network_.inputs) return CoreStatus::kBadArgument;
  }
  while (count > 0) {
    const size_t batch = BatchSize(count);
    const CoreStatus status = RunBatch(tokens, batch, source);
    if (status != CoreStatus::kOk) return status;
    tokens += batch;
    count -= batch;
  }
  has_scores_ = true;
  return CoreStatus::kOk;
}

CoreStatus Engine::RunFeatures(const int32_t* features, size_t count, const WeightSource& source) {
  has_scores_ = false;
  if (network_.task != NetworkTask::kFeatures || count != network_.inputs || !ready()) return CoreStatus::kBadArgument;
  const Vector in = buffer(0, 0);
  for (size_t i = 0; i < count; ++i) in.values[i] = features[i];
  *in.exponent = -16;
  Normalise(in);
  const CoreStatus status = RunBatch(nullptr, 1, source);
  has_scores_ = status == CoreStatus::kOk;
  return status;
}

// The most tokens for whose rows, and quantised activations, there is room behind the positions that they fill.
size_t Engine::BatchSize(size_t tokens) const {
  size_t batch = tokens < kMaxBatch ? tokens : kMaxBatch;
  for (; batch > 1; --batch) {
    if (used_ + batch > positions()) continue;
    const size_t room = (positions() - used_ - batch) * cache_stride_;
    if ((batch - 1) * row_bytes_ + sizeof(int16_t) * QuantizedSize(max_cols_, batch) + 32 <= room) break;
  }
  return batch;
}

CoreStatus Engine::RunBatch(const uint16_t* tokens, size_t count, const WeightSource& source) {
  const uintptr_t free_cache = reinterpret_cast<uintptr_t>(cache_ + (used_ + count) * cache_stride_);
  more_rows_ = reinterpret_cast<uint8_t*>(Aligned16(free_cache));
  count_ = count;
  cache_offset_ = 0;
  first_ = 0;
  quantized_buffer_ = SIZE_MAX;
  for (size_t i = 0; i < network_.operator_count; ++i) {
    if (i == tail_ && count_ > 1) {
      first_ = count_ - 1;
      quantized_buffer_ = SIZE_MAX;
    }
    const CoreStatus status = RunOperator(OperatorAt(i), tokens, source);
    if (status != CoreStatus::kOk) return status;
  }
  score_token_ = count - 1;
  position_ += static_cast<uint32_t>(count);
  if (cache_stride_ == 0) return CoreStatus::kOk;
  used_ = used_ + count < positions() ? static_cast<uint32_t>(used_ + count) : static_cast<uint32_t>(positions());
  next_slot_ += static_cast<uint32_t>(count);
  if (next_slot_ == positions()) next_slot_ = network_.sinks;
  return CoreStatus::kOk;
}

CoreStatus Engine::RunOperator(const NetworkOperator& op, const uint16_t* tokens, const WeightSource& source) {
  CoreStatus status = CoreStatus::kOk;
  if (op.code == OperatorCode::kMatmul) status = Matmul(op, source);
  for (size_t t = first_; t < count_ && status == CoreStatus::kOk; ++t) {
    const Vector out = buffer(op.out, t);
    switch (op.code) {
      case OperatorCode::kEmbed:
        status = Embed(op, tokens[t], source, out);
        break;
      case OperatorCode::kRmsNorm:
        RmsNorm(buffer(op.in, t), parameters_[op.weights], op.c, out);
        break;
      case OperatorCode::kMatmul:
        break;
      case OperatorCode::kRope:
        RotateHeads(network_, pairs_, position_ + static_cast<uint32_t>(t), op.a, out.size / op.a, out.values);
        Normalise(out);
        break;
      case OperatorCode::kAttention:
        RunAttention(op, t);
        break;
      case OperatorCode::kSiluGate:
        SiluGate(buffer(op.in, t), buffer(op.in2, t), out);
        break;
      case OperatorCode::kRelu:
        Relu(out);
        break;
      case OperatorCode::kAdd:
        Add(buffer(op.in, t), buffer(op.in2, t), out);
        break;
    }
  }
  if (op.code == OperatorCode::kAttention) {
    cache_offset_ += AttentionShape{op.a, op.b, network_.width(op.in) / op.a}.entry_size();
  }
  // The scratch memory of attention is that of one token's quantised activations.
  if (op.out == quantized_buffer_ || op.code == OperatorCode::kAttention) quantized_buffer_ = SIZE_MAX;
  return status;
}

// The deltas of `op`'s embedding from byte `row_begin` on.
DeltaCursor Engine::DeltasOfRow(const NetworkOperator& op, size_t row_begin, const WeightSource& source) {
  const TensorShape weights = shape(op.weights);
  const size_t rows_per_mark = (weights.rows + kRowMarks - 1) / kRowMarks;
  const size_t bytes_per_mark = rows_per_mark * weights.cols;
  if (marked_tensor_ != op.weights) {
    DeltaCursor cursor = source.deltas->tensor(op.weights);
    for (size_t mark = 0; mark < kRowMarks; ++mark) {
      while (cursor.place() < mark * bytes_per_mark) cursor.Step();
      row_marks_[mark] = cursor;
    }
    marked_tensor_ = op.weights;
  }
  DeltaCursor cursor = row_marks_[row_begin / bytes_per_mark];
  while (cursor.place() < row_begin) cursor.Step();
  return cursor;
}

CoreStatus Engine::Embed(const NetworkOperator& op, uint16_t token, const WeightSource& source, const Vector& out) {
  const size_t begin = token * out.size;
  CoreStatus status = source.start(source.context, op.weights, begin, begin + out.size);
  for (size_t filled = 0; filled < out.size;) {
    ByteView piece;
    if (status == CoreStatus::kOk) status = source.next(source.context, &piece);
    if (status != CoreStatus::kOk) return status;
    if (piece.size == 0 || piece.size > out.size - filled) return CoreStatus::kReadFailed;
    for (size_t i = 0; i < piece.size; ++i) out.values[filled++] = static_cast<int8_t>(piece.data[i]);
  }
  if (source.deltas != nullptr) {
    for (DeltaCursor d = DeltasOfRow(op, begin, source); d.place() < begin + out.size; d.Step()) {
      out.values[d.place() - begin] += d.difference();
    }
  }
  // Without the code's shift of up to 15 the product has at most 19 bits.
  const uint16_t code = parameters_[op.scales].codes[token];
  const int shift = code & 15;
  const int32_t scale = DecodeParameter(code) >> shift;
  for (size_t i = 0; i < out.size; ++i) out.values[i] *= scale;
  *out.exponent = parameters_[op.scales].exponent + shift;
  Normalise(out);
  return CoreStatus::kOk;
}

// The activations of buffer `b` of all tokens that take part.
void Engine::Quantize(size_t b, size_t cols) {
  if (quantized_buffer_ == b) return;
  const unsigned bits = network_.activation_bits;
  const size_t tokens = count_ - first_;
  int16_t* const values =
      reinterpret_cast<int16_t*>(tokens == 1 ? scratch_ : more_rows_ + Aligned16((count_ - 1) * row_bytes_));
  if (tokens == 1) {
    quantized_.steps[0] = QuantizeActivations(buffer(b, first_), bits, values, kDotPair);
  } else {
    const size_t size = QuantizedSize(cols, tokens);
    // The last group may not be full.
    memset(values + size - kDotPairs * cols, 0, sizeof(int16_t) * kDotPairs * cols);
    for (size_t t = 0; t < tokens; ++t) {
      int16_t* const out = values + t / kDotTokens * kDotPairs * cols + t % kDotTokens;
      quantized_.steps[t] = QuantizeActivations(buffer(b, first_ + t), bits, out, kDotPairs);
    }
  }
  quantized_.values = values;
  quantized_.cols = cols;
  quantized_.count = tokens;
  quantized_buffer_ = b;
}

CoreStatus Engine::Matmul(const NetworkOperator& op, const WeightSource& source) {
  const TensorShape weights = shape(op.weights);
  Quantize(op.in, weights.cols);
  Vector out[kMaxBatch];
  for (size_t t = first_; t < count_; ++t) out[t - first_] = buffer(op.out, t);
  const Matrix matrix = {op.weights, weights.rows, weights.cols, &parameters_[op.scales],
                         op.bias == kNoTensor ? nullptr : &parameters_[op.bias]};
  return Multiply(source, matrix, quantized_, (op.a & 1) != 0, out);
}

void Engine::RunAttention(const NetworkOperator& op, size_t token) {
  const AttentionShape shape = {op.a, op.b, network_.width(op.in) / op.a};
  const Vector queries = buffer(op.in, token);
  uint8_t* const entries = cache_ + cache_offset_;
  StoreEntry(shape, buffer(op.in2, token), buffer(op.c & 255u, token), entries + (next_slot_ + token) * cache_stride_);
  const size_t used = used_ + token + 1;
  AttentionCache cache = {entries, cache_stride_, used < positions() ? used : positions(), 0};
  int32_t* const sink_queries = reinterpret_cast<int32_t*>(scratch_);
  if (has_rope_ && used > positions()) {
    // The window has left the sinks behind. They take the positions right before its first.
    const uint32_t behind = position_ + 1 - network_.window - network_.sinks;
    for (size_t i = 0; i < queries.size; ++i) sink_queries[i] = queries.values[i];
    RotateHeads(network_, pairs_, 0u - behind, shape.heads, shape.head_dim, sink_queries);
    cache.sinks = network_.sinks;
  }
  Attend(shape, cache, queries, sink_queries, FindScoreScale(shape.head_dim), sink_queries + queries.size,
         buffer(op.out, token));
}

}  // namespace modelvault
