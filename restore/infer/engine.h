// Runs a network token by token, with weights that stream in: scores for the next token out. Integers only, the same on
// every machine, however tokens are batched (docs/inference.md). Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_ENGINE_H_
#define MODELVAULT_RESTORE_INFER_ENGINE_H_

#include "restore/infer/attention.h"
#include "restore/infer/buffer_layout.h"
#include "restore/infer/delta_list.h"
#include "restore/infer/matmul.h"
#include "restore/infer/network_view.h"
#include "restore/infer/parameters.h"

namespace modelvault {

// Bytes of caller's memory that an engine takes.
struct EngineMemory {
  size_t cache = 0;  // Keys and values of all positions. A batch's further tokens use what is still free of it.
  size_t activations = 0;
  size_t parameters = 0;  // Gains, row scales and biases.

  size_t total() const { return cache + activations + parameters; }
};

// Scores of the vocabulary or of the classes: values[i] · 2^exponent. No values: there are none.
struct NetworkScores {
  const int32_t* values = nullptr;
  size_t count = 0;
  int exponent = 0;
};

class Engine {
 public:
  static constexpr size_t kAlignment = alignof(void*);

  // `network` was parsed with these shapes (network_view.h).
  static EngineMemory Measure(const Network& network, const TensorShapes& shapes);

  // `memory`, at a multiple of kAlignment, what `network` and `shapes` refer to must outlive the engine.
  // kWorkspaceTooSmall.
  [[nodiscard]] CoreStatus Init(const Network& network, const TensorShapes& shapes, void* memory, size_t size);

  // Has the cache, EngineMemory::cache bytes, at another place than the end of Init()'s memory, at a multiple of
  // kAlignment too; nothing was kept there until now. Forgets all positions.
  void MoveCache(void* cache);

  // What it takes of the memory, as Measure() says but found in less time. After Init().
  const EngineMemory& memory() const { return memory_; }

  // Takes the variant's bytes [offset, offset + bytes.size) of a tensor; those of each tensor from its first on and
  // without gaps, tensor after tensor. Bytes of tensors that are no parameters are ignored. A tensor that begins again
  // is read again. kBadArgument for a gap; kOutOfRange for more bytes than MODEL says, or a value that is no number.
  [[nodiscard]] CoreStatus ConsumeRestored(size_t tensor, size_t offset, ByteView bytes);
  // Whether every parameter has been read.
  bool ready() const { return missing_ == 0; }

  // Runs `count` ≥ 1 tokens at the positions that follow; scores() are then those after the last. kBadArgument: no
  // tokens, one beyond the vocabulary, a network of features, or not ready(). Whatever else fails is the source's.
  // After a failure there are no scores, and the position is that before a token of the batch that failed.
  [[nodiscard]] CoreStatus Run(const uint16_t* tokens, size_t count, const WeightSource& source);

  // The same for a network of features, whose values are times 2^16: `count` is network.inputs. They are the vector
  // `in` of the first operator.
  [[nodiscard]] CoreStatus RunFeatures(const int32_t* features, size_t count, const WeightSource& source);

  NetworkScores scores() const;

  // Forgets all positions. Also due before the first Run() after the source's deltas have changed.
  void Reset();
  // Tokens since Reset(), modulo 2^32.
  uint32_t position() const { return position_; }

 private:
  void Prepare(const Network& network, const TensorShapes& shapes);
  void PrepareOperator(const NetworkOperator& op);
  TensorShape shape(size_t tensor) const { return shapes_.shape(shapes_.context, tensor); }
  size_t Elements(size_t tensor) const;
  size_t FirstRowBytes() const;
  size_t ActivationBytes() const;
  size_t CacheBytes() const;
  size_t CountParameters() const;
  bool UsedBefore(size_t op, uint16_t tensor) const;
  CoreStatus PlaceParameters(uint8_t* memory, size_t size, size_t* used);
  size_t BatchSize(size_t tokens) const;
  CoreStatus RunBatch(const uint16_t* tokens, size_t count, const WeightSource& source);
  CoreStatus RunOperators(const uint16_t* tokens, size_t first, size_t count, const WeightSource& source);
  CoreStatus RunOperator(const NetworkOperator& op, const uint16_t* tokens, const WeightSource& source);
  CoreStatus Embed(const NetworkOperator& op, uint16_t token, const WeightSource& source, const Vector& out);
  CoreStatus Matmul(const NetworkOperator& op, const WeightSource& source);
  void Rope(const NetworkOperator& op, size_t token);
  void RunAttention(const NetworkOperator& op, size_t token);
  void Quantize(size_t buffer, size_t cols);
  DeltaCursor DeltasOfRow(const NetworkOperator& op, size_t row_begin, const WeightSource& source);

  // network_.op(i) by words: the section is at a multiple of 4, and every access to flash waits.
  NetworkOperator OperatorAt(size_t i) const;
  Vector buffer(size_t b, size_t token) const;
  size_t positions() const { return size_t{network_.window} + network_.sinks; }

  Network network_;
  TensorShapes shapes_;
  BufferLayout layout_;
  ParameterTensor* parameters_ = nullptr;  // For each tensor.
  ParameterReader reader_;
  size_t reading_ = SIZE_MAX;  // The tensor that reader_ reads.
  size_t missing_ = 0;         // Parameters that have not been read.
  EngineMemory memory_;

  uint8_t* cache_ = nullptr;  // For each position an entry of every kAttention.
  size_t cache_stride_ = 0;
  uint8_t* row_ = nullptr;  // The first token's; each row begins with its buffers' exponents.
  size_t row_bytes_ = 0;
  uint8_t* more_rows_ = nullptr;  // Those of a batch's further tokens.
  uint8_t* scratch_ = nullptr;    // Quantised activations of one token; or what attention needs.
  size_t scratch_size_ = 0;
  size_t max_cols_ = 0;
  size_t tail_ = 0;  // FirstOperatorOfLastToken().
  RopePairs pairs_ = RopePairs::kInterleaved;
  bool has_rope_ = false;

  uint32_t position_ = 0;
  uint32_t next_slot_ = 0;  // Of the next position in the cache.
  uint32_t used_ = 0;       // Positions in the cache.
  bool has_scores_ = false;
  size_t score_token_ = 0;  // Whose row they are in.

  // Of the batch in progress.
  size_t first_ = 0;  // Tokens [first_, count_) take part.
  size_t count_ = 0;
  size_t cache_offset_ = 0;  // Of the next kAttention in an entry.
  QuantizedTokens quantized_;
  size_t quantized_buffer_ = SIZE_MAX;  // What quantized_ is of; SIZE_MAX: nothing any more.

  // Where the deltas of every 1/8 of an embedding's rows begin, so that a row's are found at once.
  static constexpr size_t kRowMarks = 8;
  DeltaCursor row_marks_[kRowMarks];
  size_t marked_tensor_ = SIZE_MAX;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_ENGINE_H_
