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

// The four bytes of a name at `offset`, padded.
uint32_t NameWord(ByteView name, uint32_t offset) {
  uint8_t bytes[4];
  for (uint32_t i = 0; i < 4; ++i) bytes[i] = offset + i < name.size ? name.data[offset + i] : uint8_t{0xFF};
  return LoadLe32(bytes);
}

}  // namespace

BootSelection::BootSelection(const mv_flash* flash) : flash_(flash) {
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) Read(sector);
}

void BootSelection::Read(unsigned sector) {
  const uint8_t* const p = flash_->sector[sector];
  SelectionRecord* const record = &records_[sector];
  *record = SelectionRecord();
  bool erased = true;
  for (uint32_t at = 0; at < kSelectionRecordSize; at += 4) erased = erased && LoadLe32(p + at) == kErasedWord;
  if (erased) return;
  record->state = RecordState::kDamaged;
  const uint32_t name_size = LoadLe32(p + kSelectionNameSizeOffset);
  if (LoadLe32(p) != kSelectionMagic || name_size > MV_MAX_NAME_SIZE ||
      LoadLe64(p + kSelectionChecksumOffset) != Xxh64::Of({p, kSelectionChecksumOffset})) {
    return;
  }
  record->sequence = LoadLe32(p + kSelectionSequenceOffset);
  record->name = {p + kSelectionNameOffset, name_size};
  record->attempts = BitsDifferent(LoadLe32(p + kSelectionAttemptsOffset), kErasedWord);
  if (IsMarked(LoadLe32(p + kSelectionRejectedOffset), kRejectedMark)) {
    record->state = RecordState::kRejected;
  } else if (IsMarked(LoadLe32(p + kSelectionConfirmedOffset), kConfirmedMark)) {
    record->state = RecordState::kConfirmed;
  } else {
    record->state = RecordState::kTest;
  }
}

unsigned BootSelection::newest() const {
  unsigned newest = kNone;
  for (unsigned sector = 0; sector < MV_SELECTION_SECTORS; ++sector) {
    if (!records_[sector].valid()) continue;
    if (newest == kNone || Newer(records_[sector].sequence, records_[newest].sequence)) newest = sector;
  }
  return newest;
}

unsigned BootSelection::ConfirmedBeside(unsigned sector) const {
  unsigned found = kNone;
  for (unsigned other = 0; other < MV_SELECTION_SECTORS; ++other) {
    if (other == sector || records_[other].state != RecordState::kConfirmed) continue;
    if (found == kNone || Newer(records_[other].sequence, records_[found].sequence)) found = other;
  }
  return found;
}

mv_error BootSelection::Select(ByteView name) {
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
  const unsigned target = spared == 0 ? 1 : 0;

  mv_error error = mv_flash_erase(flash_, target);
  Xxh64 hash;
  for (uint32_t at = 0; error == MV_OK && at < kSelectionChecksumOffset; at += 4) {
    const uint32_t word = at == 0                          ? kSelectionMagic
                          : at == kSelectionSequenceOffset ? sequence
                          : at == kSelectionNameSizeOffset ? static_cast<uint32_t>(name.size)
                                                           : NameWord(name, at - kSelectionNameOffset);
    uint8_t bytes[4];
    StoreLe32(bytes, word);
    hash.Update({bytes, sizeof(bytes)});
    if (word != kErasedWord) error = mv_flash_program(flash_, target, at, word);
  }
  const uint64_t checksum = hash.Digest();
  if (error == MV_OK) {
    error = mv_flash_program(flash_, target, kSelectionChecksumOffset, static_cast<uint32_t>(checksum));
  }
  if (error == MV_OK) {
    error = mv_flash_program(flash_, target, kSelectionChecksumOffset + 4, static_cast<uint32_t>(checksum >> 32));
  }
  Read(target);
  // A mark that an erase left would make a choice that was never tried a confirmed one.
  if (error == MV_OK && records_[target].state != RecordState::kTest) error = MV_FLASH_FAILED;
  return error;
}

mv_error BootSelection::Mark(unsigned sector, uint32_t offset, uint32_t word) {
  const mv_error error = mv_flash_program(flash_, sector, offset, word);
  Read(sector);
  return error;
}

// Bits that are zero already and should not be stay zero, as long as the mark can be told with them.
uint32_t BootSelection::Reachable(unsigned sector, uint32_t offset, uint32_t mark) const {
  const uint32_t word = mark & LoadLe32(flash_->sector[sector] + offset);
  return IsMarked(word, mark) ? word : mark;
}

mv_error BootSelection::MarkAttempt(unsigned sector) {
  const uint32_t word = LoadLe32(flash_->sector[sector] + kSelectionAttemptsOffset);
  return Mark(sector, kSelectionAttemptsOffset, word & (word - 1));  // Its lowest one becomes a zero.
}

mv_error BootSelection::Confirm(unsigned sector) {
  return Mark(sector, kSelectionConfirmedOffset, Reachable(sector, kSelectionConfirmedOffset, kConfirmedMark));
}

mv_error BootSelection::Reject(unsigned sector) {
  return Mark(sector, kSelectionRejectedOffset, Reachable(sector, kSelectionRejectedOffset, kRejectedMark));
}

}  // namespace modelvault
