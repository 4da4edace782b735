#include "firmware_riscv/app/print.h"

#include "firmware_riscv/app/board.h"

namespace modelvault {

void Print(const char* text) {
  for (; *text != '\0'; ++text) PrintCharacter(*text);
}

void Print(const char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) PrintCharacter(text[i]);
}

void PrintNumber(uint64_t value) {
  char digits[21];
  char* p = digits + sizeof(digits) - 1;
  *p = '\0';
  do {
    *--p = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  Print(p);
}

void PrintHex(uint64_t value) {
  char digits[17];
  digits[16] = '\0';
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  Print(digits);
}

}  // namespace modelvault
