#include "firmware_riscv/update/patch_check.h"

namespace modelvault {
namespace {

uint32_t Lesser(uint32_t a, uint32_t b) { return a < b ? a : b; }

template <typename Hash>
mv_error AddRegion(const mv_region* region, uint32_t size, ByteSpan buffer, Hash* hash) {
  const uint32_t room = Lesser(static_cast<uint32_t>(buffer.size), kMaxPatchBlock);
  for (uint32_t at = 0; at < size;) {
    const uint32_t step = Lesser(size - at, room);
    const mv_error error = mv_region_read(region, at, buffer.data, step);
    if (error != MV_OK) return error;
    hash->Update({buffer.data, step});
    at += step;
  }
  return MV_OK;
}

mv_error Digest(const mv_region* region, uint32_t size, ByteSpan buffer, uint64_t* digest) {
  Xxh64 hash;
  const mv_error error = AddRegion(region, size, buffer, &hash);
  *digest = hash.Digest();
  return error;
}

}  // namespace

mv_error HashRegion(const mv_region* region, uint32_t size, ByteSpan buffer, VaultHash* hash) {
  return AddRegion(region, size, buffer, hash);
}

mv_error CheckHeader(const PatchHeader& header, const PatchPlace& place, const SlotHost& host, ByteSpan buffer,
                     bool* done) {
  *done = false;
  if (buffer.size < header.block_size) return MV_WORKSPACE_TOO_SMALL;
  const bool fits = header.old_size <= place.running->size && header.new_size <= place.target->size &&
                    place.target->sector_size % header.block_size == 0;
  if (!fits) return MV_BAD_PATCH;
  if (header.version < place.least_version) return MV_ROLLED_BACK;
  if (host.vault_id != nullptr && memcmp(host.vault_id, header.vault_id, sizeof(header.vault_id)) != 0) {
    return MV_OTHER_VAULT;
  }
  uint64_t digest = 0;
  mv_error error = Digest(place.running, header.old_size, buffer, &digest);
  if (error != MV_OK || digest == header.old_digest) return error;
  if (header.new_size > place.running->size) return MV_OTHER_VAULT;
  error = Digest(place.running, header.new_size, buffer, &digest);
  if (error != MV_OK) return error;
  *done = digest == header.new_digest;
  return *done ? MV_OK : MV_OTHER_VAULT;
}

mv_error CheckBlocks(PatchReader* reader, const mv_region* running, const SlotHost& host, ByteSpan buffer) {
  VaultHash hash(host.crypto);
  mv_error error = MV_OK;
  for (uint32_t size = reader->next_size(); error == MV_OK && size > 0; size = reader->next_size()) {
    error = reader->Next(running, buffer.data);
    hash.Update({buffer.data, size});
  }
  if (error == MV_OK) error = hash.Compare(reader->header());
  if (error == MV_OK) error = reader->Open();
  if (error != MV_OK || host.prove == nullptr) return error;
  error = host.prove(host.context, reader, running, buffer);
  return error == MV_OK ? reader->Open() : error;
}

mv_error ReadsAs(const mv_region* region, uint32_t offset, ByteView bytes, bool* same) {
  uint8_t unit[MV_SELECTION_UNIT];
  *same = true;
  for (uint32_t at = 0; at < bytes.size && *same; at += sizeof(unit)) {
    const uint32_t size = Lesser(static_cast<uint32_t>(bytes.size) - at, sizeof(unit));
    const mv_error error = mv_region_read(region, offset + at, unit, size);
    if (error != MV_OK) return error;
    *same = memcmp(unit, bytes.data + at, size) == 0;
  }
  return MV_OK;
}

mv_error ProgramBlock(const mv_region* region, uint32_t offset, ByteView bytes, uint32_t* units) {
  mv_error error = MV_OK;
  for (uint32_t at = 0; error == MV_OK && at < bytes.size; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    memset(unit, 0xFF, sizeof(unit));
    memcpy(unit, bytes.data + at, Lesser(static_cast<uint32_t>(bytes.size) - at, sizeof(unit)));
    uint8_t ones = 0xFF;
    for (const uint8_t byte : unit) ones &= byte;
    if (ones == 0xFF) continue;
    error = mv_region_program(region, offset + at, unit);
    ++*units;
  }
  return error;
}

}  // namespace modelvault
