/* A C99 program may use the library beside the board's loader and engine: no name of theirs is one of ours. */
#include <modelvault/modelvault.h>

#include "firmware_riscv/engine/modelvault_engine.h"
#include "firmware_riscv/loader/modelvault_loader.h"

int main(void) { return mv_code_name(MV_CODE_OK) != NULL && MV_OK == 0 && mv_library_version() != NULL ? 0 : 1; }
