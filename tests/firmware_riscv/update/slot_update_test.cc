#include "firmware_riscv/update/slot_update.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "tests/firmware_riscv/update/nor_chip.h"
#include "tests/firmware_riscv/update/update_campaign.h"
#include "tools/packing/patch_builder.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

// A line that a patch comes over: every byte once, in order.
struct Line {
  std::string bytes;
  uint32_t position = 0;

  PatchSource Source() {
    return {[](void* self, uint32_t offset, uint8_t* out, uint32_t size) {
              Line* const line = static_cast<Line*>(self);
              if (offset < line->position || offset + size > line->bytes.size()) return MV_READ_FAILED;
              std::memcpy(out, line->bytes.data() + offset, size);
              line->position = offset + size;
              return MV_OK;
            },
            this, UINT32_MAX, false};
  }
};

PatchSource InFlash(std::string* patch) {
  return {[](void* text, uint32_t offset, uint8_t* out, uint32_t size) {
            std::memcpy(out, static_cast<std::string*>(text)->data() + offset, size);
            return MV_OK;
          },
          patch, static_cast<uint32_t>(patch->size()), true};
}

std::string WithHeaderRepaired(std::string patch) {
  StoreLe64(reinterpret_cast<uint8_t*>(patch.data()) + kPatchChecksumOffset,
            XXH64(patch.data(), kPatchChecksumOffset, 0));
  return patch;
}

class SlotUpdateTest : public testing::Test {
 protected:
  static constexpr uint32_t kSector = 512;
  static constexpr uint32_t kSlotSize = 8 * kSector;

  SlotUpdateTest() { chip_.Put(3 * kSector, old_); }

  SlotHost Host() {
    return {[](void* self, unsigned slot, uint64_t* version) {
              return CheckCampaignVault(static_cast<SlotUpdateTest*>(self)->Slot(slot), version);
            },
            this, vault_id_, crypto_};
  }
  std::string Slot(unsigned slot) {
    std::string bytes(kSlotSize, '\0');
    EXPECT_EQ(mv_region_read(&slots_[slot], 0, reinterpret_cast<uint8_t*>(bytes.data()), kSlotSize), MV_OK);
    return bytes;
  }
  std::string Patch(const std::string& old_vault, const std::string& new_vault, uint32_t block = kSector) {
    uint64_t version = 0;
    static_cast<void>(CheckCampaignVault(new_vault, &version));
    return BuildPatch(old_vault, new_vault, block, {{}, version})->bytes;
  }
  mv_error Apply(const PatchSource& patch, size_t room = kSector) {
    DeviceState state(&sectors_, nullptr);
    const SlotChoice choice = ChooseSlot(&state, Host());
    if (choice.source == SlotSource::kTrial && confirm_) {
      EXPECT_EQ(state.Confirm(choice.version), MV_OK);
    }
    std::string buffer(room, '\0');
    return UpdateSlot(&state, {{&slots_[0], &slots_[1]}}, Host(), patch,
                      {reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()}, &report_);
  }
  mv_error Apply(std::string patch, size_t room = kSector) { return Apply(InFlash(&patch), room); }
  SlotChoice Boot() {
    DeviceState state(&sectors_, nullptr);
    return ChooseSlot(&state, Host());
  }

  const std::string old_ = CampaignVault(1, 3000);
  const std::string new_ = CampaignVault(2, 3300);
  NorChip chip_{3 * kSector + kSlots * kSlotSize, kSector};
  mv_region sectors_ = chip_.Region(0, 3 * kSector);
  mv_region slots_[kSlots] = {chip_.Region(3 * kSector, kSlotSize), chip_.Region(3 * kSector + kSlotSize, kSlotSize)};
  UpdateReport report_;
  bool confirm_ = true;
  const uint8_t* vault_id_ = nullptr;
  const Crypto* crypto_ = &HostCrypto();
};

