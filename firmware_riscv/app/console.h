// Commands a line each from the UART.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_CONSOLE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_CONSOLE_H_

#include "firmware_riscv/app/firmware.h"

namespace modelvault {

// Reads and obeys commands until `exit`. "help" lists them.
void RunConsole(Firmware* firmware);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_CONSOLE_H_
