#include "tests/restore/infer/engine_fixture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "gtest/gtest.h"

namespace modelvault {

WeightSource TestSource::source() { return {this, &Start, &Next, deltas}; }

CoreStatus TestSource::Start(void* context, size_t tensor, size_t begin, size_t end) {
  TestSource* const self = static_cast<TestSource*>(context);
  self->tensor_ = tensor;
  self->at_ = begin;
  self->end_ = end;
  self->failed_ = false;
  return CoreStatus::kOk;
}

CoreStatus TestSource::Next(void* context, ByteView* piece) {
  TestSource* const self = static_cast<TestSource*>(context);
  const bool fails = self->calls++ == self->fail_at;
  if (fails && self->ends_early) self->at_ = self->end_;
  self->failed_ = self->failed_ || (fails && !self->ends_early);
  if (self->failed_) return self->failure;
  size_t size = self->end_ - self->at_;
  if (!self->piece_sizes.empty()) {
    size = std::min(size, self->piece_sizes[self->next_size_++ % self->piece_sizes.size()]);
  }
  const std::vector<uint8_t>& bytes = self->model_->tensors[self->tensor_].bytes;
  std::fill(self->piece_.begin(), self->piece_.end(), uint8_t{0x55});
  self->piece_.resize(std::max(self->piece_.size(), size + 1));
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(self->at_), size, self->piece_.begin() + 1);
  *piece = {self->piece_.data() + 1, size};
  self->at_ += size;
  return CoreStatus::kOk;
}

TestDeltas::TestDeltas(const TestModel& base, const TestModel& variant, int step) {
  for (size_t t = 0; t < base.tensors.size(); ++t) {
    const std::vector<uint8_t>& from = base.tensors[t].bytes;
    const std::vector<uint8_t>& to = variant.tensors[t].bytes;
    if (base.tensors[t].shape.dtype != DType::kI8 || from == to) {
      starts_.push_back(DeltaList::kNone);
      continue;
    }
    starts_.push_back(static_cast<uint32_t>(bytes_.size()));
    bytes_.push_back(static_cast<uint8_t>(step));
    size_t place = 0;
    for (size_t i = 0; i < from.size(); ++i) {
      const int difference = static_cast<int8_t>(to[i]) - static_cast<int8_t>(from[i]);
      if (difference == 0) continue;
      ++differences_;
      if (std::abs(difference) != step) {
        // Gaps of more than 16 bits by skips.
        for (; i - place > 65535; place += kDeltaFarGap) bytes_.push_back(kDeltaSkip);
        const size_t gap = i - place;
        for (const size_t byte : {size_t{kDeltaExplicit}, gap & 255, gap >> 8, static_cast<size_t>(difference) & 255,
                                  static_cast<size_t>(difference) >> 8 & 255}) {
          bytes_.push_back(static_cast<uint8_t>(byte));
        }
      } else {
        for (; i - place >= kDeltaFarGap; place += kDeltaFarGap) bytes_.push_back(kDeltaSkip);
        bytes_.push_back(static_cast<uint8_t>(2 * (i - place) + (difference < 0 ? 1 : 0)));
      }
      place = i + 1;
    }
    bytes_.push_back(kDeltaEnd);
  }
  list_ = DeltaList(bytes_.data(), starts_.data(), starts_.size());
}

std::vector<double> Scores::doubles() const {
  std::vector<double> result;
  for (const int32_t value : values) result.push_back(std::ldexp(value, exponent));
  return result;
}

TestEngine::TestEngine(const NetworkParts& network, const TestModel& model) : network_(network, model.shapes()) {
  const TensorShapes shapes = model.shapes();
  memory_ = Engine::Measure(network_.network(), shapes);
  words_ = std::make_unique<uint64_t[]>(memory_.total() / 8 + 1);
  EXPECT_EQ(engine_.Init(network_.network(), shapes, words_.get(), memory_.total()), CoreStatus::kOk);
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const std::vector<uint8_t>& bytes = model.tensors[i].bytes;
    EXPECT_EQ(engine_.ConsumeRestored(i, 0, {bytes.data(), bytes.size()}), CoreStatus::kOk);
  }
  EXPECT_TRUE(engine_.ready());
}

Scores TestEngine::scores() const {
  const NetworkScores scores = engine_.scores();
  return {std::vector<int32_t>(scores.values, scores.values + scores.count), scores.exponent};
}

}  // namespace modelvault
