#include "firmware_riscv/boot/boot_selection.h"

#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr uint32_t kErasedWord = 0xFFFFFFFF;

unsigned BitsDifferent(uint32_t a, uint32_t b) {
  unsigned count = 0;
  for (uint32_t left = a ^ b; left != 0; left &= left - 1) ++count;
  return count;
}

bool IsMarked(uint32_t word, uint32_t mark) { return BitsDifferent(word, mark) <= kMarkTolerance; }

bool Newer(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }

bool Same(ByteView a, ByteView b) { return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0); }

bool IsErased(const uint8_t* bytes, uint32_t size) {
  bool erased = true;
  for (uint32_t at = 0; at < size; at += 4) erased = erased && LoadLe32(bytes + at) == kErasedWord;
  return erased;
}

// What a mark in the first format becomes of `word`. Bits that are zero already and should not be stay zero, as long as
// the mark can be told with them.
uint32_t Reachable(uint32_t word, uint32_t mark) { return IsMarked(mark & word, mark) ? mark & word : mark; }

// A record as it lies in its sector.
struct StoredRecord {
  const uint8_t* bytes;
  bool first_format;

  // Whether it is whole.
  bool Check(uint32_t name_size) const {
    if (name_size > MV_MAX_NAME_SIZE) return false;
    if (!first_format && LoadLe32(bytes + kSelectionUnitOffset) != kSelectionUnit) return false;
    const uint32_t size = first_format ? kFirstSelectionChecksumOffset : kSelectionChecksumOffset;
    return LoadLe64(bytes + size) == Xxh64::Of({bytes, size});
  }
  const uint8_t* name() const { return bytes + (first_format ? kFirstSelectionNameOffset : kSelectionNameOffset); }
  unsigned attempts() const {
    if (first_format) return BitsDifferent(LoadLe32(bytes + kFirstSelectionAttemptsOffset), kErasedWord);
    unsigned count = 0;
    for (unsigned i = 0; i < kMaxAttempts; ++i) {
      count += IsErased(bytes + kSelectionAttemptsOffset + i * kSelectionUnit, kSelectionUnit) ? 0 : 1;
    }
    return count;
  }
  bool Has(uint32_t mark, uint32_t first_format_offset, uint32_t offset) const {
    if (first_format) return IsMarked(LoadLe32(bytes + first_format_offset), mark);
    bool has = false;
    for (unsigned i = 0; i < kSelectionMarkUnits; ++i) {
      has = has || IsMarked(LoadLe32(bytes + offset + i * kSelectionUnit), mark);
    }
    return has;
  }
  // An attempt was made only where that was known.
  bool is_whole() const {
    return first_format || attempts() > 0 || IsMarked(LoadLe32(bytes + kSelectionWholeOffset), kWholeMark);
  }
};

}  // namespace

template <UpdateSteps kSteps>
BasicBootSelection<kSteps>::BasicBootSelection(const mv_flash* flash) : flash_(flash) {
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) Read(sector);
}

template <UpdateSteps kSteps>
bool BasicBootSelection<kSteps>::IsFirstFormat(unsigned sector) const {
  return Word(sector, 0) == kFirstSelectionMagic;
}

template <UpdateSteps kSteps>
void BasicBootSelection<kSteps>::Read(unsigned sector) {
  SelectionRecord* const record = &records_[sector];
  *record = SelectionRecord();
  const StoredRecord stored = {flash_->sector[sector], IsFirstFormat(sector)};
  if (IsErased(stored.bytes, kSelectionRecordSize)) return;
  record->state = RecordState::kDamaged;
  const uint32_t name_size = Word(sector, kSelectionNameSizeOffset);
  if ((!stored.first_format && Word(sector, 0) != kSelectionMagic) || !stored.Check(name_size)) return;
  record->sequence = Word(sector, kSelectionSequenceOffset);
  record->name = {stored.name(), name_size};
  record->attempts = stored.attempts();
  if (stored.Has(kRejectedMark, kFirstSelectionRejectedOffset, kSelectionRejectedOffset)) {
    record->state = RecordState::kRejected;
  } else if (stored.Has(kConfirmedMark, kFirstSelectionConfirmedOffset, kSelectionConfirmedOffset)) {
    record->state = RecordState::kConfirmed;
  } else if (stored.is_whole() || !kSteps.whole_mark) {
    record->state = RecordState::kTest;
  }
}

template <UpdateSteps kSteps>
unsigned BasicBootSelection<kSteps>::newest() const {
  unsigned newest = kNone;
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) {
    if (!records_[sector].valid()) continue;
    if (newest == kNone || Newer(records_[sector].sequence, records_[newest].sequence)) newest = sector;
  }
  return newest;
}

