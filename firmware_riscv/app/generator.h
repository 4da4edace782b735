// The tokens of an answer, one after the other, in phases for whoever measures.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/engine/modelvault_engine.h"

namespace modelvault {

class Generator {
 public:
  Generator() = default;
  // The engine, of a network of tokens, must outlive this.
  explicit Generator(mv_engine* engine);

  // Forgets all text, encodes and runs the prompt, and sets *token to the one that follows.
  mv_error Begin(ByteView text, uint16_t* token);
  // Of Begin(): the prompt's tokens, as long-lived as mv_engine_encode() says; none, and where the text is at fault, as
  // it says, if it could not be encoded.
  const uint16_t* prompt() const { return prompt_; }
  size_t prompt_count() const { return prompt_count_; }
  size_t bad_offset() const { return bad_offset_; }
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
  const uint16_t* prompt_ = nullptr;
  size_t prompt_count_ = 0;
  size_t bad_offset_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_GENERATOR_H_
