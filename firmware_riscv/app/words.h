// Words of a line, with spaces between them.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_WORDS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_WORDS_H_

#include "codec/core/bytes.h"

namespace modelvault {

// Takes the next word off the front of *text, and the spaces around it; empty after the last.
ByteView TakeWord(ByteView* text);

bool Is(ByteView text, const char* word);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_WORDS_H_