TEST_F(SlotUpdateTest, TheNewVaultIsStartedOnTrial) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(report_.sectors, 7u);
  EXPECT_EQ(report_.written, 7u);
  EXPECT_EQ(report_.units, 104u);  // Of 3,300 bytes.
  EXPECT_EQ(Slot(1).substr(0, new_.size()), new_);
  EXPECT_EQ(Slot(0).substr(0, old_.size()), old_);
  const SlotChoice choice = Boot();
  EXPECT_EQ(choice.source, SlotSource::kTrial);
  EXPECT_EQ(choice.slot, 1u);
  EXPECT_EQ(choice.version, 2u);
  // The same patch again: it is done.
  const int operations = chip_.operations();
  confirm_ = false;
  EXPECT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(report_.sectors, 0u);
  EXPECT_EQ(chip_.operations(), operations + 1);  // An attempt's mark.
}

TEST_F(SlotUpdateTest, SectorsOfTheVaultBeforeStayWhereTheyAreTheSame) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  const std::string third = CampaignVault(3, 3300);
  ASSERT_EQ(Apply(Patch(new_, third)), MV_OK);
  EXPECT_EQ(report_.left_alone, 2u);  // The third and the fourth.
  EXPECT_EQ(report_.written, 5u);
  EXPECT_EQ(Slot(0).substr(0, third.size()), third);
}

TEST_F(SlotUpdateTest, AnUpdateThatWasCutOffGoesOn) {
  chip_.CutAfter(50, ChipCut::kInside);
  EXPECT_THROW(static_cast<void>(Apply(Patch(old_, new_))), PowerIsCut);
  chip_.PowerUp(Mood::kNew, 1);
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(report_.done_before, 2u);
  EXPECT_EQ(report_.written, 5u);
  EXPECT_EQ(Boot().version, 2u);
}

TEST_F(SlotUpdateTest, APatchMayComeOverALine) {
  Line line = {Patch(old_, new_)};
  chip_.CutAfter(60, ChipCut::kInside);
  EXPECT_THROW(static_cast<void>(Apply(line.Source())), PowerIsCut);
  chip_.PowerUp(Mood::kOld, 1);
  line.position = 0;  // It is sent again.
  ASSERT_EQ(Apply(line.Source()), MV_OK);
  EXPECT_GT(report_.done_before, 0u);
  EXPECT_EQ(Boot().version, 2u);
}

TEST_F(SlotUpdateTest, ALineThatEndsIsAnErrorAndWhatRunsStays) {
  Line line = {Patch(old_, new_)};
  line.bytes.resize(line.bytes.size() - 1);
  EXPECT_EQ(Apply(line.Source()), MV_READ_FAILED);
  EXPECT_EQ(Boot().version, 1u);
  line = {Patch(old_, new_)};
  ASSERT_EQ(Apply(line.Source()), MV_OK);
  EXPECT_EQ(report_.done_before, 6u);
}

TEST_F(SlotUpdateTest, SectorsMayBeSeveralBlocks) {
  ASSERT_EQ(Apply(Patch(old_, new_, 256), 256), MV_OK);
  EXPECT_EQ(report_.sectors, 7u);
  EXPECT_EQ(Slot(1).substr(0, new_.size()), new_);
  EXPECT_EQ(Boot().version, 2u);
  const std::string third = CampaignVault(3, 3300);
  ASSERT_EQ(Apply(Patch(new_, third, 256), 256), MV_OK);
  EXPECT_EQ(report_.written, 7u);
}

