// Boots what is selected, then serves the console; or does what the straps say. Exit codes: 0 done; 1 nothing could be
// proven, or the straps ask for what there is not; 2 a trap (virt_board.cc).
#include "firmware_riscv/app/answer.h"
#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/console.h"
#include "firmware_riscv/app/firmware.h"
#include "firmware_riscv/app/measure.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/straps.h"
#include "firmware_riscv/app/update.h"

using modelvault::StrapCommand;

// By the name that start.S calls: a freestanding compiler may give it another.
extern "C" int main();

int main() {
  modelvault::Straps straps;
  if (!modelvault::ReadStraps(modelvault::StrapBlock(), &straps)) {
    modelvault::Print("straps: bad-argument\n");
    return 1;
  }
  if (straps.command == StrapCommand::kMeasure) return modelvault::Measure(straps);
  if (straps.command == StrapCommand::kAnswer) return modelvault::Answer(straps);

  modelvault::DeviceTrust trust(modelvault::BoardTrust(), modelvault::BoardState(), modelvault::BoardCounter());
  modelvault::Firmware firmware(modelvault::FreeRam(), modelvault::BoardFlash(), &trust, straps.tile_size);
  // Before anything else: until it is done there is no vault.
  if (modelvault::IsInPlace(*trust.state())) {
    const bool done = modelvault::FinishUpdate(&trust, straps.over_line);
    if (straps.command == StrapCommand::kUpdate) return done ? 0 : 1;
  }
  mv_error error = firmware.Open();
  if (straps.command == StrapCommand::kUpdate)
    return modelvault::Update(&firmware, &trust, straps.one_slot, straps.over_line);
  if (straps.command != StrapCommand::kConsole) error = firmware.Boot();
  if (straps.command == StrapCommand::kBootAndExit) return error == MV_OK ? 0 : 1;
  modelvault::RunConsole(&firmware);
  return 0;
}
