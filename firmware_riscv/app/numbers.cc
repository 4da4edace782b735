#include "firmware_riscv/app/numbers.h"

#include "firmware_riscv/app/print.h"

namespace modelvault {
namespace {

constexpr uint32_t kOne = 1 << 16;
constexpr size_t kMostWholeDigits = 5;
constexpr size_t kMostDecimals = 9;

bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }

// The digits at the front of *text, at most `most` of them, which are taken off it.
bool TakeDigits(ByteView* text, size_t most, uint32_t* value, uint32_t* power) {
  size_t count = 0;
  *value = 0;
  *power = 1;
  for (; count < text->size && IsDigit(text->data[count]); ++count) {
    if (count == most) return false;
    *value = *value * 10 + (text->data[count] - '0');
    *power *= 10;
  }
  *text = text->Sub(count, text->size - count);
  return count > 0;
}

}  // namespace

bool ParseNumber(ByteView text, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < text.size; ++i) {
    if (!IsDigit(text.data[i])) return false;
    const uint64_t digit = text.data[i] - uint64_t{'0'};
    if (*value > (UINT64_MAX - digit) / 10) return false;
    *value = *value * 10 + digit;
  }
  return text.size > 0;
}

bool ParseDecimal(ByteView text, int32_t* value) {
  const bool negative = text.size > 0 && text.data[0] == '-';
  if (negative || (text.size > 0 && text.data[0] == '+')) text = text.Sub(1, text.size - 1);
  uint32_t whole, part = 0, power = 1;
  if (!TakeDigits(&text, kMostWholeDigits, &whole, &power)) return false;
  power = 1;
  if (text.size > 0) {
    if (text.data[0] != '.') return false;
    text = text.Sub(1, text.size - 1);
    if (!TakeDigits(&text, kMostDecimals, &part, &power) || text.size > 0) return false;
  }
  const uint64_t magnitude = uint64_t{whole} * kOne + (uint64_t{part} * kOne + power / 2) / power;
  if (magnitude > INT32_MAX) return false;
  *value = negative ? -static_cast<int32_t>(magnitude) : static_cast<int32_t>(magnitude);
  return true;
}

void PrintDecimal(int32_t value, int exponent) {
  constexpr uint32_t kDecimals = 10000;
  if (value < 0) Print("-");
  const uint64_t magnitude =
      value < 0 ? uint64_t{0} - static_cast<uint64_t>(int64_t{value}) : static_cast<uint64_t>(value);
  const int shift = exponent + 16;
  if (magnitude != 0 && shift >= 16 && (shift > 47 || magnitude >> (47 - shift) != 0)) {
    Print("large");
    return;
  }
  uint64_t fixed = 0;  // Times 2^16.
  if (magnitude != 0 && shift > -32) fixed = shift >= 0 ? magnitude << shift : magnitude >> -shift;
  const uint64_t rounded = ((fixed & (kOne - 1)) * kDecimals + kOne / 2) / kOne + (fixed >> 16) * kDecimals;
  PrintNumber(rounded / kDecimals);
  Print(".");
  const uint32_t decimals = static_cast<uint32_t>(rounded % kDecimals);
  for (uint32_t unit = kDecimals / 10; unit > 0; unit /= 10) PrintNumber(decimals / unit % 10);
}

}  // namespace modelvault
