// The same in C++.
#include <modelvault/modelvault.h>

#include "firmware_riscv/engine/modelvault_engine.h"
#include "firmware_riscv/loader/modelvault_loader.h"

int main() { return mv_code_name(MV_CODE_OK) != nullptr && MV_OK == 0 ? 0 : 1; }
