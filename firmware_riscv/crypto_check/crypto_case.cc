#include "firmware_riscv/crypto_check/crypto_case.h"

namespace modelvault {
namespace {

void Hash(const Crypto& crypto, const uint8_t* key, ByteView message, size_t piece, uint8_t* digest) {
  HashState state;
  crypto.hash_begin(&state, key);
  for (size_t at = 0; at < message.size;) {
    const size_t left = message.size - at;
    const size_t size = piece == 0 || piece > left ? left : piece;
    crypto.hash_add(&state, message.data + at, size);
    at += size;
  }
  crypto.hash_end(&state, digest);
}

}  // namespace

CryptoResult RunCryptoCase(const Crypto& crypto, const uint8_t* bytes, uint8_t* ram, void (*begin)(CryptoCaseKind),
                           void (*end)()) {
  const CryptoCaseKind kind = static_cast<CryptoCaseKind>(LoadLe32(bytes + 4));
  const size_t a_size = LoadLe32(bytes + 8);
  const uint32_t how = LoadLe32(bytes + 16);
  const uint8_t* const fixed = bytes + 20;
  const uint8_t* const a = bytes + kCryptoCaseHeadSize;
  ByteView message = {a + (a_size + 3) / 4 * 4, LoadLe32(bytes + 12)};
  const bool in_ram = kind != CryptoCaseKind::kHash && how == 1;
  if (in_ram) {
    memcpy(ram, message.data, message.size);
    message.data = ram;
  } else {
    memset(ram, 0xC3, message.size);
  }
  CryptoResult result = {true, {}};
  begin(kind);
  switch (kind) {
    case CryptoCaseKind::kHash:
      Hash(crypto, a_size == 32 ? fixed : nullptr, message, how, result.output);
      break;
    case CryptoCaseKind::kVerify:
      result.accepted = crypto.verify(fixed, message.data, message.size, a);
      break;
    case CryptoCaseKind::kAgree:
      result.accepted = crypto.agree(result.output, fixed, fixed + 32);
      break;
    case CryptoCaseKind::kOpen:
      result.accepted = crypto.open(ram, message.data, message.size, fixed + 32, a, a_size, fixed);
      break;
  }
  end();
  if (kind == CryptoCaseKind::kOpen) Hash(crypto, nullptr, {ram, message.size}, 0, result.output);
  return result;
}

}  // namespace modelvault
