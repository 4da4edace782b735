// An engine with a model in memory, for tests: pieces of any size, sources that fail.
#ifndef MODELVAULT_TESTS_RESTORE_INFER_ENGINE_FIXTURE_H_
#define MODELVAULT_TESTS_RESTORE_INFER_ENGINE_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "restore/infer/engine.h"
#include "tests/restore/infer/llama_network.h"

namespace modelvault {

// Hands out a model's tensors.
class TestSource {
 public:
  explicit TestSource(const TestModel* model) : model_(model) {}

  // Pieces of these sizes, over and over; whole by default.
  std::vector<size_t> piece_sizes;
  // The call of next() with this number fails with `failure`, and those after it until start(); -1: none.
  int fail_at = -1;
  CoreStatus failure = CoreStatus::kChecksumMismatch;
  // That call hands out nothing instead.
  bool ends_early = false;
  const DeltaList* deltas = nullptr;
  int calls = 0;  // Of next().

  WeightSource source();

 private:
  static CoreStatus Start(void* context, size_t tensor, size_t begin, size_t end);
  static CoreStatus Next(void* context, ByteView* piece);

  const TestModel* model_;
  std::vector<uint8_t> piece_;  // At an odd address; what was handed out before is overwritten.
  size_t tensor_ = 0, at_ = 0, end_ = 0, next_size_ = 0;
  bool failed_ = false;
};

// A DeltaList of differences between models, as a decoder makes it; `step` is every tensor's k.
class TestDeltas {
 public:
  TestDeltas(const TestModel& base, const TestModel& variant, int step);
  const DeltaList* list() const { return &list_; }
  size_t differences() const { return differences_; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  const std::vector<uint32_t>& starts() const { return starts_; }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> starts_;
  DeltaList list_;
  size_t differences_ = 0;
};

struct Scores {
  std::vector<int32_t> values;
  int exponent = 0;
  bool operator==(const Scores&) const = default;
  std::vector<double> doubles() const;
};

class TestEngine {
 public:
  // Measures, takes exactly that memory, and reads all parameters. `model` must outlive it.
  TestEngine(const NetworkParts& network, const TestModel& model);

  Engine* operator->() { return &engine_; }
  Scores scores() const;
  const EngineMemory& memory() const { return memory_; }

 private:
  TestNetwork network_;
  EngineMemory memory_;
  std::unique_ptr<uint64_t[]> words_;
  Engine engine_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_INFER_ENGINE_FIXTURE_H_
