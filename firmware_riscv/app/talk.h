// The console's commands that have the running model compute: ask, generate, set, reset, classify.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_TALK_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_TALK_H_

#include "firmware_riscv/app/firmware.h"
#include "firmware_riscv/app/generator.h"

namespace modelvault {

class Talk {
 public:
  explicit Talk(Firmware* firmware) : firmware_(firmware) {}

  // Each prints its answer, or one line that begins with "error: ".
  void Ask(ByteView text);
  void Generate(ByteView count);
  void Set(ByteView what);
  void Reset();
  void Classify(ByteView numbers);

 private:
  static constexpr uint32_t kMostTokens = 10000;

  mv_engine* Engine(mv_task task);
  void PrintTokens(mv_engine* engine, mv_error error, uint16_t token, uint32_t count);
  bool SetValue(ByteView name, ByteView value);

  Firmware* firmware_;
  uint32_t tokens_ = 64;
  uint64_t seed_ = 1;
  int32_t temperature_ = 0;  // Times 2^16.
  uint32_t top_k_ = 40;
  // Of the text in progress: Firmware::loads() of its engine; 0: there is none.
  uint32_t text_of_ = 0;
  Generator generator_;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_TALK_H_
