// Words and numbers of the board's console, on the host.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/numbers.h"
#include "firmware_riscv/app/words.h"

namespace modelvault {
namespace {

std::string printed;

ByteView View(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

std::string Word(ByteView word) { return std::string(reinterpret_cast<const char*>(word.data), word.size); }

std::string Decimal(int32_t value, int exponent) {
  printed.clear();
  PrintDecimal(value, exponent);
  return printed;
}

}  // namespace

// What the console prints.
void PrintCharacter(char c) { printed += c; }

namespace {

TEST(BoardNumbersTest, WordsAreTakenOffTheFront) {
  const std::string line = "  set  top-k 20  ";
  ByteView text = View(line);
  EXPECT_EQ(Word(TakeWord(&text)), "set");
  EXPECT_EQ(Word(text), "top-k 20  ");
  EXPECT_EQ(Word(TakeWord(&text)), "top-k");
  EXPECT_TRUE(Is(TakeWord(&text), "20"));
  EXPECT_EQ(text.size, 0u);
  EXPECT_EQ(TakeWord(&text).size, 0u);
  EXPECT_FALSE(Is(View("se"), "set"));
  EXPECT_FALSE(Is(View("sets"), "set"));
}

TEST(BoardNumbersTest, NumbersAreDigitsAlone) {
  uint64_t value;
  EXPECT_TRUE(ParseNumber(View("0"), &value));
  EXPECT_EQ(value, 0u);
  EXPECT_TRUE(ParseNumber(View("18446744073709551615"), &value));
  EXPECT_EQ(value, UINT64_MAX);
  for (const char* bad : {"", "18446744073709551616", "99999999999999999999", "-1", "+1", "1 ", "1.0", "x"}) {
    EXPECT_FALSE(ParseNumber(View(bad), &value)) << bad;
  }
}

TEST(BoardNumbersTest, DecimalsAreRoundedToTheNearest) {
  int32_t value;
  struct Case {
    const char* text;
    int32_t value;
  };
  for (const Case& c :
       {Case{"0", 0}, Case{"1", 65536}, Case{"-1.5", -98304}, Case{"+0.25", 16384}, Case{"32767.99998", INT32_MAX},
        Case{"-32767.5", -2147450880}, Case{"0.000007629", 0}, Case{"0.00000763", 1}, Case{"-0.00000763", -1},
        Case{"00007", 458752}, Case{"0.999999999", 65536}}) {
    EXPECT_TRUE(ParseDecimal(View(c.text), &value)) << c.text;
    EXPECT_NEAR(value, c.value, c.value > 1000000 ? 1 : 0) << c.text;
  }
  for (const char* bad :
       {"", "-", ".5", "1.", "1.x", "32768", "32767.999999", "000001", "1.0000000000", "1e3", "1 2"}) {
    EXPECT_FALSE(ParseDecimal(View(bad), &value)) << bad;
  }
}

TEST(BoardNumbersTest, ScoresArePrintedWithFourDecimals) {
  EXPECT_EQ(Decimal(0, 40), "0.0000");
  EXPECT_EQ(Decimal(1, 0), "1.0000");
  EXPECT_EQ(Decimal(-3, -1), "-1.5000");
  EXPECT_EQ(Decimal(65535, -16), "1.0000");
  EXPECT_EQ(Decimal(6553, -16), "0.1000");
  EXPECT_EQ(Decimal(INT32_MAX, 0), "2147483647.0000");
  EXPECT_EQ(Decimal(INT32_MIN, 0), "-large");
  EXPECT_EQ(Decimal(1, 31), "large");
  EXPECT_EQ(Decimal(1, 30), "1073741824.0000");
  EXPECT_EQ(Decimal(-1, 100), "-large");
  EXPECT_EQ(Decimal(1, -60), "0.0000");
  EXPECT_EQ(Decimal(INT32_MAX, -50), "0.0000");
}

}  // namespace
}  // namespace modelvault
