// Feeds patches to a board's update. The first byte says how: bit 0, after the header's checksums were made right, and
// those of the blocks as far as they can be; bit 1, over a line that cannot be read again; bit 2, by a board that
// hashes with BLAKE2s, too. The rest is the patch. The
// old vault is fixed. Whatever the patch says, the slot that runs stays as it is, and another becomes active only if
// its bytes have the digest that the patch tells.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "codec/core/xxh64.h"
#include "codec/split_mix_64.h"
#include "firmware_riscv/update/slot_update.h"
#include "tests/fuzz/flash_memory.h"
#include "tests/fuzz/update_seeds.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

constexpr uint32_t kSector = 512;
constexpr uint32_t kSlotSize = 8 * kSector;

const std::string& OldVault() {
  static const std::string vault = SeedOldVault();
  return vault;
}

struct Input {
  std::vector<uint8_t> patch;
  uint32_t read_to = 0;
  bool rereadable = false;

  PatchSource Source() {
    return {[](void* self, uint32_t offset, uint8_t* out, uint32_t size) {
              Input* const input = static_cast<Input*>(self);
              if (!input->rereadable) Require(offset >= input->read_to);
              if (offset > input->patch.size() || size > input->patch.size() - offset) return MV_READ_FAILED;
              std::memcpy(out, input->patch.data() + offset, size);
              input->read_to = offset + size;
              return MV_OK;
            },
            this, rereadable ? static_cast<uint32_t>(patch.size()) : UINT32_MAX, rereadable};
  }
};

void RepairHeader(std::vector<uint8_t>* patch) {
  StoreLe64(patch->data() + kPatchChecksumOffset, Xxh64::Of({patch->data(), kPatchChecksumOffset}));
}

// Header and blocks' checksums of what the patch makes, so far as it makes something.
void Repair(std::vector<uint8_t>* patch, mv_region* old) {
  if (patch->size() < kPatchHeaderSize) return;
  uint8_t* const head = patch->data();
  std::memcpy(head, kPatchMagic, sizeof(kPatchMagic));
  const std::string& old_vault = OldVault();
  StoreLe32(head + 12, static_cast<uint32_t>(old_vault.size()));
  StoreLe32(head + 20, static_cast<uint32_t>(patch->size() - kPatchHeaderSize));
  StoreLe64(head + kPatchOldDigestOffset,
            Xxh64::Of({reinterpret_cast<const uint8_t*>(old_vault.data()), old_vault.size()}));
  RepairHeader(patch);
  Input input = {*patch, 0, true};
  const PatchSource source = input.Source();
  PatchReader reader(source);
  if (reader.Open() != MV_OK || reader.header().new_size > kSlotSize) return;
  std::string made;
  std::vector<uint8_t> block(reader.header().block_size);
  Xxh64 hash;
  HashState blake;
  HostCrypto().hash_begin(&blake, nullptr);
  uint32_t begin = kPatchHeaderSize;
  while (const uint32_t size = reader.next_size()) {
    const mv_error error = reader.Next(old, block.data());
    if (error != MV_OK && error != MV_CHECKSUM_MISMATCH) return;
    StoreLe32(patch->data() + begin, static_cast<uint32_t>(Xxh64::Of({block.data(), size})));
    hash.Update({block.data(), size});
    HostCrypto().hash_add(&blake, block.data(), size);
    begin = input.read_to;
  }
  StoreLe64(patch->data() + kPatchNewDigestOffset, hash.Digest());
  HostCrypto().hash_end(&blake, patch->data() + kPatchVaultDigestOffset);
  RepairHeader(patch);
}

void Fuzz(const uint8_t* data, size_t size) {
  const std::string& old_vault = OldVault();
  FlashMemory state_bytes = {kSector, std::vector<uint8_t>(kStateSectors * kSector, 0xFF)};
  FlashMemory slots[kSlots] = {{kSector, std::vector<uint8_t>(kSlotSize, 0xFF)},
                               {kSector, std::vector<uint8_t>(kSlotSize, 0xFF)}};
  std::copy(old_vault.begin(), old_vault.end(), slots[0].bytes.begin());
  const std::vector<uint8_t> before = slots[0].bytes;
  const mv_region sectors = state_bytes.Region();
  mv_region regions[kSlots] = {slots[0].Region(), slots[1].Region()};

  Input input = {std::vector<uint8_t>(data + 1, data + size), 0, (data[0] & 2) == 0};
  if ((data[0] & 1) != 0) Repair(&input.patch, &regions[0]);
  const SlotHost host = {[](void*, unsigned, uint64_t* version) {
                           *version = 1;
                           return MV_OK;
                         },
                         nullptr, nullptr, (data[0] & 4) != 0 ? &HostCrypto() : nullptr};
  DeviceState state(&sectors, nullptr);
  Require(ChooseSlot(&state, host).slot == 0);
  uint8_t buffer[kSector];
  const mv_error error =
      UpdateSlot(&state, {{&regions[0], &regions[1]}}, host, input.Source(), {buffer, kSector}, nullptr);
  Require(slots[0].bytes == before);
  const DeviceRecord record = DeviceState(&sectors, nullptr).record();
  Require((record.active == 1) == (error == MV_OK && record.sequence != 0));
  if (record.active == 0) return;
  const uint32_t made = LoadLe32(input.patch.data() + 16);
  Require(made <= kSlotSize &&
          Xxh64::Of({slots[1].bytes.data(), made}) == LoadLe64(input.patch.data() + kPatchNewDigestOffset));
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) modelvault::Fuzz(data, size);
  return 0;
}
