#include "firmware_riscv/update/patch_stage.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/firmware_riscv/update/nor_chip.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {
namespace {

constexpr uint32_t kSector = 2 * kStagePlace;
constexpr uint32_t kSize = 6 * kSector;

std::string Bytes(uint64_t seed, size_t size) {
  SplitMix64 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

// All of it new: so many bytes and a few more.
std::string Patch(uint64_t seed, size_t size) { return BuildPatch(Bytes(0, 9), Bytes(seed, size), 4096)->bytes; }

ByteView Frame(const std::string& patch, uint32_t index) {
  const size_t begin = size_t{index} * kStageFrame;
  return {reinterpret_cast<const uint8_t*>(patch.data()) + begin, std::min<size_t>(kStageFrame, patch.size() - begin)};
}

// Sends what is missing, as over a line: first the frame that says which patch it is. How many frames were sent.
int Send(PatchStage* stage, const std::string& patch) {
  int sent = 1;
  EXPECT_EQ(stage->Add(0, Frame(patch, 0)), MV_OK);
  for (; !stage->complete(); ++sent) EXPECT_EQ(stage->Add(stage->next(), Frame(patch, stage->next())), MV_OK);
  return sent;
}

std::string ReadAll(PatchStage* stage, size_t size) {
  std::string bytes(size, '\0');
  const PatchSource source = stage->Source();
  // In odd pieces, and once more from the front.
  for (int round = 0; round < 2; ++round) {
    for (uint32_t at = 0; at < size; at += 7) {
      const uint32_t step = std::min<uint32_t>(7, static_cast<uint32_t>(size) - at);
      EXPECT_EQ(source.read(source.context, at, reinterpret_cast<uint8_t*>(bytes.data()) + at, step), MV_OK);
    }
  }
  return bytes;
}

class PatchStageTest : public testing::Test {
 protected:
  NorChip chip_{kSize, kSector};
  mv_region region_ = chip_.Region(0, kSize);
  const std::string patch_ = Patch(1, 3000);  // Four frames.
};

TEST_F(PatchStageTest, AllFramesAreKeptOverStarts) {
  PatchStage stage(&region_);
  ASSERT_EQ(stage.Open(false), MV_OK);
  EXPECT_EQ(stage.patch(), 0u);
  EXPECT_FALSE(stage.complete());
  EXPECT_EQ(Send(&stage, patch_), 4);
  EXPECT_EQ(ReadAll(&stage, patch_.size()), patch_);
  PatchStage again(&region_);
  ASSERT_EQ(again.Open(false), MV_OK);
  EXPECT_TRUE(again.complete());
  EXPECT_EQ(again.patch(), LoadLe64(reinterpret_cast<const uint8_t*>(patch_.data()) + kPatchChecksumOffset));
  EXPECT_EQ(ReadAll(&again, patch_.size()), patch_);
}

TEST_F(PatchStageTest, AnotherPatchTakesItsPlace) {
  PatchStage stage(&region_);
  ASSERT_EQ(stage.Open(false), MV_OK);
  Send(&stage, patch_);
  const std::string other = Patch(2, 1500);
  EXPECT_EQ(Send(&stage, other), 2);
  PatchStage again(&region_);
  ASSERT_EQ(again.Open(false), MV_OK);
  EXPECT_EQ(ReadAll(&again, other.size()), other);
  EXPECT_EQ(Send(&again, patch_), 4);
}

TEST_F(PatchStageTest, WhatIsNoFrameOfAPatchIsRefused) {
  PatchStage stage(&region_);
  ASSERT_EQ(stage.Open(false), MV_OK);
  const std::string large = Patch(3, 10 * kStageFrame);
  EXPECT_EQ(stage.Add(0, Frame(large, 0)), MV_BAD_PATCH);
  std::string damaged = patch_;
  damaged[9] ^= 1;
  EXPECT_EQ(stage.Add(0, Frame(damaged, 0)), MV_BAD_PATCH);
  EXPECT_EQ(stage.Add(0, Frame(patch_, 0).Sub(0, 100)), MV_BAD_PATCH);
  EXPECT_EQ(stage.Add(1, Frame(patch_, 1)), MV_BAD_ARGUMENT);
  EXPECT_EQ(stage.Add(0, Frame(patch_, 0).Sub(0, 500)), MV_BAD_ARGUMENT);
  EXPECT_EQ(chip_.operations(), 0);
  region_.size = kSector;
  EXPECT_EQ(PatchStage(&region_).Open(false), MV_BAD_ARGUMENT);
}

// The power goes at any operation, and again while the rest comes: in the end all is there, and a cut costs a frame.
TEST_F(PatchStageTest, AfterACutTheFramesThatAreMissingCome) {
  const std::string before = Patch(2, 2000);
  const auto open = [](const mv_region& region, PatchStage* stage) {
    EXPECT_GT(region.size, 0u);
    EXPECT_EQ(stage->Open(false), MV_OK);
  };
  for (int cut = 0; cut < 150; ++cut) {
    for (const Mood mood : kMoods) {
      SCOPED_TRACE(testing::Message() << cut << " " << static_cast<int>(mood));
      NorChip chip = chip_;
      const mv_region region = chip.Region(0, kSize);
      PatchStage first(&region);
      open(region, &first);
      Send(&first, before);
      int sent = 0;
      for (int round = 0; round < 3; ++round) {
        chip.PowerUp(mood, 5 + static_cast<uint64_t>(cut));
        if (round < 2) chip.CutAfter(cut / (1 + round), ChipCut::kInside);
        PatchStage stage(&region);
        open(region, &stage);
        try {
          sent = Send(&stage, patch_);
        } catch (const PowerIsCut&) {
        }
      }
      EXPECT_LE(sent, 4);
      // Whatever reads how: what is complete stays so.
      for (const Mood then : kMoods) {
        chip.PowerUp(then, 9);
        PatchStage stage(&region);
        open(region, &stage);
        EXPECT_TRUE(stage.complete());
        EXPECT_EQ(ReadAll(&stage, patch_.size()), patch_);
      }
      EXPECT_FALSE(chip.programmed_twice());
    }
  }
}

TEST_F(PatchStageTest, ACutCostsAFrame) {
  PatchStage stage(&region_);
  ASSERT_EQ(stage.Open(false), MV_OK);
  ASSERT_EQ(stage.Add(0, Frame(patch_, 0)), MV_OK);
  ASSERT_EQ(stage.Add(1, Frame(patch_, 1)), MV_OK);
  ASSERT_EQ(stage.Add(2, Frame(patch_, 2)), MV_OK);
  PatchStage again(&region_);
  ASSERT_EQ(again.Open(false), MV_OK);
  EXPECT_EQ(again.next(), 2u);  // Of the last one nobody knows.
  EXPECT_EQ(Send(&again, patch_), 3);
  // Where nothing was being written it counts.
  ASSERT_EQ(again.Open(true), MV_OK);
  EXPECT_TRUE(again.complete());
}

// Cuts leave places that are not used; the log goes on at the front when it is full.
TEST_F(PatchStageTest, AFullLogBeginsAnew) {
  const int starts = 12;
  for (int i = 0; i < starts; ++i) {
    PatchStage stage(&region_);
    ASSERT_EQ(stage.Open(false), MV_OK);
    ASSERT_EQ(stage.Add(0, Frame(patch_, 0)), MV_OK);
    if (stage.complete()) continue;
    ASSERT_EQ(stage.Add(stage.next(), Frame(patch_, stage.next())), MV_OK);
  }
  PatchStage stage(&region_);
  ASSERT_EQ(stage.Open(false), MV_OK);
  Send(&stage, patch_);
  EXPECT_EQ(ReadAll(&stage, patch_.size()), patch_);
}

}  // namespace
}  // namespace modelvault
