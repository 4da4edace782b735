#include "tools/mvault/board/energy_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] =
    "# a comment\n"
    "flash_byte 1 pJ a\n"
    "flash_wake 2 pJ b\n"
    "ram_word 3 pJ c\n"
    "instruction 4 pJ d\n"
    "multiplication 5 pJ e\n"
    "division 6 pJ f\n"
    "waiting_cycle 7.5 pJ g h  i\n"
    "\n"
    "mcu_active 8 uW j\n"
    "mcu_asleep 9 uW k\n"
    "ram_kib_kept 1e1 uW l\n"
    "flash_standby 11 uW m\n"
    "flash_power_down 0 uW n\n";

std::string MessageOf(const std::string& text) {
  const absl::StatusOr<EnergyTable> table = ParseEnergyTable(text, "my.txt");
  EXPECT_THAT(table, StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  return std::string(table.status().message());
}

std::string With(const char* from, const char* to) {
  const std::string changed = absl::StrReplaceAll(kGood, {{from, to}});
  EXPECT_NE(changed, kGood) << from;
  return changed;
}

TEST(EnergyTableTest, EveryRowHasAValueAndASource) {
  for (const std::string& text : {std::string(kGood), absl::StrReplaceAll(kGood, {{"\n", "\r\n"}, {" ", "\t "}}),
                                  absl::StrCat("\xEF\xBB\xBF", kGood)}) {
    const absl::StatusOr<EnergyTable> table = ParseEnergyTable(text, "my.txt");
    ASSERT_THAT(table, IsOk());
    EXPECT_EQ(table->file, "my.txt");
    EXPECT_EQ((*table)[EnergyRow::kFlashByte], 1);
    EXPECT_EQ((*table)[EnergyRow::kFlashWake], 2);
    EXPECT_EQ((*table)[EnergyRow::kRamWord], 3);
    EXPECT_EQ((*table)[EnergyRow::kInstruction], 4);
    EXPECT_EQ((*table)[EnergyRow::kMultiplication], 5);
    EXPECT_EQ((*table)[EnergyRow::kDivision], 6);
    EXPECT_EQ((*table)[EnergyRow::kWaitingCycle], 7.5);
    EXPECT_EQ((*table)[EnergyRow::kMcuActive], 8);
    EXPECT_EQ((*table)[EnergyRow::kMcuAsleep], 9);
    EXPECT_EQ((*table)[EnergyRow::kRamKibKept], 10);
    EXPECT_EQ((*table)[EnergyRow::kFlashStandby], 11);
    EXPECT_EQ((*table)[EnergyRow::kFlashPowerDown], 0);
  }
  EXPECT_EQ(ParseEnergyTable(kGood, "")->rows[static_cast<size_t>(EnergyRow::kWaitingCycle)].source, "g h  i");
}

TEST(EnergyTableTest, RowsComeInAnyOrder) {
  const std::string turned = With("flash_byte 1 pJ a\n", "") + "  flash_byte 1 pJ a";
  EXPECT_THAT(ParseEnergyTable(turned, ""), IsOk());
}

TEST(EnergyTableTest, ErrorsNameFileLineAndKey) {
  EXPECT_THAT(MessageOf(With("ram_word", "ram_wort")),
              AllOf(StartsWith("my.txt: line 4: 'ram_wort': unknown key; expected one of flash_byte, "),
                    HasSubstr("flash_power_down")));
  EXPECT_EQ(MessageOf(With("ram_word 3", "flash_byte 3")),
            "my.txt: line 4: 'flash_byte': given twice, first in line 2");
  EXPECT_EQ(MessageOf(With("mcu_active 8 uW", "mcu_active 8 pJ")),
            "my.txt: line 10: 'mcu_active': expected the unit uW, not 'pJ'");
  EXPECT_EQ(MessageOf(With("ram_word 3 pJ c", "ram_word 3")),
            "my.txt: line 4: 'ram_word': expected the unit pJ, not ''");
  EXPECT_THAT(MessageOf(With("ram_word 3 pJ c", "ram_word 3 pJ ")),
              StartsWith("my.txt: line 4: 'ram_word': the source is missing"));
}

TEST(EnergyTableTest, ValuesAreNumbersFromZeroOn) {
  for (const char* value : {"x", "-1", "-0", "nan", "inf", "1e999", "3,5", "3pJ"}) {
    EXPECT_EQ(MessageOf(With("ram_word 3", absl::StrCat("ram_word ", value).c_str())),
              absl::StrCat("my.txt: line 4: 'ram_word': '", value, "' is no number from 0 on"));
  }
  EXPECT_EQ(MessageOf(With("ram_word 3 pJ c", "ram_word")), "my.txt: line 4: 'ram_word': '' is no number from 0 on");
}

TEST(EnergyTableTest, MissingRowsAreToldTogether) {
  EXPECT_EQ(MessageOf(With("ram_word 3 pJ c\n", "")), "my.txt: no line for ram_word");
  EXPECT_THAT(MessageOf(""), AllOf(StartsWith("my.txt: no line for flash_byte, flash_wake, "),
                                   HasSubstr(", flash_standby, flash_power_down")));
}

TEST(EnergyTableTest, TheBuiltInTableIsTheFile) {
  std::ifstream in(MODELVAULT_SOURCE_DIR "/tools/mvault/board/energy_table.txt");
  const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(kEnergyTableText, file);
  const absl::StatusOr<EnergyTable> table = ParseEnergyTable(kEnergyTableText, "");
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->file, "");
  EXPECT_EQ((*table)[EnergyRow::kRamWord], 20);
}

}  // namespace
}  // namespace modelvault
