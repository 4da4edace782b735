#include "firmware_riscv/crypto/board_crypto.h"

extern "C" {
// overlay_image.S: both the same where there is none. The image is aligned as its copy must be.
extern const uint8_t crypto_image[], crypto_image_end[];
}

namespace modelvault {
namespace {

// What overlay/entries.S begins with.
struct Head {
  uint32_t functions[6];
  uint32_t stack_top;
  uint32_t front_size;  // In a room the bottom of the stack.
};

constexpr size_t kAlignment = 16;
static_assert(sizeof(Crypto) == sizeof(Head::functions) && alignof(Crypto) <= kAlignment);
// The places of verify and agree in Crypto.
constexpr size_t kVerify = 3, kAgree = 4;
static_assert(offsetof(Crypto, verify) == kVerify * sizeof(uint32_t) &&
              offsetof(Crypto, agree) == kAgree * sizeof(uint32_t));

constexpr uint8_t kStackPaint = 0xA5;

size_t ImageSize() { return static_cast<size_t>(crypto_image_end - crypto_image); }

size_t CodeSize(CryptoSet set) {
  return set == CryptoSet::kStreaming ? reinterpret_cast<const Head*>(crypto_image)->front_size : ImageSize();
}

size_t StackSize(CryptoSet set) { return set == CryptoSet::kStreaming ? kStreamingStackSize : kCryptoStackSize; }

const uint8_t* StackBottom(const Head& head) { return reinterpret_cast<const uint8_t*>(head.front_size); }
const uint8_t* StackTop(const Head& head) { return reinterpret_cast<const uint8_t*>(head.stack_top); }

}  // namespace

size_t CryptoRoom(CryptoSet set) { return ImageSize() > 0 ? CodeSize(set) + StackSize(set) : 0; }

const Crypto* BeginCrypto(CryptoSet set, ByteSpan room) {
  const uint32_t place = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(room.data));
  if (ImageSize() == 0 || place % kAlignment != 0 || room.size < CryptoRoom(set)) return nullptr;
  memcpy(room.data, crypto_image, CodeSize(set));
  Head* const head = reinterpret_cast<Head*>(room.data);
  for (uint32_t& function : head->functions) function += place;
  if (set == CryptoSet::kStreaming) head->functions[kVerify] = head->functions[kAgree] = 0;
  head->stack_top = static_cast<uint32_t>(place + CryptoRoom(set));
  head->front_size = static_cast<uint32_t>(place + CodeSize(set));
  memset(room.data + CodeSize(set), kStackPaint, StackSize(set));
  asm volatile("fence.i" ::: "memory");
  return reinterpret_cast<const Crypto*>(room.data);
}

void EndCrypto(ByteSpan room) {
  const uint8_t* const end = StackTop(*reinterpret_cast<const Head*>(room.data));
  memset(room.data, 0, static_cast<size_t>(end - room.data));
  // To the compiler nobody reads that any more.
  asm volatile("" ::"r"(room.data) : "memory");
}

size_t CryptoStackUsed(ByteSpan room) {
  const Head& head = *reinterpret_cast<const Head*>(room.data);
  const uint8_t* const top = StackTop(head);
  const uint8_t* p = StackBottom(head);
  while (p < top && *p == kStackPaint) ++p;
  return static_cast<size_t>(top - p);
}

}  // namespace modelvault
