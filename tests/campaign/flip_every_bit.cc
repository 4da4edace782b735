// Signs a copy of a vault, turns every bit of it, one at a time, and wants every one of these vaults refused
// (tests/campaign/bit_flips.h). What is read when a vault is opened is tried a second time with its checksums made
// right.
//
//   flip_every_bit VAULT [EVERY [BEGIN END]]
//
// EVERY: only each EVERY-th bit. BEGIN, END: only bits of these bytes of the signed copy. Tells on standard error how
// far it is, on standard output what was found.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/campaign/bit_flips.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

struct Counts {
  uint64_t turned = 0;
  uint64_t accepted = 0;
  uint64_t not_signed = 0;  // Refused by a signature or a signed digest.
  uint64_t damaged = 0;     // Refused before that, by a checksum or for what it would mean.
};

void Count(const absl::Status& status, size_t bit, Counts* counts) {
  ++counts->turned;
  if (status.ok()) {
    ++counts->accepted;
    std::printf("accepted: bit %zu of byte %zu\n", bit % 8, bit / 8);
  } else if (absl::IsPermissionDenied(status)) {
    ++counts->not_signed;
  } else {
    ++counts->damaged;
  }
}

void Print(const char* what, const Counts& counts) {
  std::printf("%s: %llu vaults, %llu accepted; %llu refused as not signed, %llu as damaged\n", what,
              static_cast<unsigned long long>(counts.turned), static_cast<unsigned long long>(counts.accepted),
              static_cast<unsigned long long>(counts.not_signed), static_cast<unsigned long long>(counts.damaged));
}

// Bits [begin, end), each `every`-th.
bool Run(BitFlips* flips, size_t every, size_t begin_bit, size_t end_bit) {
  Counts plain, repaired;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t bit = begin_bit; bit < end_bit; bit += every) {
    Count(flips->VerifyWhatSees(bit, false), bit, &plain);
    if (!flips->IsInTile(bit) && !flips->IsRepairedAway(bit)) Count(flips->VerifyWhatSees(bit, true), bit, &repaired);
    if (plain.turned % 65536 == 0) {
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
      std::fprintf(stderr, "\r%.1f %%, %.0f s",
                   100.0 * static_cast<double>(bit - begin_bit) / static_cast<double>(end_bit - begin_bit),
                   passed.count());
    }
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "\r100 %%, %.0f s\n", passed.count());
  Print("one bit turned", plain);
  Print("one bit turned, checksums made right", repaired);
  return plain.accepted + repaired.accepted == 0;
}

int Main(int argc, char** argv) {
  const auto number = [&](int i, size_t otherwise) {
    return i < argc ? static_cast<size_t>(std::strtoull(argv[i], nullptr, 10)) : otherwise;
  };
  const size_t every = number(2, 1);
  if ((argc != 2 && argc != 3 && argc != 5) || every == 0) {
    std::fprintf(stderr, "usage: %s VAULT [EVERY [BEGIN END]]\n", argv[0]);
    return 64;
  }
  const TempFolder folder;
  FileSystem& files = FileSystem::Default();
  const KeySet set = TestKeySet({TestKey(1)}, 1);
  const SigningPlan plan = TestPlan(set);  // With the smallest tiles, which are the quickest to prove.
  VaultWriterOptions options;
  options.sign_root = SignerOf({TestKey(1)});
  absl::Status status = files.Copy(argv[1], folder.File("v"));
  if (status.ok()) status = PrepareSignature(files, folder.File("v"), plan, options);
  const absl::StatusOr<std::unique_ptr<BitFlips>> flips =
      status.ok() ? BitFlips::Create(folder.Read("v"), TrustIn(set)) : status;
  if (!flips.ok()) {
    std::fprintf(stderr, "%s\n", flips.status().ToString().c_str());
    return 1;
  }
  const size_t size = (*flips)->bit_count() / 8;
  const size_t begin = std::min(number(3, 0), size), end = std::min(number(4, size), size);
  std::printf("%s, signed: %zu bytes, bytes %zu to %zu\n", argv[1], size, begin, end);
  return Run(flips->get(), every, 8 * begin, 8 * end) ? 0 : 1;
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::Main(argc, argv); }
