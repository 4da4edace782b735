#include "firmware_riscv/board.h"
#include "firmware_riscv/measure.h"
#include "firmware_riscv/print.h"
#include "firmware_riscv/straps.h"

int main() {
  modelvault::Straps straps;
  if (!modelvault::ReadStraps(modelvault::StrapBlock(), &straps)) {
    modelvault::Print("straps: unknown command\n");
    return 1;
  }
  switch (straps.command) {
    case modelvault::StrapCommand::kMeasure:
      return modelvault::Measure(straps);
    case modelvault::StrapCommand::kBoot:
    case modelvault::StrapCommand::kConsole:
    case modelvault::StrapCommand::kBootAndExit:
      break;
  }
  modelvault::Print("no boot yet\n");
  return 1;
}
