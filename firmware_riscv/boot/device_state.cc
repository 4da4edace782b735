#include "firmware_riscv/boot/device_state.h"

#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

bool IsErased(const uint8_t* unit) {
  uint8_t ones = 0xFF;
  for (uint32_t i = 0; i < MV_SELECTION_UNIT; ++i) ones &= unit[i];
  return ones == 0xFF;
}

void StoreBody(const DeviceRecord& record, uint8_t* body) {
  memset(body, 0xFF, kStateBodySize);
  StoreLe32(body, kStateMagic);
  StoreLe32(body + 4, record.sequence);
  StoreLe32(body + 8, record.base);
  StoreLe32(body + 12, MV_SELECTION_UNIT);
  body[16] = static_cast<uint8_t>(record.phase);
  body[17] = record.active;
  body[18] = record.other_whole ? 1 : 0;
  body[19] = 0;
  StoreLe32(body + 20, record.count);
  StoreLe64(body + 24, record.least_version);
  StoreLe64(body + 32, record.least_revocation);
  StoreLe64(body + 40, record.patch);
  memcpy(body + 48, record.key_set, sizeof(record.key_set));
  StoreLe64(body + kStateChecksumOffset, Xxh64::Of({body, kStateChecksumOffset}));
}

// False if it is no whole record.
bool LoadBody(const uint8_t* body, DeviceRecord* record) {
  if (LoadLe32(body) != kStateMagic || LoadLe32(body + 12) != MV_SELECTION_UNIT) return false;
  if (LoadLe64(body + kStateChecksumOffset) != Xxh64::Of({body, kStateChecksumOffset})) return false;
  if (body[16] > static_cast<uint8_t>(SlotPhase::kInPlace) || body[17] >= kSlots || body[18] > 1) return false;
  record->sequence = LoadLe32(body + 4);
  record->base = LoadLe32(body + 8);
  record->phase = static_cast<SlotPhase>(body[16]);
  record->active = body[17];
  record->other_whole = body[18] == 1;
  record->count = LoadLe32(body + 20);
  record->least_version = LoadLe64(body + 24);
  record->least_revocation = LoadLe64(body + 32);
  record->patch = LoadLe64(body + 40);
  memcpy(record->key_set, body + 48, sizeof(record->key_set));
  return record->sequence != 0;
}

uint64_t MarkChecksum(const uint8_t* mark, uint64_t record_checksum) {
  uint8_t bytes[16];
  memcpy(bytes, mark, 8);
  StoreLe64(bytes + 8, record_checksum);
  return Xxh64::Of({bytes, sizeof(bytes)});
}

static_assert(kStateMarkSize <= MV_SELECTION_UNIT);

}  // namespace

template <UpdateSteps kSteps>
BasicDeviceState<kSteps>::BasicDeviceState(const mv_region* region, const mv_counter* counter)
    : region_(region), counter_(counter) {
  for (unsigned sector = 0; sector < kStateSectors; ++sector) {
    DeviceRecord record;
    uint64_t checksum = 0;
    ReadSector(sector, &record, &checksum);
    sequences_[sector] = record.sequence;
    if (record.sequence <= record_.sequence) continue;
    record_ = record;
    place_ = {sector, checksum};
  }
  if (place_.sector != kNone) ReadMarks();
}

template <UpdateSteps kSteps>
void BasicDeviceState<kSteps>::ReadSector(unsigned sector, DeviceRecord* record, uint64_t* checksum) const {
  uint8_t body[kStateBodySize];
  const uint32_t begin = sector * region_->sector_size;
  if (mv_region_read(region_, begin, body, sizeof(body)) != MV_OK) return;
  DeviceRecord found;
  if (!LoadBody(body, &found)) return;
  *record = found;
  *checksum = LoadLe64(body + kStateChecksumOffset);
}

template <UpdateSteps kSteps>
void BasicDeviceState<kSteps>::ReadMarks() {
  const uint32_t size = region_->sector_size;
  for (uint32_t at = kStateBodySize; at + MV_SELECTION_UNIT <= size; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    const mv_error error = mv_region_read(region_, place_.sector * size + at, unit, sizeof(unit));
    if (error == MV_OK && IsErased(unit)) continue;
    place_.next_mark = at + MV_SELECTION_UNIT;
    if (error != MV_OK || LoadLe32(unit) != kStateMarkMagic) continue;
    if (LoadLe64(unit + 8) != MarkChecksum(unit, place_.checksum)) continue;
    const uint32_t count = LoadLe32(unit + 4);
    if (count > record_.count) record_.count = count;
    secure_ = true;
  }
}

template <UpdateSteps kSteps>
uint64_t BasicDeviceState<kSteps>::least_version() const {
  const uint64_t counted = counter_ == nullptr ? 0 : counter_->read(counter_->context);
  return counted > record_.least_version ? counted : record_.least_version;
}

template <UpdateSteps kSteps>
void BasicDeviceState<kSteps>::SetProven(unsigned slot, uint64_t version) {
  proven_ = slot;
  proven_version_ = version;
}