TEST_F(SlotUpdateTest, NothingIsWrittenForAPatchThatIsNotForThisBoard) {
  EXPECT_EQ(Apply(Patch(CampaignVault(4, 3000), new_)), MV_OTHER_VAULT);
  EXPECT_EQ(Apply(Patch(old_, CampaignVault(2, kSlotSize + 1))), MV_BAD_PATCH);
  EXPECT_EQ(Apply(Patch(CampaignVault(1, kSlotSize + 1), new_)), MV_BAD_PATCH);
  EXPECT_EQ(Apply(Patch(old_, new_, 1024), 1024), MV_BAD_PATCH);  // Larger than a sector.
  EXPECT_EQ(Apply(Patch(old_, new_), kSector - 1), MV_WORKSPACE_TOO_SMALL);
  std::string short_patch = Patch(old_, new_);
  short_patch.resize(short_patch.size() - 1);
  EXPECT_EQ(Apply(short_patch), MV_BAD_PATCH);
  DeviceState state(&sectors_, nullptr);
  std::string patch = Patch(old_, new_);
  uint8_t buffer[kSector];
  EXPECT_EQ(UpdateSlot(&state, {{&slots_[0], &slots_[1]}}, Host(), InFlash(&patch), {buffer, kSector}, nullptr),
            MV_NOT_FINISHED);  // Nothing was chosen.
  EXPECT_EQ(chip_.operations(), 0);
}

TEST_F(SlotUpdateTest, ATrialIsNotOverwrittenNorItsWayBack) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  confirm_ = false;
  EXPECT_EQ(Apply(Patch(new_, CampaignVault(3, 3000))), MV_NOT_FINISHED);
}

TEST_F(SlotUpdateTest, AVaultThatDoesNotVerifyOrIsTooOldIsNotMadeActive) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  EXPECT_EQ(Apply(Patch(new_, CampaignVault(9, 3000, kDamaged))), MV_CHECKSUM_MISMATCH);
  // The header may lie about what comes.
  EXPECT_EQ(Apply(BuildPatch(new_, CampaignVault(1, 3000), kSector, {{}, 3})->bytes), MV_ROLLED_BACK);
  EXPECT_EQ(Boot().version, 2u);
  EXPECT_EQ(Boot().source, SlotSource::kActive);
  ASSERT_EQ(Apply(Patch(new_, CampaignVault(3, 3000))), MV_OK);
  EXPECT_EQ(Boot().version, 3u);
}

TEST_F(SlotUpdateTest, WhatTheHeaderTellsIsEnoughToRefuse) {
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);
  ASSERT_EQ(Apply(Patch(old_, new_)), MV_OK);  // It runs, and is confirmed.
  const int operations = chip_.operations();
  EXPECT_EQ(Apply(Patch(new_, CampaignVault(1, 3000))), MV_ROLLED_BACK);
  const uint8_t own[kPatchVaultIdSize] = {7};
  const PatchIdentity others = {{8}, 3}, its = {{7}, 3};
  const std::string third = CampaignVault(3, 3000);
  vault_id_ = own;
  EXPECT_EQ(Apply(BuildPatch(new_, third, kSector, others)->bytes), MV_OTHER_VAULT);
  EXPECT_EQ(Apply(BuildPatch(new_, third, kSector, {{}, 3})->bytes), MV_OTHER_VAULT);
  EXPECT_EQ(chip_.operations(), operations);
  EXPECT_EQ(Apply(BuildPatch(new_, third, kSector, its)->bytes), MV_OK);
}

// A patch that makes all its checksums right, and not the vault that was hashed.
TEST_F(SlotUpdateTest, TheCryptographicDigestIsComparedBeforeAnythingIsWritten) {
  std::string patch = Patch(old_, new_);
  patch[kPatchVaultDigestOffset] = static_cast<char>(patch[kPatchVaultDigestOffset] ^ 1);
  patch = WithHeaderRepaired(patch);
  EXPECT_EQ(Apply(patch), MV_DIGEST_MISMATCH);
  EXPECT_EQ(chip_.operations(), 0);
  crypto_ = nullptr;  // A board that cannot tell.
  EXPECT_EQ(Apply(patch), MV_OK);
}

TEST_F(SlotUpdateTest, OverALineTheDigestIsComparedBeforeTheSwitch) {
  Line line = {Patch(old_, new_)};
  line.bytes[kPatchVaultDigestOffset] = static_cast<char>(line.bytes[kPatchVaultDigestOffset] ^ 1);
  line.bytes = WithHeaderRepaired(line.bytes);
  EXPECT_EQ(Apply(line.Source()), MV_DIGEST_MISMATCH);
  EXPECT_EQ(Boot().version, 1u);
}