template <UpdateSteps kSteps>
unsigned BasicBootSelection<kSteps>::ConfirmedBeside(unsigned sector) const {
  unsigned found = kNone;
  for (unsigned other = 0; other < MV_SELECTION_SECTORS; ++other) {
    if (other == sector || records_[other].state != RecordState::kConfirmed) continue;
    if (found == kNone || Newer(records_[other].sequence, records_[found].sequence)) found = other;
  }
  return found;
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::Select(ByteView name) {
  if (name.size > MV_MAX_NAME_SIZE) return MV_BAD_ARGUMENT;
  const unsigned newest_sector = newest();
  uint32_t sequence = 1;
  if (newest_sector != kNone) {
    const SelectionRecord& record = records_[newest_sector];
    const bool will_boot = record.state == RecordState::kConfirmed ||
                           (record.state == RecordState::kTest && record.attempts < kMaxAttempts);
    if (will_boot && Same(record.name, name)) return MV_OK;
    sequence = record.sequence + 1;
  }
  // Spare what there is to fall back to; without such a record, the newest.
  unsigned spared = proven_;
  if (spared == kNone) spared = ConfirmedBeside(kNone);
  if (spared == kNone) spared = newest_sector;
  const unsigned target = (spared == 0) == kSteps.spare_fallback ? 1 : 0;

  const bool erases = kSteps.erase_record || !IsErased(flash_->sector[target], flash_->sector_size);
  mv_error error = erases ? mv_flash_erase(flash_, target) : MV_OK;
  if (error == MV_OK) error = WriteRecord(target, sequence, name);
  Read(target);
  // A mark that an erase left would make a choice that was never tried a confirmed one.
  if (error == MV_OK && records_[target].state != RecordState::kTest) error = MV_FLASH_FAILED;
  return error;
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::WriteRecord(unsigned sector, uint32_t sequence, ByteView name) {
  uint8_t unit[kSelectionUnit];
  Xxh64 hash;
  for (uint32_t begin = 0; begin < kSelectionBodySize; begin += kSelectionUnit) {
    memset(unit, 0xFF, sizeof(unit));
    if (begin == 0) {
      StoreLe32(unit, kSelectionMagic);
      StoreLe32(unit + kSelectionSequenceOffset, sequence);
      StoreLe32(unit + kSelectionNameSizeOffset, static_cast<uint32_t>(name.size));
      StoreLe32(unit + kSelectionUnitOffset, kSelectionUnit);
    }
    for (uint32_t i = begin == 0 ? kSelectionNameOffset : 0; i < kSelectionUnit; ++i) {
      const uint32_t in_name = begin + i - kSelectionNameOffset;
      if (in_name < name.size) unit[i] = name.data[in_name];
    }
    const bool last = begin + kSelectionUnit == kSelectionBodySize;
    hash.Update({unit, sizeof(unit) - (last ? 8 : 0)});
    if (last) StoreLe64(unit + sizeof(unit) - 8, hash.Digest());
    if (IsErased(unit, kSelectionUnit)) continue;
    const mv_error error = mv_flash_program(flash_, sector, begin, unit);
    if (error != MV_OK) return error;
  }
  return kSteps.whole_mark ? Mark(sector, kSelectionWholeOffset, 1, kWholeMark) : MV_OK;
}

// Makes the first of `units` units that takes it a mark.
template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::Mark(unsigned sector, uint32_t offset, uint32_t units, uint32_t mark) {
  uint8_t unit[kSelectionUnit];
  memset(unit, 0xFF, sizeof(unit));
  StoreLe32(unit, mark);
  mv_error error = MV_FLASH_SETS_BIT;
  for (uint32_t i = 0; i < units && error != MV_OK; ++i) {
    const uint32_t at = offset + i * kSelectionUnit;
    if (IsErased(flash_->sector[sector] + at, kSelectionUnit)) error = mv_flash_program(flash_, sector, at, unit);
  }
  Read(sector);
  return error;
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::MarkFirstFormat(unsigned sector, uint32_t offset, uint32_t word) {
  const uint32_t in_unit = offset % kSelectionUnit;
  uint8_t unit[kSelectionUnit];
  memcpy(unit, flash_->sector[sector] + (offset - in_unit), sizeof(unit));
  StoreLe32(unit + in_unit, word);
  const mv_error error = mv_flash_program(flash_, sector, offset - in_unit, unit);
  Read(sector);
  return error;
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::MarkAttempt(unsigned sector) {
  if (IsFirstFormat(sector)) {
    const uint32_t word = Word(sector, kFirstSelectionAttemptsOffset);
    return MarkFirstFormat(sector, kFirstSelectionAttemptsOffset, word & (word - 1));  // Its lowest one becomes a zero.
  }
  return Mark(sector, kSelectionAttemptsOffset, kMaxAttempts, 0);
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::Confirm(unsigned sector) {
  if (IsFirstFormat(sector)) {
    return MarkFirstFormat(sector, kFirstSelectionConfirmedOffset,
                           Reachable(Word(sector, kFirstSelectionConfirmedOffset), kConfirmedMark));
  }
  return Mark(sector, kSelectionConfirmedOffset, kSelectionMarkUnits, kConfirmedMark);
}

template <UpdateSteps kSteps>
mv_error BasicBootSelection<kSteps>::Reject(unsigned sector) {
  if (IsFirstFormat(sector)) {
    return MarkFirstFormat(sector, kFirstSelectionRejectedOffset,
                           Reachable(Word(sector, kFirstSelectionRejectedOffset), kRejectedMark));
  }
  return Mark(sector, kSelectionRejectedOffset, kSelectionMarkUnits, kRejectedMark);
}

template class BasicBootSelection<kAllSteps>;

}  // namespace modelvault