template <UpdateSteps kSteps>
bool BasicDeviceState<kSteps>::ReadsErased(unsigned sector) const {
  for (uint32_t at = 0; at < region_->sector_size; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    const mv_error error = mv_region_read(region_, sector * region_->sector_size + at, unit, sizeof(unit));
    if (error != MV_OK || !IsErased(unit)) return false;
  }
  return true;
}

// Into the next unit that is left.
template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::ProgramMark(Place* place, uint32_t count) {
  uint8_t unit[MV_SELECTION_UNIT];
  memset(unit, 0xFF, sizeof(unit));
  StoreLe32(unit, kStateMarkMagic);
  StoreLe32(unit + 4, count);
  StoreLe64(unit + 8, MarkChecksum(unit, place->checksum));
  const uint32_t at = place->next_mark;
  if (at + MV_SELECTION_UNIT > region_->sector_size) return MV_FLASH_FAILED;
  place->next_mark += MV_SELECTION_UNIT;
  return mv_region_program(region_, place->sector * region_->sector_size + at, unit);
}

// Writes the record that follows the newest, into a sector that holds neither that one nor `base`.
template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::WriteInto(DeviceRecord next, uint32_t base) {
  next.sequence = record_.sequence + 1;
  next.base = base;
  unsigned target = kNone;
  for (unsigned sector = 0; sector < kStateSectors; ++sector) {
    const bool newest = sector == place_.sector && kSteps.keep_newest;
    if (newest || (sequences_[sector] != 0 && sequences_[sector] == base && kSteps.keep_newest)) continue;
    if (target == kNone) target = sector;
    if (!kSteps.erase_anyway && ReadsErased(sector)) continue;
    const mv_error error = mv_region_erase(region_, sector * region_->sector_size);
    if (error != MV_OK) return error;
    sequences_[sector] = 0;
  }
  if (target == kNone) return MV_FLASH_FAILED;
  uint8_t body[kStateBodySize];
  StoreBody(next, body);
  Place place = {target, LoadLe64(body + kStateChecksumOffset)};
  mv_error error = kSteps.mark_when_whole ? MV_OK : ProgramMark(&place, next.count);
  for (uint32_t at = 0; at < kStateBodySize && error == MV_OK; at += MV_SELECTION_UNIT) {
    error = mv_region_program(region_, target * region_->sector_size + at, body + at);
  }
  if (error == MV_OK && kSteps.mark_when_whole) error = ProgramMark(&place, next.count);
  if (error != MV_OK) return error;
  record_ = next;
  place_ = place;
  sequences_[target] = next.sequence;
  secure_ = true;
  return MV_OK;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::Secure() {
  if (secure_ || record_.sequence == 0 || !kSteps.secure_newest) return MV_OK;
  return WriteInto(record_, record_.base);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::Write(DeviceRecord next) {
  const mv_error error = Secure();
  return error == MV_OK ? WriteInto(next, record_.sequence) : error;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::Mark(uint32_t count) {
  const mv_error error = Secure();
  if (error != MV_OK) return error;
  record_.count = count;
  // A unit that reads erased may have been begun before, and not take it. Where there is no room, a record says it.
  if (ProgramMark(&place_, count) == MV_OK || ProgramMark(&place_, count) == MV_OK) return MV_OK;
  return WriteInto(record_, record_.sequence);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::MarkAttempt() {
  if (record_.phase != SlotPhase::kTrial) return MV_NOT_FINISHED;
  return Mark(record_.count + 1);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::Confirm(uint64_t least_version) {
  if (proven_ == kNoSlot || least_version > proven_version_) return MV_NOT_FINISHED;
  if (record_.phase == SlotPhase::kInPlace) return MV_NOT_FINISHED;
  const bool runs_active = proven_ == record_.active;
  DeviceRecord next = record_;
  if (least_version > next.least_version) next.least_version = least_version;
  // An update that was cut off is not given up.
  if (!(record_.phase == SlotPhase::kUpdating && runs_active)) {
    next.phase = SlotPhase::kStable;
    next.active = static_cast<uint8_t>(proven_);
    next.other_whole = runs_active && record_.other_whole;
    next.count = 0;
    next.patch = 0;
  }
  const bool changes = next.phase != record_.phase || !runs_active || next.least_version != record_.least_version;
  mv_error error = changes ? Write(next) : Secure();
  if (error == MV_OK && counter_ != nullptr && counter_->read(counter_->context) < next.least_version) {
    error = counter_->advance(counter_->context, next.least_version);
  }
  return error;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::AcceptKeySet(const uint8_t* digest) {
  if (memcmp(record_.key_set, digest, sizeof(record_.key_set)) == 0) return Secure();
  DeviceRecord next = record_;
  memcpy(next.key_set, digest, sizeof(next.key_set));
  return Write(next);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::RaiseRevocation(uint64_t number) {
  if (number <= record_.least_revocation) return Secure();
  DeviceRecord next = record_;
  next.least_revocation = number;
  return Write(next);
}

template class BasicDeviceState<kAllSteps>;

}  // namespace modelvault
