// Which token follows. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_SAMPLER_H_
#define MODELVAULT_RESTORE_INFER_SAMPLER_H_

#include "restore/infer/engine.h"

namespace modelvault {

// The id with the highest score, the lowest of those; `scores` has at least one.
uint16_t BestToken(const NetworkScores& scores);

inline constexpr size_t kMaxTopK = 64;

// Draws from the `top_k` best ids (of equal scores the lower ids; 1 … kMaxTopK) with probabilities proportional to
// e^(score / temperature). The same seed and scores give the same tokens everywhere. Thread-compatible.
class Sampler {
 public:
  // `temperature` is times 2^16. 0, or a top_k of 0 or 1: always BestToken().
  Sampler(uint64_t seed, uint32_t temperature, size_t top_k);

  uint16_t Pick(const NetworkScores& scores);

 private:
  uint32_t Random();

  uint64_t state_;
  uint32_t temperature_;
  size_t top_k_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_SAMPLER_H_
