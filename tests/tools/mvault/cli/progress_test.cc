#include "tools/mvault/cli/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace modelvault {
namespace {

// What `use` writes to a terminal.
template <typename Use>
std::string OnTerminal(const Use& use) {
  int terminal = -1;
  int program = -1;
  termios mode = {};
  cfmakeraw(&mode);
  EXPECT_EQ(openpty(&terminal, &program, nullptr, &mode, nullptr), 0);
  EXPECT_EQ(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
  FILE* const stream = fdopen(program, "w");
  {
    Progress progress(stream);
    use(&progress);
  }
  fflush(stream);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(terminal, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  fclose(stream);
  close(terminal);
  return text;
}

TEST(ProgressTest, ShowsOneLineAndErasesIt) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Update("verify", 1, 4);
              progress->Update("verify", 4, 4);
            }),
            "\r\x1b[Kverify 25 %\r\x1b[Kverify 100 %\r\x1b[K");
}

TEST(ProgressTest, WritesOnlyWhenThePercentageChanges) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              for (uint64_t i = 0; i < 10'000; ++i) progress->Update("pack", 5'000'000 + i, 1'000'000'000);
            }),
            "\r\x1b[Kpack 0 %\r\x1b[K");
}

TEST(ProgressTest, SurvivesOddNumbers) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Update("pack", 0, 0);
              progress->Update("pack", 9, 4);
              progress->Update("pack", UINT64_MAX, UINT64_MAX);
            }),
            "\r\x1b[Kpack 100 %\r\x1b[K");
}

TEST(ProgressTest, ClearedTwiceOrUnusedWritesNothing) {
  EXPECT_EQ(OnTerminal([](Progress* progress) {
              progress->Clear();
              progress->Clear();
            }),
            "");
}

TEST(ProgressTest, IsSilentWhereThereIsNoTerminal) {
  FILE* const file = tmpfile();
  ASSERT_NE(file, nullptr);
  {
    Progress progress(file);
    progress.Update("verify", 1, 4);
    progress.Clear();
  }
  EXPECT_EQ(ftell(file), 0);
  fclose(file);
}

}  // namespace
}  // namespace modelvault