// Any bit of the patch: nothing but the new vault is ever made active, and with the whole patch at hand nothing is
// written before it is found out.
TEST_F(SlotUpdateTest, AnyFlippedBitOfAPatchIsFoundBeforeAnythingIsWritten) {
  const std::string patch = Patch(old_, new_);
  for (size_t bit = 0; bit < 8 * patch.size(); bit += bit < 8 * 200 ? 1 : 7) {
    SCOPED_TRACE(bit);
    std::string flipped = patch;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const mv_error error = Apply(flipped);
    const bool other_format = bit / 8 == sizeof(kPatchMagic) - 1 && error == MV_UNKNOWN_VERSION;
    EXPECT_TRUE(other_format || error == MV_BAD_PATCH || error == MV_CHECKSUM_MISMATCH || error == MV_DIGEST_MISMATCH)
        << error;
    ASSERT_EQ(chip_.operations(), 0);
  }
}

TEST_F(SlotUpdateTest, AnyTruncationOfAPatchIsFound) {
  const std::string patch = Patch(old_, new_);
  for (size_t size = 0; size < patch.size(); ++size) {
    EXPECT_EQ(Apply(patch.substr(0, size)), MV_BAD_PATCH) << size;
  }
  EXPECT_EQ(chip_.operations(), 0);
}

// A header that says this, made right.
std::string Header(uint32_t block, uint32_t old_size, uint32_t new_size, uint32_t body) {
  uint8_t bytes[kPatchHeaderSize] = {'M', 'V', 'P', 'A', 'T', 'C', 'H', 2};
  StoreLe32(bytes + 8, block);
  StoreLe32(bytes + 12, old_size);
  StoreLe32(bytes + 16, new_size);
  StoreLe32(bytes + 20, body);
  StoreLe64(bytes + kPatchChecksumOffset, XXH64(bytes, kPatchChecksumOffset, 0));
  return std::string(reinterpret_cast<char*>(bytes), sizeof(bytes));
}

TEST(PatchReaderTest, APatchInPlaceCopiesNothingFromBeforeItsBlock) {
  const std::string old_vault = CampaignVault(1, 3000);
  std::string patch = BuildPatch(old_vault, std::string(300, 'x') + old_vault, 512)->bytes;
  patch[kPatchFlagsOffset] = kPatchInPlace;
  patch = WithHeaderRepaired(patch);
  const PatchSource source = InFlash(&patch);
  PatchReader reader(source);
  ASSERT_EQ(reader.Open(), MV_OK);
  EXPECT_EQ(reader.Skip(), MV_OK);  // It begins at the old vault's front.
  EXPECT_EQ(reader.Skip(), MV_BAD_PATCH);
}

// The first format's had 64 bytes.
TEST(PatchReaderTest, PatchesOfOtherVersionsAreToldFromDamagedOnes) {
  const auto open = [](std::string patch) {
    const PatchSource source = InFlash(&patch);
    return PatchReader(source).Open();
  };
  std::string first = Header(256, 1, 1, 0).substr(0, 64);
  first[7] = 1;
  EXPECT_EQ(open(first), MV_UNKNOWN_VERSION);
  first[7] = 3;
  EXPECT_EQ(open(first.substr(0, 8)), MV_UNKNOWN_VERSION);
  first[7] = 2;
  EXPECT_EQ(open(first), MV_BAD_PATCH);
  first[6] = 'h';
  EXPECT_EQ(open(first), MV_BAD_PATCH);
}

