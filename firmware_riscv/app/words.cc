#include "firmware_riscv/app/words.h"

namespace modelvault {
namespace {

ByteView WithoutSpaces(ByteView text) {
  size_t begin = 0;
  while (begin < text.size && text.data[begin] == ' ') ++begin;
  return text.Sub(begin, text.size - begin);
}

}  // namespace

ByteView TakeWord(ByteView* text) {
  const ByteView from = WithoutSpaces(*text);
  size_t size = 0;
  while (size < from.size && from.data[size] != ' ') ++size;
  *text = WithoutSpaces(from.Sub(size, from.size - size));
  return from.Sub(0, size);
}

bool Is(ByteView text, const char* word) {
  size_t i = 0;
  while (i < text.size && word[i] != '\0' && text.data[i] == static_cast<uint8_t>(word[i])) ++i;
  return i == text.size && word[i] == '\0';
}

}  // namespace modelvault
