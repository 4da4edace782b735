// Strap command 2: restores one variant twice, proven at the end, and once more, proven tile by tile; then reads the
// weights as an engine would (measure_weights.h). Prints one line for automation:
//
//   measure status=S bytes=N xxh64=HEX expected=HEX tile=N static_ram=N proven_ram=N list=N weight_ram=N ram_code=N
//           stack=N name=NAME
//
// status is ok or the error's name, name is "base" for the base, static_ram the variables and the loader's memory in
// the first two passes, proven_ram in the third, list and weight_ram an engine's weights (0: no list), ram_code the
// code and constants copied to RAM, stack the deepest it has been; all sizes in bytes.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_H_

#include "firmware_riscv/app/straps.h"

namespace modelvault {

// The exit code: 0 if all passes were proven, else 1.
int Measure(const Straps& straps);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_H_
