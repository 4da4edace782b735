// The tokens of an answer, one after the other, in phases for whoever measures.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_

#include "firmware_riscv/engine/modelvault_engine.h"

namespace modelvault {

class Generator {
 public:
  Generator() = default;
  // The engine, of a network of tokens, must outlive this.
  explicit Generator(mv_engine* engine);

  // Forgets all text, runs the prompt, and sets *token to the one that follows.
  mv_error Begin(const uint16_t* prompt, size_t count, uint16_t* token);
  // Sets *token to the one after the last.
  mv_error Next(uint16_t* token);

  // Whether the last token begins or ends a text.
  bool at_end() const { return last_ != MV_NO_TOKEN && (last_ == begin_token_ || last_ == end_token_); }

 private:
  mv_error Run(const uint16_t* tokens, size_t count, uint16_t* token);

  mv_engine* engine_ = nullptr;
  uint16_t begin_token_ = MV_NO_TOKEN;
  uint16_t end_token_ = MV_NO_TOKEN;
  uint16_t last_ = MV_NO_TOKEN;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_