TEST(PatchReaderTest, HeadersOutOfRangeAreRefused) {
  const auto open = [](std::string patch) {
    const PatchSource source = InFlash(&patch);
    return PatchReader(source).Open();
  };
  EXPECT_EQ(open(Header(256, 1, 1, 0)), MV_OK);
  EXPECT_EQ(open(Header(1 << 20, 1 << 30, 1 << 30, 0)), MV_OK);
  EXPECT_EQ(open(Header(128, 1, 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(384, 1, 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(1 << 21, 1, 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(256, 0, 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(256, 1, 0, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(256, (1 << 30) + 1, 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(256, 1, (1 << 30) + 1, 0)), MV_BAD_PATCH);
  EXPECT_EQ(open(Header(256, 1, 1, 1)), MV_BAD_PATCH);
  std::string reserved = Header(256, 1, 1, 0);
  for (const size_t place : {size_t{kPatchReservedOffset}, size_t{kPatchChecksumOffset - 1}}) {
    std::string other = reserved;
    other[place] = 1;
    EXPECT_EQ(open(WithHeaderRepaired(other)), MV_BAD_PATCH);
  }
  reserved[kPatchFlagsOffset] = 1;
  EXPECT_EQ(open(WithHeaderRepaired(reserved)), MV_OK);
  reserved[kPatchFlagsOffset] = 2;
  EXPECT_EQ(open(WithHeaderRepaired(reserved)), MV_BAD_PATCH);
}

TEST(PatchReaderTest, PiecesOutOfRangeAreRefused) {
  static const std::string old_vault(100, 'o');
  mv_region old = {};
  old.size = 100;
  old.read = [](void*, uint32_t offset, uint8_t* out, uint32_t size) {
    std::memcpy(out, old_vault.data() + offset, size);
    return MV_OK;
  };
  // A new vault of 4 bytes from these pieces.
  const auto apply = [&](const std::string& pieces, const std::string& made = "oooo") {
    std::string body(4, '\0');
    StoreLe32(reinterpret_cast<uint8_t*>(body.data()), static_cast<uint32_t>(XXH64(made.data(), 4, 0)));
    body += pieces;
    std::string patch = Header(256, 100, 4, static_cast<uint32_t>(body.size())) + body;
    const PatchSource source = InFlash(&patch);
    PatchReader reader(source);
    EXPECT_EQ(reader.Open(), MV_OK);
    uint8_t out[4];
    return reader.Next(&old, out);
  };
  EXPECT_EQ(apply({9, 0}), MV_OK);
  EXPECT_EQ(apply({8, 'o', 'o', 'o', 'o'}), MV_OK);
  EXPECT_EQ(apply({8, 'o', 'o', 'o', 'a'}), MV_CHECKSUM_MISMATCH);
  EXPECT_EQ(apply({5, 0, 4, 'a', 'b'}, "ooab"), MV_OK);
  EXPECT_EQ(apply({9, '\xC0', 1}), MV_OK);                                      // From 96: the last four bytes.
  EXPECT_EQ(apply({9, '\xC2', 1}), MV_BAD_PATCH);                               // From 97.
  EXPECT_EQ(apply({9, 1}), MV_BAD_PATCH);                                       // From -1.
  EXPECT_EQ(apply({2, 'o', 7, 1}), MV_OK);                                      // A byte, then three from 0.
  EXPECT_EQ(apply({11, 0}), MV_BAD_PATCH);                                      // Five bytes.
  EXPECT_EQ(apply({7, 0}), MV_BAD_PATCH);                                       // Three.
  EXPECT_EQ(apply({1, 0, 9, 0}), MV_BAD_PATCH);                                 // None.
  EXPECT_EQ(apply({9, 0, 0}), MV_BAD_PATCH);                                    // A byte too many.
  EXPECT_EQ(apply({9, '\x80', 0}), MV_BAD_PATCH);                               // A longer form than needed.
  EXPECT_EQ(apply({9, '\xFF', '\xFF', '\xFF', '\xFF', '\x1F'}), MV_BAD_PATCH);  // Beyond 32 bits.
  EXPECT_EQ(apply({9, '\xFF', '\xFF', '\xFF', '\xFF', '\x8F', 0}), MV_BAD_PATCH);
}

}  // namespace
}  // namespace modelvault
