#include "firmware_riscv/app/generator.h"

#include "firmware_riscv/app/board.h"

namespace modelvault {

Generator::Generator(mv_engine* engine) : engine_(engine) {
  mv_engine_info info;
  mv_engine_describe(engine, &info);
  begin_token_ = info.begin_token;
  end_token_ = info.end_token;
}

mv_error Generator::Run(const uint16_t* tokens, size_t count, uint16_t* token) {
  mv_error error = mv_engine_run(engine_, tokens, count);
  if (error == MV_OK) error = mv_engine_pick(engine_, token);
  if (error == MV_OK) last_ = *token;
  BeginPhase(Phase::kConsole);
  return error;
}

mv_error Generator::Begin(ByteView text, uint16_t* token) {
  BeginPhase(Phase::kPrefill);
  mv_engine_reset(engine_);
  const mv_error encoded = mv_engine_encode(engine_, reinterpret_cast<const char*>(text.data), text.size, &prompt_,
                                            &prompt_count_, &bad_offset_);
  if (encoded == MV_OK) return Run(prompt_, prompt_count_, token);
  BeginPhase(Phase::kConsole);
  return encoded;
}

mv_error Generator::Next(uint16_t* token) {
  const uint16_t last = last_;
  BeginPhase(Phase::kToken);
  return Run(&last, 1, token);
}

}  // namespace modelvault
